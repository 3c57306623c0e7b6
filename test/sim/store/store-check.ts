import type { Entry } from "../../../raft/core/types.js";
import type { Change, KeyRecord, Revision } from "../../../store/store.js";
import {
  isInRange,
  type KeyspaceModel,
  recordText,
  responseText,
  sameRecord,
} from "../../linearizability/keyspace-model.js";
import { GuaranteeCheck, type LoggedChange } from "../../linearizability/nine-guarantees.js";
import { Violation } from "../violation.js";
import type { Asked, CommandAsked, LookAsked, PastAnswer, PastAsked, WriteAsked } from "./asked.js";
import { StoreModel } from "./store-model.js";
import { contentOf, type StoreWatcher } from "./store-watcher.js";

/** Feeds the model with the log, looks at what was seen of each index on the way, and compares all answers. @throws Violation */
export function modelOf(committed: readonly Entry[], asked: readonly Asked[]): StoreModel {
  const model = new StoreModel();
  const looks = new Map<number, LookAsked[]>();
  for (const question of asked)
    if (question.type === "look" && question.answer) {
      const { index } = question.answer;
      const same = looks.get(index);
      if (same) same.push(question);
      else looks.set(index, [question]);
    }
  for (const look of looks.get(0) ?? []) checkLook(look, model);
  for (const entry of committed) {
    model.apply(entry);
    for (const look of looks.get(entry.index) ?? []) checkLook(look, model);
  }
  return model;
}

export function checkAnswers(asked: readonly Asked[], model: StoreModel): void {
  for (const question of asked) {
    if (question.returnedAt === Infinity) continue;
    if (question.type === "write") checkWrite(question, model);
    else if (question.type === "command") checkCommand(question, model);
    else if (question.type === "past") checkPast(question, model);
  }
  checkRealTime(asked, model);
}

/** All watches of one keyspace. Returns how many events they were told. */
export function checkWatches(watchers: readonly StoreWatcher[], keyspace: KeyspaceModel): number {
  const changes = keyspace.batches.flatMap(({ revision, events }) =>
    events.map(({ type, key, record, previous }): LoggedChange => ({
      revision,
      key,
      content: type === "put" ? contentOf(record) : undefined,
      previous: previous && contentOf(previous),
    })),
  );
  const check = new GuaranteeCheck(changes);
  for (const { follows } of watchers) for (const watch of follows) check.check(watch);
  const [problem] = check.problems;
  if (problem !== undefined) throw new Violation("watch", problem);
  return check.events;
}

function checkLook({ name, key, txn, answer }: LookAsked, { objects, etcd }: StoreModel): void {
  const { index, revision, etcdRevision, record, outcome, leases } = answer!;
  const fail = (what: string): never => {
    throw new Violation("R9 linearizable", `${name} at index ${index}: ${what}`);
  };
  if (revision !== objects.revision || etcdRevision !== etcd.revision)
    fail(`revisions ${revision} and ${etcdRevision}, it is ${objects.revision} and ${etcd.revision}`);
  if (!sameRecord(record, objects.get(key))) fail(`${key} is [${text(record)}], expected [${text(objects.get(key))}]`);
  const { result } = etcd.attempt({ type: "txn", txn }).outcome;
  if (responseText(result) !== responseText(outcome.result))
    fail(`read ${responseText(outcome.result)}, expected ${responseText(result)}`);
  const present = etcd.recordsAt(etcd.revision);
  const expected = [...etcd.leases]
    .sort(([left], [right]) => left - right)
    .map(([id, ttlSeconds]) => ({
      id,
      ttlSeconds,
      keys: present.filter(({ lease }) => lease === id).map((one) => one.key),
    }));
  if (JSON.stringify(expected) !== JSON.stringify(leases))
    throw new Violation(
      "lease",
      `${name} at ${index} saw ${JSON.stringify(leases)}, there are ${JSON.stringify(expected)}`,
    );
}

function checkWrite({ name, results }: WriteAsked, model: StoreModel): void {
  const outcome = model.outcome(name);
  if (!outcome) throw new Violation("R8 acknowledged writes", `${name} was acknowledged and is not in the log`);
  const [got, expected] = [results, outcome.results].map((each) => JSON.stringify(each));
  if (got === expected) return;
  throw new Violation(
    "R8 acknowledged writes",
    `${name} was answered ${got}, entry ${outcome.index} gives ${expected}`,
  );
}

function checkCommand({ name, outcome, command }: CommandAsked, model: StoreModel): void {
  const done = model.outcome(name);
  if (!done?.etcd) throw new Violation("R8 acknowledged writes", `${name} was acknowledged and is not in the log`);
  const [got, expected] = [outcome!, done.etcd].map(({ revision, result }) => `${revision} ${responseText(result)}`);
  if (got === expected) return;
  throw new Violation("transaction", `${name}, a ${command.type}, was answered ${got}, expected ${expected}`);
}

function checkPast(question: PastAsked, model: StoreModel): void {
  const { name, what, floor } = question;
  const answer = question.answer!;
  const fail = (expected: string, got: string): never => {
    throw new Violation("past", `${name} asked ${JSON.stringify(question)}: got ${got}, expected ${expected}`);
  };
  const asked = askedRevision(question, model);
  if (answer.of === "refusal") {
    // What reads the disk is void when history is compacted in its midst.
    const isVoid = (what.of === "changes" || what.of === "revisionAt") && answer.floor > floor;
    if (isVoid) return;
    if (asked >= answer.start || answer.start > answer.floor)
      fail(`revision ${asked}`, `a refusal from ${answer.start}`);
    return;
  }
  // What was compacted before it was asked is refused; what is compacted meanwhile may be.
  const least = what.of === "list" || what.of === "range" ? answer.floor : floor;
  if (asked < least) fail(`a refusal: history starts at ${least}`, "an answer");
  const expected = expectedOf(question, model);
  const got = answerText(answer, question.floor);
  if (got !== expected) fail(expected, got);
}

/** Which revision has to be kept for the answer. */
function askedRevision({ what, revision, floor }: PastAsked, model: StoreModel): Revision {
  if (what.of === "list" || what.of === "range") return what.query.revision;
  if (what.of === "changes") return what.query.before ?? floor;
  return revisionAt(what.timeMs, revision, model);
}

function revisionAt(timeMs: number, present: Revision, { times }: StoreModel): Revision {
  return times.slice(0, present).findLastIndex((time) => time <= timeMs) + 1;
}

function expectedOf(question: PastAsked, model: StoreModel): string {
  const { what, revision, floor } = question;
  switch (what.of) {
    case "list": {
      const { prefix, after = "", limit } = what.query;
      const matches = (key: string): boolean => key.startsWith(prefix) && key > after;
      const all = model.objects.recordsAt(what.query.revision, matches);
      return recordsText(all.slice(0, limit), all.length > limit);
    }
    case "range":
      return recordsText(
        model.etcd.recordsAt(what.query.revision, (key) => isInRange(what.query, key)),
        false,
      );
    case "changes": {
      const { key, before = Infinity, limit } = what.query;
      const all = before === floor ? [] : model.changes(key).filter(({ record }) => isShown(record, before, revision));
      const oldest = all.findIndex(({ record }) => record.modRevision <= floor);
      const isGone = all[oldest]?.record.version === 0;
      const kept = oldest < 0 ? all : all.slice(0, isGone ? oldest : oldest + 1);
      return changesText(kept.slice(0, limit), kept.length > limit, floor);
    }
    default:
      return String(revisionAt(what.timeMs, revision, model));
  }
}

function isShown({ modRevision }: KeyRecord, before: Revision, present: Revision): boolean {
  return modRevision < before && modRevision <= present;
}

function answerText(answer: PastAnswer, floor: Revision): string {
  switch (answer.of) {
    case "list":
      return recordsText(answer.result.records, answer.result.more);
    case "range":
      return recordsText(answer.records, false);
    case "changes":
      return changesText(answer.result.changes, answer.result.more, floor);
    case "revisionAt":
      return String(answer.revision);
    default:
      return "a refusal";
  }
}

function recordsText(records: readonly KeyRecord[], more: boolean): string {
  return `${records.map(recordText).join("; ")}${more ? " and more" : ""}`;
}

/** When and by whom is not kept of what lies in front of the start of history. */
function changesText(changes: readonly Change[], more: boolean, floor: Revision): string {
  const texts = changes.map(({ record, timeMs, origin }) => {
    const stamp = record.modRevision < floor ? "" : ` at ${timeMs} by ${origin}`;
    return `${recordText(record)}${stamp}`;
  });
  return `${texts.join("; ")}${more ? " and more" : ""}`;
}

function text(record: KeyRecord | undefined): string {
  return record ? recordText(record) : "";
}

/** What began after an answer lies behind it in the log. */
function checkRealTime(asked: readonly Asked[], model: StoreModel): void {
  const placed = asked.flatMap(({ returnedAt, calledAt, ...question }) => {
    if (returnedAt === Infinity || question.type === "past") return [];
    const isWrite = question.type !== "look";
    const index = isWrite ? model.outcome(question.name)!.index : question.answer!.index;
    return [{ calledAt, returnedAt, index, isWrite, name: question.name }];
  });
  const byReturn = placed.toSorted((left, right) => left.returnedAt - right.returnedAt);
  let [returned, before] = [0, 0];
  for (const { calledAt, index, isWrite, name } of placed.toSorted((left, right) => left.calledAt - right.calledAt)) {
    for (let next = byReturn[returned]; next && next.returnedAt < calledAt; next = byReturn[++returned])
      before = Math.max(before, next.index);
    if (index > before || (index === before && !isWrite)) continue;
    throw new Violation("R9 linearizable", `${name} of index ${index} began after an answer of index ${before}`);
  }
}
