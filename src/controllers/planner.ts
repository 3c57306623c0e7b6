import type { AnyObject } from "../api/object.js";
import type { Snapshot } from "../objects/snapshot.js";
import type { Decision, World } from "./controller.js";

/**
 * What a loop decides next. Two kinds: by key (KeyPlanner) and by pass (PassPlanner). Holds only what a new leader finds
 * again by looking at everything once.
 */
export interface Planner {
  readonly name: string;
  /** Looks at everything: after an election. */
  start(snapshot: Snapshot): void;
  changed(before: AnyObject | undefined, after: AnyObject | undefined, snapshot: Snapshot): void;
  /** The wall time from which there is something to look at: 0 for now, undefined for never. */
  dueAt(): number | undefined;
  /** Decides what is due, until about `operationsMax` operations are planned or a turn's share of keys is looked at. */
  plan(world: World, operationsMax: number): readonly Planned[];
}

/** A decision with something to write. */
export interface Planned {
  /** What was decided upon, for logs. */
  readonly key: string;
  readonly decision: Decision;
  /** It took place. */
  done(): void;
  /** It was refused or got lost: look again at the newer state, at this wall time. */
  again(now: number): void;
}

export function operationsOf(decision: Decision): number {
  const { creates = [], updates = [], removes = [] } = decision.changes ?? {};
  return creates.length + updates.length + removes.length + (decision.events?.length ?? 0);
}
