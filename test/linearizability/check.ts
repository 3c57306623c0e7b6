import { checkLinearizable, type Model, type Operation } from "./linearizability.js";
import type { RecordedCall, RecordedHistory } from "./recorded.js";
import { checkWatches } from "./watch-guarantees.js";
import { checkAgainstWitness, textOf, witnessOf, type Witness } from "./witness.js";

export interface CheckReport {
  readonly acknowledged: number;
  readonly answeredReads: number;
  readonly unknown: number;
  readonly watchedChanges: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  /** Anything else that contradicts the witness. */
  readonly wrong: readonly string[];
  readonly nonLinearizable: readonly NonLinearizable[];
  /** Keys for which the search gave up. */
  readonly undecided: readonly string[];
}

/** One key that no order of its calls explains. */
export interface NonLinearizable {
  readonly key: string;
  readonly calls: readonly RecordedCall[];
  /** The longest order that was found, and the call that can't come next. */
  readonly prefix: readonly RecordedCall[];
  readonly stuck: RecordedCall;
}

/** All checks of a recorded history: against the log as witness, and, not trusting that, by a search of an order for each key. */
export function checkRecorded(history: RecordedHistory): CheckReport {
  const witness = witnessOf(history);
  const { lost, doubled, wrong } = checkAgainstWitness(history, witness);
  const nonLinearizable: NonLinearizable[] = [];
  const undecided: string[] = [];
  for (const [key, calls] of byKey(history.calls)) {
    const verdict = checkLinearizable(operationsOf(calls, witness), register);
    if (verdict.result === "unknown") undecided.push(key);
    if (verdict.result === "illegal")
      nonLinearizable.push({ key, calls, prefix: verdict.prefix, stuck: verdict.stuck });
  }
  const ok = history.calls.filter((call) => call.outcome === "ok");
  return {
    acknowledged: ok.filter((call) => call.f !== "read").length,
    answeredReads: ok.filter((call) => call.f === "read").length,
    unknown: history.calls.filter((call) => call.outcome === "info").length,
    watchedChanges: history.watched.filter((change) => change.type !== "BOOKMARK").length,
    lost,
    doubled,
    wrong: [...wrong, ...checkWatches(history, witness)],
    nonLinearizable,
    undecided,
  };
}

export function isClean({ lost, doubled, wrong, nonLinearizable }: CheckReport): boolean {
  return lost.length + doubled.length + wrong.length + nonLinearizable.length === 0;
}

/** The report as people read it; its first line says it all. */
export function reportLines(report: CheckReport): string[] {
  const { lost, doubled, wrong, nonLinearizable, undecided } = report;
  return [
    `${report.acknowledged} acknowledged, ${lost.length} lost, ${doubled.length} doubled, ${nonLinearizable.length} non-linearizable`,
    `${report.answeredReads} reads, ${report.watchedChanges} watched changes, ${report.unknown} calls of unknown outcome, ${wrong.length} contradictions, ${undecided.length} keys undecided`,
    ...[...lost.map((line) => `lost: ${line}`), ...doubled, ...wrong].slice(0, 30),
    ...nonLinearizable.map(
      ({ key, prefix, stuck }) =>
        `${key}: after ${prefix.length} calls, the last of them ${prefix.length === 0 ? "none" : textOf(prefix.at(-1)!)}, nothing explains ${textOf(stuck)}`,
    ),
  ];
}

function byKey(calls: readonly RecordedCall[]): Map<string, RecordedCall[]> {
  const keys = new Map<string, RecordedCall[]>();
  for (const call of calls) {
    const ofKey = keys.get(call.key);
    if (ofKey) ofKey.push(call);
    else keys.set(call.key, [call]);
  }
  return keys;
}

interface KeyState {
  readonly value: string | undefined;
  /** Of the last version with a value. */
  readonly revision: number;
}

/**
 * Refused calls and reads without an answer say nothing. A write of unknown outcome has happened when its value was seen, and
 * otherwise explains nothing, since no answer holds its value.
 */
function operationsOf(calls: readonly RecordedCall[], { places }: Witness): Operation<RecordedCall>[] {
  const read = new Map<string, number>();
  for (const { f, outcome, value, revision } of calls)
    if (f === "read" && outcome === "ok" && value !== undefined) read.set(value, revision!);
  const operations: Operation<RecordedCall>[] = [];
  for (const call of calls) {
    if (call.outcome === "fail" || (call.f === "read" && call.outcome === "info")) continue;
    const isUnknownWrite = call.outcome === "info" && call.f !== "delete";
    const revision =
      call.revision ?? (isUnknownWrite ? (read.get(call.value!) ?? places.get(call.value!)?.[0]) : undefined);
    if (isUnknownWrite && revision === undefined) continue;
    operations.push({ calledAt: call.calledAt, returnedAt: call.returnedAt, what: { ...call, revision } });
  }
  return operations;
}

/** One key: a value with the revision of its last change. */
const register: Model<KeyState, RecordedCall> = {
  initial: { value: undefined, revision: 0 },
  identify: ({ value, revision }) => `${value} ${revision}`,
  step: (state, { f, value, from, revision = 0 }) => {
    if (f === "read")
      return state.value === value && (value === undefined || state.revision === revision) ? state : undefined;
    const isThere = state.value !== undefined;
    if (f === "delete") return isThere && state.revision === from ? { ...state, value: undefined } : undefined;
    if (revision <= state.revision || isThere === (f === "create")) return undefined;
    return f === "cas" && state.revision !== from ? undefined : { value, revision };
  },
};
