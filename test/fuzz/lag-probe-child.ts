import { readdirSync, readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { batchClass } from "../../raft/worker/batch.js";
import { Ack, greetingFormat, streamRpc, wireFormat } from "../../raft/worker/codec.js";
import { callBidi, method } from "../../src/host/grpc.js";
import { createClient } from "../../src/host/tls.js";
import type { LagReport, ProbeData, ProbedServer } from "./lag-probe.js";

// The thread behind lag-probe.ts: a stream to each server's consensus thread, on which pings follow each other.

const { servers, clusterId } = workerData as ProbeData;
const port = parentPort!;
const streamMethod = method(streamRpc, batchClass, Ack);
const pingEveryMs = 20;
/** Pings one right after the other, which show by their cost in processor time which thread it is that answers. */
const calibrationPings = 400;

for (const server of servers) probe(server);

function probe({ pid, name, raft, tls, asId, asName }: ProbedServer): void {
  const client = createClient(raft, { authority: tls.authority, identity: tls });
  const stream = callBidi(client, streamMethod);
  stream.on("error", (error: Error) => tell({ type: "lost", server: name, error: error.message }));
  const costsBefore = threadCosts(pid);
  let thread: string | undefined;
  let ping = 0;
  let sentAtMs = 0;
  let starvedBeforeMs = 0;
  stream.write({ format: wireFormat, clusterId, greeting: { format: greetingFormat, id: asId, name: asName } });
  stream.once("metadata", send);
  stream.on("data", ({ pong }) => {
    if (pong !== ping) return;
    const answerMs = performance.now() - sentAtMs;
    if (thread === undefined) {
      if (ping < calibrationPings) return send();
      thread = dearest(costsBefore, threadCosts(pid), String(pid));
      return send();
    }
    const heldMs = Math.max(0, answerMs - (starvedMs(pid, thread) - starvedBeforeMs));
    tell({ type: "lag", server: name, answerMs, heldMs });
    setTimeout(send, Math.max(0, pingEveryMs - answerMs));
  });

  function send(): void {
    ping += 1;
    if (thread !== undefined) starvedBeforeMs = starvedMs(pid, thread);
    sentAtMs = performance.now();
    stream.write({ messages: [], ping });
  }
}

/** For how long the other thread and this one were ready to run and had no processor. */
function starvedMs(pid: number, thread: string): number {
  return schedule(`/proc/${pid}/task/${thread}`)[1] + schedule("/proc/thread-self")[1];
}

function threadCosts(pid: number): ReadonlyMap<string, number> {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((thread) => [thread, schedule(`/proc/${pid}/task/${thread}`)[0]]),
  );
}

/** The thread, not the main one, that has cost most meanwhile. */
function dearest(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>, main: string): string {
  const gains = [...after].map(([thread, cost]) => ({ thread, gain: cost - (before.get(thread) ?? 0) }));
  return gains.filter(({ thread }) => thread !== main).sort((left, right) => right.gain - left.gain)[0]!.thread;
}

/** Milliseconds on a processor, and milliseconds ready without one. */
function schedule(folder: string): readonly [number, number] {
  let text: string;
  try {
    text = readFileSync(`${folder}/schedstat`, "utf8");
  } catch {
    return [0, 0]; // The thread or its process has gone, or the kernel does not count.
  }
  const [ran, waited] = text.split(" ");
  return [Number(ran) / 1e6, Number(waited) / 1e6];
}

function tell(report: LagReport): void {
  port.postMessage(report);
}
