import type { RecordedCall, RecordedHistory, WatchedChange } from "./recorded.js";

/** One version of a key; without a value it was deleted. */
export interface Version {
  readonly revision: number;
  readonly value: string | undefined;
}

/** The order of all changes as the watches tell it: the witness. */
export interface Witness {
  /** By key, ascending. */
  readonly versions: ReadonlyMap<string, readonly Version[]>;
  /** Where a value was written; more than once is a doubled write. */
  readonly places: ReadonlyMap<string, readonly number[]>;
  readonly problems: readonly string[];
}

/** All watches together; what two of them tell differently is a problem. */
export function witnessOf({ watched }: RecordedHistory): Witness {
  const problems: string[] = [];
  const byPlace = new Map<string, WatchedChange>();
  for (const change of watched) {
    if (change.type === "BOOKMARK") continue;
    const place = `${change.revision} ${change.key}`;
    const known = byPlace.get(place);
    if (!known) byPlace.set(place, change);
    else if (known.type !== change.type || known.value !== change.value)
      problems.push(`watch: ${known.watcher} saw ${text(known)}, ${change.watcher} saw ${text(change)}`);
  }
  const versions = new Map<string, Version[]>();
  const places = new Map<string, number[]>();
  const changes = [...byPlace.values()].sort((left, right) => left.revision - right.revision);
  for (const { type, key = "", value, revision } of changes) {
    const ofKey = versions.get(key) ?? [];
    versions.set(key, ofKey);
    ofKey.push({ revision, value: type === "DELETED" ? undefined : value });
    if (type !== "DELETED" && value !== undefined) places.set(value, [...(places.get(value) ?? []), revision]);
  }
  return { versions, places, problems };
}

/**
 * Compares what clients were told with the witness: acknowledged writes are there, once, where they were said to be; refused
 * ones are not; reads found what was there; and nothing that began after an answer lies before it.
 */
export function checkAgainstWitness({ calls, final }: RecordedHistory, witness: Witness): WitnessReport {
  const report: WitnessReport = { lost: [], doubled: [], wrong: [...witness.problems] };
  const known = knownBefore(calls);
  for (const call of calls) {
    if (call.f === "read") {
      if (call.outcome === "ok") checkRead(call, witness, known.get(call) ?? 0, report);
    } else if (call.f === "delete") {
      if (call.outcome !== "info") checkDelete(call, witness, report);
    } else checkWrite(call, witness, known.get(call) ?? 0, report);
  }
  checkFinal(final, witness, report);
  return report;
}

export interface WitnessReport {
  readonly lost: string[];
  readonly doubled: string[];
  readonly wrong: string[];
}

function checkWrite(call: RecordedCall, { places, versions }: Witness, known: number, report: WitnessReport): void {
  const found = places.get(call.value!) ?? [];
  if (found.length > 1) report.doubled.push(`${textOf(call)} happened at ${found.join()}`);
  if (call.outcome === "fail" && found.length > 0)
    report.wrong.push(`${textOf(call)} was refused, and is at ${found[0]}`);
  if (call.outcome === "ok" && found.length === 0) report.lost.push(textOf(call));
  const [revision] = found;
  if (revision === undefined) return;
  if (call.outcome === "ok" && revision !== call.revision) report.wrong.push(`${textOf(call)} is at ${revision}`);
  if (revision <= known) report.wrong.push(`${textOf(call)} at ${revision} began after an answer of revision ${known}`);
  const ofKey = versions.get(call.key) ?? [];
  const before = ofKey[ofKey.findIndex((version) => version.revision === revision) - 1];
  if (call.f === "create" && before?.value !== undefined)
    report.wrong.push(`${textOf(call)} found ${before.value} there`);
  if (call.f === "cas" && before?.revision !== call.from)
    report.wrong.push(`${textOf(call)} expected ${call.from}, and followed ${before?.revision ?? "nothing"}`);
}

function checkDelete(call: RecordedCall, { versions }: Witness, report: WitnessReport): void {
  const ofKey = versions.get(call.key) ?? [];
  const at = ofKey.findIndex((version) => version.revision === call.from);
  const deleted = at >= 0 && ofKey[at + 1]?.value === undefined && at + 1 < ofKey.length;
  if (call.outcome === "ok" && !deleted) report.lost.push(textOf(call));
}

function checkRead(call: RecordedCall, { versions }: Witness, known: number, report: WitnessReport): void {
  const ofKey = versions.get(call.key) ?? [];
  const name = textOf(call);
  if (call.value === undefined) {
    // Nothing was there at some moment that is not over before an answer which the client could know.
    const absent = ofKey.length === 0 || ofKey[0]!.revision > known;
    const deleted = ofKey.some(
      (version, at) => version.value === undefined && (ofKey[at + 1]?.revision ?? Infinity) > known,
    );
    if (!absent && !deleted) report.wrong.push(`${name} found nothing, after an answer of revision ${known}`);
    return;
  }
  const at = ofKey.findIndex((version) => version.revision === call.revision);
  if (at < 0 || ofKey[at]!.value !== call.value)
    return void report.wrong.push(`${name} at ${call.revision}, where it is ${ofKey[at]?.value ?? "not changed"}`);
  const next = ofKey[at + 1];
  if (next && next.revision <= known)
    report.wrong.push(`${name} is stale: ${next.value ?? "a deletion"} at ${next.revision}, and ${known} was known`);
}

/** The last versions are what each server holds, no more and no less. */
function checkFinal(final: RecordedHistory["final"], { versions }: Witness, report: WitnessReport): void {
  for (const node of new Set(final.map((record) => record.node))) {
    const held = new Map(final.filter((record) => record.node === node).map((record) => [record.key, record]));
    for (const [key, ofKey] of versions) {
      const last = ofKey.at(-1)!;
      const record = held.get(key);
      held.delete(key);
      if (record?.value === last.value && (record === undefined || record.revision === last.revision)) continue;
      const line = `${node} holds ${record ? `${record.value} at ${record.revision}` : "nothing"} as ${key}, the last version is ${last.value ?? "a deletion"} at ${last.revision}`;
      if (record) report.wrong.push(line);
      else report.lost.push(line);
    }
    for (const [key, { value }] of held) report.wrong.push(`${node} holds ${value} as ${key}, which no watch has seen`);
  }
}

/** For each call the highest revision of an answer that had come before it began. */
function knownBefore(calls: readonly RecordedCall[]): Map<RecordedCall, number> {
  const answered = calls
    .filter(({ outcome, revision }) => outcome === "ok" && revision !== undefined)
    .sort((left, right) => left.returnedAt - right.returnedAt);
  const known = new Map<RecordedCall, number>();
  let highest = 0;
  let at = 0;
  for (const call of calls.toSorted((left, right) => left.calledAt - right.calledAt)) {
    for (let next = answered[at]; next && next.returnedAt < call.calledAt; next = answered[++at])
      highest = Math.max(highest, next.revision!);
    known.set(call, highest);
  }
  return known;
}

export function textOf({ proc, node, f, key, value, revision, outcome }: RecordedCall): string {
  return `${f} of ${value ?? "nothing"} to ${key} by ${proc} at ${node} (${outcome}${revision === undefined ? "" : `, revision ${revision}`})`;
}

function text({ type, key, value, revision }: WatchedChange): string {
  return `${type} ${key} ${value} at ${revision}`;
}
