import type { Done, Finished } from "../../src/base/env.js";
import type { DiskUsage, Pace } from "./runtime.js";
import type { VolumePlan } from "./volume-plan.js";

/** What the agent needs of its machine for volumes: real files (node-agent/volumes), or a fake. */
export interface VolumeHost {
  /** Uids of all Pods that have something here, also from before a restart of the agent. */
  list(done: Done<readonly string[]>): void;
  /**
   * Makes the volume, or brings it to this plan; what containers wrote to it stays. Repeating is harmless. A process that reads `files`
   * finds those of one plan, never a mixture. Errors: Invalid when the machine does not allow it.
   */
  apply(podUid: string, plan: VolumePlan, done: Finished): void;
  /** Removes all volumes of a Pod whose containers are gone, and never what is the machine's own. No error when there is none. */
  remove(podUid: string, done: Finished): void;
  /** What is on the disk of a Pod's volumes, by name; without the machine's own, the engine's and what is in memory. */
  usage(podUid: string, pace: Pace, done: Done<ReadonlyMap<string, DiskUsage>>): void;
}
