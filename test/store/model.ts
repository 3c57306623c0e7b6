import * as fc from "fast-check";
import type { Compare, KeyRecord, Operation, Revision, Txn, TxnResult, WatchBatch } from "../../store/store.js";
import { bytes } from "./requests.js";

/** What the store must do, as plainly as it can be said: the whole map of every revision is kept. */
export class Model {
  /** By revision; index 0 is the empty start. */
  readonly states: ReadonlyMap<string, KeyRecord>[] = [new Map()];
  readonly log: WatchBatch[] = [];

  get revision(): Revision {
    return this.states.length - 1;
  }

  get present(): ReadonlyMap<string, KeyRecord> {
    return this.at(this.revision);
  }

  at(revision: Revision): ReadonlyMap<string, KeyRecord> {
    const state = this.states[revision];
    if (!state) throw new Error(`the model has no revision ${revision}`);
    return state;
  }

  run(txn: Txn): TxnResult {
    const before = this.present;
    const succeeded = txn.compares.every((compare) => holds(before.get(compare.key)?.[compare.target] ?? 0, compare));
    const after = new Map(before);
    const revision = this.revision + 1;
    const events: WatchBatch["events"][number][] = [];
    for (const operation of succeeded ? txn.success : txn.failure) {
      const { key } = operation;
      const previous = before.get(key);
      if (operation.type === "delete") {
        if (!previous) continue;
        after.delete(key);
        const record = { ...previous, value: new Uint8Array(0), modRevision: revision, version: 0 };
        events.push({ type: "delete", key, record, previous });
        continue;
      }
      const record: KeyRecord = {
        key,
        value: withRevision(operation, revision),
        createRevision: previous ? previous.createRevision : revision,
        modRevision: revision,
        version: previous ? previous.version + 1 : 1,
      };
      after.set(key, record);
      events.push({ type: "put", key, record, previous });
    }
    if (events.length === 0) return { succeeded, revision: this.revision };
    this.states.push(after);
    this.log.push({ revision, events });
    return { succeeded, revision };
  }

  range(prefix: string, revision: Revision): KeyRecord[] {
    const found = [...this.at(revision).values()].filter(({ key }) => key.startsWith(prefix));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** What a watch from `from` must be given, without empty batches. */
  changes(prefix: string, from: Revision): WatchBatch[] {
    return this.log
      .filter((batch) => batch.revision > from)
      .map(({ revision, events }) => ({ revision, events: events.filter(({ key }) => key.startsWith(prefix)) }))
      .filter(({ events }) => events.length > 0);
  }
}

function holds(actual: number, { operator, operand }: Compare): boolean {
  if (operator === "=") return actual === operand;
  if (operator === "!=") return actual !== operand;
  return operator === "<" ? actual < operand : actual > operand;
}

function withRevision({ value, revisionAt }: Operation & { type: "put" }, revision: Revision): Uint8Array {
  if (revisionAt < 0) return value;
  const text = Buffer.from(value).toString("latin1");
  return bytes(text.slice(0, revisionAt) + String(revision) + text.slice(revisionAt));
}

/** Few keys, so that they collide; with prefixes of each other, a zero, and characters on both sides of the surrogates. */
export const keys = ["a", "a/", "a/1", "a/\0", "a/\0\0x", "a/1/2", "b", "b/é", "b/\u{10000}", "b/\uffff", "c"] as const;
export const prefixes = ["", "a", "a/", "a/1", "b/", "c", "none"] as const;

const key = fc.constantFrom(...keys);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("put" as const),
      key,
      value: value(),
      revisionAt: fc.integer({ min: -1, max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("delete" as const), key }) },
);
const operations = fc.uniqueArray(operation, { maxLength: 4, selector: (one) => one.key });
const compare: fc.Arbitrary<Compare> = fc.record({
  key,
  target: fc.constantFrom("version", "createRevision", "modRevision"),
  operator: fc.constantFrom("=", "!=", "<", ">"),
  operand: fc.nat(4),
});

export const arbitraryTxn: fc.Arbitrary<Txn> = fc.record({
  compares: fc.array(compare, { maxLength: 2 }),
  success: operations,
  failure: operations,
});

function value(): fc.Arbitrary<Uint8Array> {
  return fc.string({ minLength: 3, maxLength: 8, unit: "grapheme-ascii" }).map(bytes);
}
