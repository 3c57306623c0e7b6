import type { EvictionOrder } from "../pod-record.js";
import type { MeasuredPod } from "./pod-meter.js";

/** What pressure asks of the agent that has the Pods. */
export interface EvictablePods {
  /** Assigned Pods that are neither finished, evicted nor told to end. */
  candidates(): readonly MeasuredPod[];
  /** Ends a Pod for good: it fails, and its containers are not started again. */
  evict(uid: string, order: EvictionOrder): void;
  /** Nothing of an evicted Pod runs any more, and nothing that it had to give back is left. */
  isCleared(uid: string): boolean;
  /** Removes containers that have ended and are kept for their logs alone; `done` when they are gone, or after a while. */
  dropDead(done: () => void): void;
}
