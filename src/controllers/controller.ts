import type { Changes } from "../objects/changes.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import type { AnyObject } from "../api/object.js";
import type { Random } from "../base/env.js";

/**
 * A controller: which objects wake which keys, and one pure decision per key. It holds no state of its own;
 * everything with a deadline or a count is a field of an object.
 */
export interface Controller {
  /** Lower case, for logs, metrics and events: `deployment`. */
  readonly name: string;
  /** Keys to look at when this object changed (`now` undefined: it was deleted). */
  wakes(before: AnyObject | undefined, now: AnyObject | undefined, snapshot: Snapshot): readonly ObjectKey[];
  /** All keys there are, for the full pass of a new leader. */
  keys(snapshot: Snapshot): readonly ObjectKey[];
  reconcile(key: ObjectKey, world: World): Decision;
}

/**
 * Like a controller, but with one look at everything instead of one per key: the scheduler. It may keep what it has learnt of the objects;
 * each leader makes its own.
 */
export interface PassController {
  readonly name: string;
  /** Learns all there is: after an election. */
  start(snapshot: Snapshot): void;
  /** Learns a change; gives the wall time from which it calls for a pass (0: now), undefined when it does not. */
  changed(before: AnyObject | undefined, after: AnyObject | undefined): number | undefined;
  /** Decisions that stand each for itself: one refused does not touch the others. */
  pass(world: World): Pass;
}

export interface Pass {
  readonly decisions: readonly Decision[];
  /** Look again at this wall time at the latest. */
  readonly wakeAt?: number;
}

/** What a decision may depend on. */
export interface World {
  readonly snapshot: Snapshot;
  /** Wall time, milliseconds since 1970. */
  readonly now: number;
  readonly random: Random;
  /** Milliseconds since the agent of this node was last heard of by any replica; undefined when never since this leader was elected. */
  nodeSilentMs(nodeName: string): number | undefined;
  /** Milliseconds since this leader was elected. */
  readonly leaderForMs: number;
  /** Milliseconds since this replica has seen that no server renews this Pod's fencing lease any more; undefined: it has not. */
  leaseRevokedForMs(podUid: string): number | undefined;
}

export interface Decision {
  /** Absent: nothing to do. */
  readonly changes?: Changes;
  /** Look again at this wall time at the latest, even when nothing changes. */
  readonly wakeAt?: number;
  /** For people: recorded as Event objects in the same transaction. */
  readonly events?: readonly DecisionEvent[];
}

export interface DecisionEvent {
  readonly object: AnyObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}
