import type { KeyRecord, RangeQuery, RangeResult, Txn, TxnResult } from "../../store/store.js";
import { equalBytes } from "./invariants.js";
import { checkLinearizable, type Model, type Operation } from "../linearizability/linearizability.js";
import type { StateModel } from "./state-model.js";
import { Violation } from "./violation.js";

/** A write as its client saw it. Times are the world's, in microseconds. */
export interface WriteRecord {
  readonly type: "write";
  readonly client: string;
  readonly sequence: number;
  readonly txn: Txn;
  readonly calledAt: number;
  /** Infinity while the client knows no answer. */
  returnedAt: number;
  result: TxnResult | undefined;
}

/** A linearizable read of one key. */
export interface ReadRecord {
  readonly type: "read";
  readonly client: string;
  readonly key: string;
  readonly calledAt: number;
  returnedAt: number;
  record: KeyRecord | undefined;
  /** Of the replica that answered, at that moment. */
  revision: number;
}

export type Recorded = WriteRecord | ReadRecord;

/** One page of a list, at the present revision or a past one, and what was answered. */
export interface ListRecord {
  readonly client: string;
  readonly query: RangeQuery;
  readonly result: RangeResult;
}

/** A list is one cut through the history: what its revision holds, no more and no less. */
export function checkLists(lists: readonly ListRecord[], model: StateModel): void {
  for (const { client, query, result } of lists) {
    const { prefix, after = "", limit } = query;
    const all = model.recordsAt(result.revision).filter(({ key }) => key.startsWith(prefix) && key > after);
    const expected = all.slice(0, limit);
    const equal =
      result.records.length === expected.length &&
      result.records.every((record, at) => sameRecord(record, expected[at])) &&
      result.more === all.length > limit &&
      (query.revision ?? result.revision) === result.revision;
    if (equal) continue;
    throw new Violation(
      "range",
      `${client} listed ${JSON.stringify(query)} and got ${result.records.map(describe).join() || "nothing"} at ${result.revision}, there are ${expected.map(describe).join() || "nothing"} of ${all.length}`,
    );
  }
}

/**
 * Compares what clients were told with what the log says happened (R8), with real time (R9, the revision as
 * witness), and, without trusting the log's order, by searching one for each key (R9). Returns for how many keys the
 * search gave up.
 */
export function checkHistory(history: readonly Recorded[], model: StateModel): number {
  const finished = history.filter((recorded) => recorded.returnedAt !== Infinity);
  for (const recorded of finished) {
    if (recorded.type === "write") checkWrite(recorded, model);
    else checkRead(recorded, model);
  }
  checkRealTime(finished, model);
  let unknown = 0;
  for (const key of keysOf(history)) if (!isKeyExplained(key, history, model)) unknown++;
  return unknown;
}

function checkWrite(write: WriteRecord, model: StateModel): void {
  const outcome = model.outcome(write.client, write.sequence);
  const name = `write ${write.client}:${write.sequence}`;
  if (!outcome) throw new Violation("R8 acknowledged writes", `${name} was acknowledged and is not in the log`);
  const [expected] = outcome.results;
  const { result } = write;
  if (expected?.succeeded !== result?.succeeded || expected?.revision !== result?.revision) {
    const texts = [JSON.stringify(result), JSON.stringify(expected)];
    throw new Violation(
      "R8 acknowledged writes",
      `${name} was answered ${texts[0]}, entry ${outcome.index} gives ${texts[1]}`,
    );
  }
}

function checkRead(read: ReadRecord, model: StateModel): void {
  const expected = model.recordAt(read.key, read.revision);
  if (sameRecord(read.record, expected)) return;
  throw new Violation(
    "R9 linearizable",
    `${read.client} read ${describe(read.record)} from ${read.key} at revision ${read.revision}, where it is ${describe(expected)}`,
  );
}

export function sameRecord(left: KeyRecord | undefined, right: KeyRecord | undefined): boolean {
  if (!left || !right) return left === right;
  return (
    left.key === right.key &&
    left.version === right.version &&
    left.createRevision === right.createRevision &&
    left.modRevision === right.modRevision &&
    equalBytes(left.value, right.value)
  );
}

function describe(record: KeyRecord | undefined): string {
  return record ? `version ${record.version} of revision ${record.modRevision}` : "nothing";
}

/** What began after an answer must not be placed before it. */
function checkRealTime(finished: readonly Recorded[], model: StateModel): void {
  const byCall = finished.toSorted((left, right) => left.calledAt - right.calledAt);
  const byReturn = finished.toSorted((left, right) => left.returnedAt - right.returnedAt);
  let returned = 0;
  let revisionBefore = 0;
  for (const recorded of byCall) {
    for (let next = byReturn[returned]; next && next.returnedAt < recorded.calledAt; next = byReturn[++returned]) {
      revisionBefore = Math.max(revisionBefore, revisionOf(next));
    }
    const revision = revisionOf(recorded);
    if (revision > revisionBefore || (revision === revisionBefore && !changes(recorded, model))) continue;
    throw new Violation(
      "R9 linearizable",
      `a ${recorded.type} of ${recorded.client} at revision ${revision} began after an answer of revision ${revisionBefore}`,
    );
  }
}

function revisionOf(recorded: Recorded): number {
  return recorded.type === "read" ? recorded.revision : (recorded.result?.revision ?? 0);
}

/** Whether it made its revision, other than having found it. */
function changes(recorded: Recorded, model: StateModel): boolean {
  if (recorded.type === "read") return false;
  const { txn, result } = recorded;
  const keys = new Set((result?.succeeded ? txn.success : txn.failure).map((operation) => operation.key));
  const batch = model.batches[revisionOf(recorded) - 1];
  return batch?.events.some((event) => event.type === "put" && keys.has(event.key)) ?? false;
}

type Step =
  | { readonly type: "read"; readonly modRevision: number; readonly value: Uint8Array | undefined }
  | { readonly type: "write"; readonly txn: Txn; readonly result: TxnResult };

interface KeyState {
  /** 0 when the key is not there. */
  readonly modRevision: number;
  /** Of the last change, a deletion included. */
  readonly changedAt: number;
  readonly value: Uint8Array | undefined;
}

/** False when the search gave up. */
function isKeyExplained(key: string, history: readonly Recorded[], model: StateModel): boolean {
  const operations: Operation<Step>[] = [];
  for (const recorded of history) {
    if (recorded.type === "read") {
      if (recorded.key !== key || recorded.returnedAt === Infinity) continue;
      const what: Step = {
        type: "read",
        modRevision: recorded.record?.modRevision ?? 0,
        value: recorded.record?.value,
      };
      operations.push({ calledAt: recorded.calledAt, returnedAt: recorded.returnedAt, what });
      continue;
    }
    if (!touches(recorded.txn, key)) continue;
    // A write without an answer happened or did not: the log is the evidence.
    const result = recorded.result ?? model.outcome(recorded.client, recorded.sequence)?.results[0];
    if (!result) continue;
    const what: Step = { type: "write", txn: recorded.txn, result };
    operations.push({ calledAt: recorded.calledAt, returnedAt: recorded.returnedAt, what });
  }
  const verdict = checkLinearizable(operations, keyModel(key));
  if (verdict.result !== "illegal") return verdict.result === "linearizable";
  throw new Violation(
    "R9 linearizable",
    `${key}: after ${verdict.prefix.length} operations nothing explains ${text(verdict.stuck)}`,
  );
}

function text(step: Step): string {
  return step.type === "read"
    ? `a read of revision ${step.modRevision}`
    : `a write answered ${JSON.stringify(step.result)}`;
}

function keyModel(key: string): Model<KeyState, Step> {
  return {
    initial: { modRevision: 0, changedAt: 0, value: undefined },
    identify: (state) => `${state.modRevision} ${state.changedAt}`,
    step: (state, step) => {
      if (step.type === "read") {
        const same = (step.value === undefined) === (state.value === undefined);
        const equal = same && (!step.value || !state.value || equalBytes(step.value, state.value));
        return step.modRevision === state.modRevision && equal ? state : undefined;
      }
      const { revision, succeeded } = step.result;
      const own = step.txn.compares.filter((compare) => compare.key === key);
      const holds = own.every((compare) => state.modRevision === compare.operand);
      // A comparison of another key of the transaction may have failed instead.
      if (succeeded ? !holds : holds && own.length === step.txn.compares.length) return undefined;
      if (revision < state.changedAt) return undefined;
      const operation = (succeeded ? step.txn.success : step.txn.failure).find((candidate) => candidate.key === key);
      if (!operation || (operation.type === "delete" && state.value === undefined)) return state;
      if (revision === state.changedAt) return undefined;
      if (operation.type === "delete") return { modRevision: 0, changedAt: revision, value: undefined };
      return { modRevision: revision, changedAt: revision, value: operation.value };
    },
  };
}

function touches(txn: Txn, key: string): boolean {
  return [...txn.compares, ...txn.success, ...txn.failure].some((part) => part.key === key);
}

function keysOf(history: readonly Recorded[]): Set<string> {
  const keys = new Set<string>();
  for (const recorded of history) {
    if (recorded.type === "read") keys.add(recorded.key);
    else for (const operation of recorded.txn.success) keys.add(operation.key);
  }
  return keys;
}
