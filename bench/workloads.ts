import { setTimeout as sleep } from "node:timers/promises";
import type { BenchClient, Contestant } from "./contestant.js";
import { median, throughput, timed } from "./measure.js";

/** One thing to measure. `run` gives one figure; it is called several times, and the median counts. */
export interface Workload {
  readonly name: string;
  readonly unit: "ms" | "/s";
  readonly run: (clients: readonly BenchClient[], contestant: Contestant) => Promise<number>;
}

/** Connections that all callers of a workload share: enough that one connection's flow control is not what is measured. */
export const connections = 8;
const value = "x".repeat(256);
const watchers = 100;
const watchedWrites = 20;

let keys = 0;
function nextKey(): string {
  keys += 1;
  return `bench-${keys}`;
}

export function steadyWorkloads(durationMs: number): readonly Workload[] {
  const write = (callers: number): Workload => ({
    name: `create, ${callers} clients`,
    unit: "/s",
    run: (clients) => throughput(callers, durationMs, (caller) => clients[caller % connections]!.put(nextKey(), value)),
  });
  return [
    {
      name: "create, 1 client, latency",
      unit: "ms",
      run: async ([client]) => {
        const took: number[] = [];
        const end = performance.now() + durationMs;
        while (performance.now() < end) took.push(await timed(() => client!.put(nextKey(), value)));
        return median(took);
      },
    },
    write(16),
    write(64),
    {
      name: "linearizable get, 64 clients",
      unit: "/s",
      run: async (clients) => {
        const key = nextKey();
        await clients[0]!.put(key, value);
        return throughput(64, durationMs, (caller) => clients[caller % connections]!.get(key));
      },
    },
    { name: `write seen by ${watchers} watches`, unit: "ms", run: (_clients, contestant) => fanOut(contestant) },
  ];
}

/** From the start of a write until the last of all watches was told of it. */
async function fanOut(contestant: Contestant): Promise<number> {
  const clients = await Promise.all(Array.from({ length: connections }, () => contestant.connect()));
  try {
    const missing = new Map<string, number>();
    let told: () => void = () => undefined;
    const onChange = (key: string): void => {
      const left = (missing.get(key) ?? 0) - 1;
      missing.set(key, left);
      if (left === 0) told();
    };
    await Promise.all(Array.from({ length: watchers }, (_, at) => clients[at % connections]!.watch(onChange)));
    const took: number[] = [];
    for (let written = 0; written < watchedWrites; written += 1) {
      const key = nextKey();
      missing.set(key, watchers);
      const all = new Promise<void>((resolve) => {
        told = resolve;
      });
      took.push(await timed(() => Promise.all([clients[0]!.put(key, value), all])));
    }
    return median(took);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** A client writes without pause; the time from kill -9 of the leader to the first acknowledgement of a write begun after it. */
export const leaderKill: Workload = {
  name: "leader killed, until next write",
  unit: "ms",
  run: async (_clients, contestant) => {
    await contestant.settle();
    const client = await contestant.connect();
    try {
      await client.put(nextKey(), value);
      await sleep(100 + Math.random() * 200);
      await contestant.killLeader();
      return await timed(() => client.put(nextKey(), value));
    } finally {
      await client.close();
    }
  },
};
