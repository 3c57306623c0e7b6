import type { Entry } from "../../../raft/core/types.js";
import { eventKind } from "../../../src/api/kinds/event-kind.js";
import type { AnyObject } from "../../../src/api/object.js";
import { decodeRecord } from "../../../src/objects/encode.js";
import { kindPrefix, objectsPrefix } from "../../../src/objects/keys.js";
import { ObjectIndex, type ObjectChange } from "../../../src/objects/object-index.js";
import type { Snapshot } from "../../../src/objects/snapshot.js";
import { decodeCommand } from "../../../store/codec.js";
import { StateModel } from "../state-model.js";

/** One revision as the log has made it. */
export interface TruthStep {
  readonly changes: readonly ObjectChange[];
  readonly revision: number;
  /** Who proposed it. */
  readonly origin: string;
}

/**
 * The objects as the committed log makes them, by a model of the store. No replica is ever ahead of it. Events are left out: nothing is decided from
 * them.
 */
export class Truth {
  readonly model = new StateModel();
  /** Counts changes of objects. */
  writes = 0;
  readonly #index = new ObjectIndex();
  readonly #listeners: ((step: TruthStep) => void)[] = [];

  snapshot(): Snapshot {
    return this.#index.snapshot();
  }

  listen(listener: (step: TruthStep) => void): void {
    this.#listeners.push(listener);
  }

  /** Takes each entry once, in order, when it is first known to be committed. */
  apply(entry: Entry): void {
    if (entry.type !== "Normal" || entry.data.length === 0) return;
    const { model } = this;
    const before = model.batches.length;
    model.apply(entry);
    const batches = model.batches.slice(before);
    if (batches.length === 0) return;
    const { origin } = decodeCommand(entry.index, entry.data);
    for (const { revision, events } of batches) {
      const changed = new Map<string, AnyObject | undefined>();
      for (const { key, type, record } of events) {
        if (!key.startsWith(objectsPrefix) || key.startsWith(eventsPrefix)) continue;
        changed.set(key, type === "put" ? decodeRecord(record) : undefined);
      }
      const changes = this.#index.apply(revision, changed);
      this.writes += changes.length;
      if (changes.length > 0) for (const listener of this.#listeners) listener({ changes, revision, origin });
    }
  }
}

/** Below which Event objects are stored. */
const eventsPrefix = kindPrefix(eventKind);
