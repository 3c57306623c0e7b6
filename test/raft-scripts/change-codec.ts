import type { ConfChange } from "../../raft/core/configuration.js";
import type { Entry } from "../../raft/core/types.js";

/** etcd/raft has two forms of a change: `v1` has exactly one step and is never joint. Only their names in the log differ. */
export interface ScriptChange extends ConfChange {
  readonly v1: boolean;
}

/** What leaves a joint configuration, and the core's own way to do so, is an entry without data. */
export function encodeChange(change: ScriptChange): Uint8Array {
  if (change.steps.length === 0 && change.transition === "Auto") return new Uint8Array(0);
  return new TextEncoder().encode(JSON.stringify(change));
}

export function decodeChange(entry: Entry): ScriptChange {
  if (entry.data.length === 0) return { transition: "Auto", steps: [], v1: false };
  return JSON.parse(new TextDecoder().decode(entry.data)) as ScriptChange;
}
