import { runClusterSeed } from "./cluster/cluster-world.js";
import { runFenceSeed } from "./fence/fence-world.js";
import { runRaftSeed } from "./raft-world.js";
import type { RunSeed } from "./seed-result.js";
import { runStoreSeed } from "./store/store-world.js";

/** Every kind of world by the name that `--world` takes. */
export const worlds: ReadonlyMap<string, RunSeed> = new Map([
  ["raft", runRaftSeed],
  ["store", runStoreSeed],
  ["cluster", runClusterSeed],
  ["fence", runFenceSeed],
]);
