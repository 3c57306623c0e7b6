import { setTimeout as sleep } from "node:timers/promises";
import { kindNamed } from "../../src/api/registry.js";
import type { ConfigMap } from "../../src/api/kinds/core.js";
import { IkadaError } from "../../src/base/errors.js";
import type { Harness } from "./harness.js";

/** What became of writes while leaders were killed. */
export interface KillReport {
  readonly kills: number;
  readonly acknowledged: number;
  /** Acknowledged, and missing on a server; as `server-1: 17`. */
  readonly lost: readonly string[];
  /** There more than once on a server. */
  readonly doubled: readonly string[];
  /** For each kill the longest time without an acknowledged write around it, in milliseconds. */
  readonly gapsMs: readonly number[];
}

const writers = 4;
/** Between a cluster that is whole again and the next kill. */
const calmMs = 500;
const configMaps = kindNamed("configmaps");
const namespace = "default";

/**
 * Kills the current leader with SIGKILL `kills` times while clients write without pause, then reads every acknowledged
 * write back from each server. Objects get generated names, so a retry that were applied twice would make two of them.
 */
export async function killLeaders(harness: Harness, kills: number, tell: (line: string) => void): Promise<KillReport> {
  const acknowledged: { readonly id: string; readonly atMs: number }[] = [];
  const stop = new AbortController();
  // A writer that fails ends the run as a failure, once the processes are looked after.
  const failures: unknown[] = [];
  const writing = Array.from({ length: writers }, (_, writer) =>
    write(harness, writer, stop.signal, (id) => acknowledged.push({ id, atMs: performance.now() })).catch(
      (failure: unknown) => failures.push(failure),
    ),
  );
  const windows: { readonly fromMs: number; toMs: number }[] = [];
  try {
    await harness.eventually("first writes", () => Promise.resolve(acknowledged.length > 20));
    for (let kill = 1; kill <= kills && failures.length === 0; kill += 1) {
      const leader = await leaderOf(harness);
      const fromMs = performance.now();
      const before = acknowledged.length;
      await harness.kill(leader);
      await harness.eventually("writes after the kill", () =>
        Promise.resolve(failures.length > 0 || acknowledged.length > before + 2 * writers),
      );
      await wholeAgain(harness);
      windows.push({ fromMs, toMs: performance.now() });
      tell(`kill ${kill}: ${leader}, ${Math.round(longestGap(acknowledged, windows.at(-1)!))} ms without a write`);
      await sleep(calmMs);
    }
  } finally {
    stop.abort();
    await Promise.all(writing);
  }
  if (failures.length > 0) throw failures[0];
  const ids = acknowledged.map(({ id }) => id);
  const { lost, doubled } = await readBack(harness, ids);
  return {
    kills,
    acknowledged: ids.length,
    lost,
    doubled,
    gapsMs: windows.map((window) => longestGap(acknowledged, window)),
  };
}

/** Writes until it is told to stop; a refused write is repeated as a new one with the same id, since nothing of it was acknowledged. */
async function write(
  harness: Harness,
  writer: number,
  stop: AbortSignal,
  acknowledge: (id: string) => void,
): Promise<void> {
  for (let count = 1; !stop.aborted; count += 1) {
    const id = `${writer}-${count}`;
    await harness.client.create(
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { generateName: "chaos-", namespace, labels: { chaos: "write" } },
        data: { id },
      } as never,
      {
        deadlineMs: 60_000,
      },
    );
    acknowledge(id);
  }
}

async function leaderOf(harness: Harness): Promise<string> {
  let name: string | undefined;
  await harness.eventually("a leader", async () => (name = await harness.leaderName()) !== undefined);
  return name!;
}

/** All servers answer and have applied what the leader has. */
async function wholeAgain(harness: Harness): Promise<void> {
  await harness.eventually("all servers", async () => {
    const { members, leader } = await harness.client.clusterStatus({ deadlineMs: 2_000 });
    const ahead = members.find((member) => member.id === leader);
    // Writes go on, so followers are always some entries behind.
    return ahead !== undefined && members.every((member) => member.reachable && member.applied + 200 >= ahead.applied);
  });
}

function longestGap(
  acknowledged: readonly { readonly atMs: number }[],
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): number {
  let last = fromMs;
  let longest = 0;
  for (const { atMs } of acknowledged) {
    if (atMs < fromMs) continue;
    longest = Math.max(longest, Math.min(atMs, toMs) - last);
    last = atMs;
    if (atMs > toMs) break;
  }
  return longest;
}

async function readBack(
  harness: Harness,
  acknowledged: readonly string[],
): Promise<{ lost: string[]; doubled: string[] }> {
  const lost: string[] = [];
  const doubled: string[] = [];
  for (const server of harness.cluster.servers) {
    const client = await harness.clientOf(server.name);
    const counts = new Map<string, number>();
    try {
      for await (const object of client.list(configMaps, {
        namespace,
        labelSelector: "chaos=write",
        deadlineMs: 60_000,
      })) {
        const id = (object as unknown as ConfigMap).data?.["id"];
        if (id === undefined) throw new IkadaError("Internal", `${server.name}: ${object.metadata.name} has no id`);
        counts.set(id, (counts.get(id) ?? 0) + 1);
      }
    } finally {
      await client.close();
    }
    for (const id of acknowledged) if (!counts.has(id)) lost.push(`${server.name}: ${id}`);
    for (const [id, count] of counts) if (count > 1) doubled.push(`${server.name}: ${id} (${count} times)`);
  }
  return { lost, doubled };
}
