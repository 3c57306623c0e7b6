import type { AnyObject } from "../api/object.js";
import type { GroupKind, Snapshot } from "./snapshot.js";

/** Why an object is as it is, by the rules that hold now. */
export interface Explanation {
  /** One sentence. */
  readonly verdict: string;
  readonly tables: readonly ExplanationTable[];
  /** What can be done about it, a sentence each. */
  readonly hints: readonly string[];
}

export interface ExplanationTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Explains objects of one kind. A function of the state alone, so that any replica may be asked. */
export type Explainer = (object: AnyObject, snapshot: Snapshot, now: number) => Explanation;

/** Who explains which kind. */
export type Explainers = Readonly<Record<GroupKind, Explainer>>;
