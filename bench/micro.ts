import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "../raft/core/types.js";
import { RaftLog } from "../raft/log/raft-log.js";
import { hostEnv, type HostEnv } from "../src/host/env.js";
import { silentLog } from "../src/host/log.js";
import { encodeCommand } from "../store/codec.js";
import { StateMachine } from "../store/state-machine.js";
import { throughput } from "./measure.js";

/** Parts of one replica, in this process. */
export interface MicroBench {
  readonly name: string;
  /** Operations in a second. */
  readonly run: () => Promise<number>;
}

const valueBytes = 256;
const keyCount = 5_000;

export function microBenches(durationMs: number): readonly MicroBench[] {
  return [
    { name: "Raft log, durable appends, 1 at once", run: () => appends(1, durationMs) },
    { name: "Raft log, durable appends, 64 at once", run: () => appends(64, durationMs) },
    { name: "state machine, transactions applied", run: () => Promise.resolve(applied(durationMs)) },
  ];
}

/** Group commit on this machine's disk: appends that gather while a sync runs share the next one. */
async function appends(callers: number, durationMs: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "ikada-bench-log-"));
  const env = hostEnv({ dataFolder: folder, log: silentLog });
  try {
    const log = await openLog(env);
    const data = new Uint8Array(valueBytes).fill(97);
    let index = 0;
    const rate = await throughput(callers, durationMs, () => {
      index += 1;
      const entry: Entry = { index, term: 1, type: "Normal", data };
      return new Promise<void>((resolve) => {
        log.append({ entries: [entry], mustSync: true }, resolve);
        log.flush();
      });
    });
    await new Promise<void>((resolve, reject) => log.close((error) => (error ? reject(error) : resolve())));
    return rate;
  } finally {
    await env.close();
    await rm(folder, { recursive: true });
  }
}

function openLog(env: HostEnv): Promise<RaftLog> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): never => {
      throw error;
    };
    RaftLog.open({ clusterId: "bench", node: 1 }, env, fail, (error, opened) =>
      error ? reject(error) : resolve(opened.log),
    );
  });
}

function applied(durationMs: number): number {
  const value = new Uint8Array(valueBytes).fill(97);
  const commands = Array.from({ length: keyCount }, (_, at) =>
    encodeCommand(at + 1, {
      txns: [{ compares: [], success: [{ type: "put", key: `key/${at}`, value, revisionAt: 0 }], failure: [] }],
      origin: "bench",
    }),
  );
  const state = new StateMachine();
  const start = performance.now();
  let index = 0;
  while (performance.now() - start < durationMs) {
    index += 1;
    state.apply({ term: 1, index, type: "Normal", data: commands[index % keyCount]! });
    if (index % 16 === 0) state.takeBatch();
  }
  return (index * 1000) / (performance.now() - start);
}
