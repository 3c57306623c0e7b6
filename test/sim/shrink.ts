import type { ClusterSwarm } from "./cluster/cluster-swarm.js";
import { flatten, type Overrides, type Value } from "./overrides.js";
import type { RunSeed, SeedResult } from "./seed-result.js";
import type { Swarm } from "./swarm.js";

export interface Shrunk {
  readonly overrides: Overrides;
  readonly result: SeedResult;
  /** Worlds that were run. */
  readonly runs: number;
}

/** Other courses of a smaller world that are tried before it is given up: less of a world shifts all that its seed draws. */
const saltsMax = 6;
const runsMax = 600;

/**
 * Makes a world that violates a rule smaller while the same rule is violated: turns off kinds of faults (half of them, a quarter,
 * one by one), then takes away machines, clients and requests, and halves the time.
 */
export function shrink(run: RunSeed, first: SeedResult, set: Overrides, note: (line: string) => void): Shrunk {
  let overrides: Overrides = set;
  let best = first;
  let runs = 0;
  const attempt = (change: Overrides): boolean => {
    for (let salt = 0; salt < saltsMax && runs < runsMax; salt++) {
      const tried: Overrides = { ...overrides, ...change, ...(salt > 0 ? { salt } : {}) };
      const result = run(first.seed, { set: tried });
      runs++;
      if (result.violation?.rule !== first.violation?.rule) continue;
      overrides = tried;
      best = result;
      note(`${runs} worlds, ${Math.round(result.simulatedMs)} ms, ${result.events} events: ${JSON.stringify(change)}`);
      return true;
    }
    return false;
  };
  for (let progress = true; progress;) {
    const accepted = [turnOff(best, attempt), lessen(best, attempt)];
    progress = accepted.includes(true) && runs < runsMax;
  }
  return { overrides, result: best, runs };
}

type Attempt = (change: Overrides) => boolean;

/** Half of the faults that are on at once, then less, down to one. */
function turnOff(best: SeedResult, attempt: Attempt): boolean {
  let on = faultsOn(best);
  let accepted = false;
  for (let size = Math.ceil(on.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < on.length;) {
      const part = on.slice(at, at + size);
      if (attempt(Object.fromEntries(part))) {
        on = on.filter((fault) => !part.includes(fault));
        accepted = true;
      } else at += size;
    }
  }
  return accepted;
}

/** Each field that is on, with the value that turns it off. */
function faultsOn({ swarm }: SeedResult): (readonly [string, Value])[] {
  const fields = flatten(swarm ?? {});
  const off = [...fields].flatMap(([path, value]): (readonly [string, Value])[] => {
    if (
      /^(cluster\.)?chaos\./.test(path) ||
      path.endsWith("Rate") ||
      path === "clockRateSpread" ||
      path === "members.changeMs"
    )
      return value === 0 ? [] : [[path, 0]];
    if (path === "disk.capacityBytes") return value === Infinity ? [] : [[path, Infinity]];
    if (path === "useCodec" || path === "network.survivesRestart") return value === false ? [] : [[path, false]];
    if (path === "network.ordered") return value === true ? [] : [[path, true]];
    return [];
  });
  return off;
}

function lessen(best: SeedResult, attempt: Attempt): boolean {
  const swarm = best.swarm as Swarm & Partial<ClusterSwarm>;
  const { cluster } = swarm;
  const changes: Overrides[] = [
    { safetyMs: Math.max(1, Math.min(swarm.safetyMs / 2, Math.ceil(best.simulatedMs))) },
    { safetyMs: Math.max(1, Math.floor(swarm.safetyMs / 2)) },
    ...(swarm.replicas > 3 ? [{ replicas: 3 }] : []),
    ...(swarm.clients > 1 ? [{ clients: 1 }, { clients: Math.ceil(swarm.clients / 2) }] : []),
    ...(swarm.watches > 0 ? [{ watches: 0 }] : []),
    ...(swarm.keys > 1 ? [{ keys: 1 }] : []),
    { operationsMax: swarm.operationsMax > 1000 ? 100 : Math.floor(swarm.operationsMax / 2) },
    ...(swarm.members.spares > 1 ? [{ "members.spares": 1 }] : []),
    ...(cluster && cluster.nodes > 2 ? [{ "cluster.nodes": 2 }, { "cluster.nodes": 3 }] : []),
    ...(cluster && cluster.spareNodes > 0 ? [{ "cluster.spareNodes": 0 }] : []),
    ...(cluster && cluster.workloads > 1 ? [{ "cluster.workloads": 1 }] : []),
  ];
  return changes.filter((change) => attempt(change)).length > 0;
}
