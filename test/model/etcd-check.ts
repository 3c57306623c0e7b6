import { isInRange, KeyspaceModel, latin, recordText, responseText } from "../linearizability/keyspace-model.js";
import type { LoggedChange, SeenEvent } from "../linearizability/nine-guarantees.js";
import type { KeyRecord, WatchEvent } from "../../store/store.js";
import type { CommandCall, EtcdCall, LeaseCall, RangeCall, RangeQuery } from "./etcd-calls.js";
import { contentOf, type EtcdWatcher } from "./etcd-watches.js";
import { Deviation, textOf } from "./recorded.js";
import { type Placed, Windows } from "./windows.js";

type EtcdTxn = (CommandCall["command"] & { type: "txn" })["txn"];

/** What came of the run on etcd's keyspace. */
export interface EtcdReplay {
  readonly model: KeyspaceModel;
  readonly changes: readonly LoggedChange[];
  readonly windows: Windows;
  /** Answers that were compared. */
  readonly compared: number;
}

/**
 * Replays all acknowledged commands in the order of their revisions on the model, with those of unknown outcome where the watches saw what they
 * alone explain, and compares every answer. @throws Deviation at the first that differs
 */
export function checkEtcd(calls: readonly EtcdCall[], witnesses: readonly EtcdWatcher[]): EtcdReplay {
  const replay = new Replay(calls, witnesses);
  return replay.run();
}

class Replay {
  readonly #model = new KeyspaceModel();
  readonly #calls: readonly EtcdCall[];
  readonly #witnesses: readonly EtcdWatcher[];
  readonly #witness: ReadonlyMap<number, readonly SeenEvent[]>;
  readonly #byRevision = new Map<number, CommandCall[]>();
  /** May have happened, and explain no revision yet. */
  readonly #unknown = new Set<CommandCall>();
  readonly #makers = new Map<CommandCall, number>();
  /** By value, which no two calls put: the first revision that has it, which is that of its call. */
  readonly #valueAt: ReadonlyMap<string, number>;
  #compared = 0;

  constructor(calls: readonly EtcdCall[], witnesses: readonly EtcdWatcher[]) {
    this.#calls = calls;
    this.#witnesses = witnesses;
    this.#witness = witnessOf(witnesses);
    this.#valueAt = valuesOf(this.#witness);
  }

  run(): EtcdReplay {
    for (const call of this.#calls) if (call.f === "command") this.#sort(call);
    const last = Math.max(0, ...this.#witness.keys(), ...this.#byRevision.keys());
    this.#others(0, undefined);
    for (let revision = 1; revision <= last; revision += 1) this.#others(revision, this.#make(revision));
    const windows = new Windows(this.#placed(), last);
    for (const call of this.#calls) this.#checkOrder(call, windows);
    const checks = new EtcdReads(this.#model, this.#calls, windows);
    for (const call of this.#calls) if (checks.check(call)) this.#compared += 1;
    return { model: this.#model, changes: changesOf(this.#model), windows, compared: this.#compared };
  }

  #sort(call: CommandCall): void {
    const { command, outcome, revision } = call;
    // Nobody uses an id twice: a lease is there from the first word of it on.
    if (command.type === "grant" && outcome !== "refused") this.#model.leases.set(command.lease, command.ttlSeconds);
    if (outcome === "unknown") this.#unknown.add(call);
    if (outcome !== "ok" || command.type === "grant") return;
    const same = this.#byRevision.get(revision!);
    if (same) same.push(call);
    else this.#byRevision.set(revision!, [call]);
  }

  /** Finds and does what has made this revision. */
  #make(revision: number): CommandCall | undefined {
    const model = this.#model;
    const seen = this.#witness.get(revision);
    if (!seen)
      throw new Deviation(
        this.#byRevision.get(revision)?.[0],
        `a change of revision ${revision} in one watch at least`,
        "none has told of any",
      );
    const expected = seen.map(seenText).join("; ");
    const known = this.#byRevision.get(revision) ?? [];
    let explains: CommandCall | undefined;
    for (const call of [...known, ...this.#unknown]) {
      if (call.outcome === "unknown" && !this.#mayHaveMade(call, revision)) continue;
      const attempt = model.attempt(call.command);
      if (attempt.events.length === 0 || attempt.events.map(eventText).join("; ") !== expected) continue;
      if (call.outcome === "ok" && responseText(attempt.outcome.result) !== responseText(call.result!)) {
        // Perhaps one without an answer has done the same, and this one found it done.
        explains ??= call;
        continue;
      }
      model.commit(attempt);
      this.#compared += 1;
      this.#unknown.delete(call);
      this.#makers.set(call, revision);
      return call;
    }
    if (explains) this.#compare(explains, model.attempt(explains.command).outcome.result);
    // What is left is a lease that has run out.
    const attached = model.recordsAt(model.revision).flatMap((record) => record.lease ?? []);
    for (const lease of new Set(attached)) {
      const attempt = model.attempt({ type: "revoke", lease });
      if (attempt.events.length === 0 || attempt.events.map(eventText).join("; ") !== expected) continue;
      this.#checkAge(lease, revision);
      model.commit(attempt);
      return undefined;
    }
    const [first] = known;
    const got = first && model.attempt(first.command).events.map(eventText).join("; ");
    throw new Deviation(
      first,
      first ? `revision ${revision} changes ${got || "nothing"}` : `something that has made revision ${revision}`,
      `the watches saw ${expected}`,
    );
  }

  /**
   * A transaction whose value was seen has made that revision and no other: another one may do the same by what else it would have
   * done, and must not be taken for it. Nor does anything happen before it is asked for.
   */
  #mayHaveMade(call: CommandCall, revision: number): boolean {
    if (call.calledAt > this.#seenAt(revision)) return false;
    const revisions = putValues(call.command).flatMap((value) => this.#valueAt.get(value) ?? []);
    return revisions.length === 0 || revisions.includes(revision);
  }

  /** When the first watch was told. */
  #seenAt(revision: number): number {
    return Math.min(...this.#witnesses.map((watch) => watch.seenAt.get(revision) ?? Infinity));
  }

  /** A lease lasts for its time to live at least. */
  #checkAge(lease: number, revision: number): void {
    const grant = this.#calls.find(
      (call) => call.f === "command" && call.command.type === "grant" && call.command.lease === lease,
    )!;
    const lastedMs = this.#seenAt(revision) - grant.calledAt;
    const ttlMs = this.#model.leases.get(lease)! * 1000;
    if (lastedMs < ttlMs) throw new Deviation(grant, `a lease of ${ttlMs} ms`, `it ended after ${lastedMs} ms`);
  }

  /** Those that were answered with this revision and have not made it have changed nothing. */
  #others(revision: number, maker: CommandCall | undefined): void {
    const all = this.#byRevision.get(revision) ?? [];
    // What revokes a lease without keys comes last: the others may name it.
    const rest = all.filter((call) => call !== maker);
    rest.sort((left, right) => Number(left.command.type === "revoke") - Number(right.command.type === "revoke"));
    for (const call of rest) {
      const attempt = this.#model.attempt(call.command);
      if (attempt.events.length > 0)
        throw new Deviation(call, `a revision of its own for ${attempt.events.map(eventText).join("; ")}`, "none");
      this.#compare(call, attempt.outcome.result);
      this.#model.commit(attempt);
    }
  }

  #compare(call: CommandCall, expected: NonNullable<CommandCall["result"]>): void {
    this.#compared += 1;
    const [left, right] = [responseText(expected), responseText(call.result!)];
    if (left !== right) throw new Deviation(call, left, right);
  }

  #placed(): Placed[] {
    return this.#calls.flatMap((call): Placed[] => {
      if (call.outcome !== "ok" || call.revision === undefined || isSerializable(call)) return [];
      const isMaker = call.f === "command" && this.#makers.get(call) === call.revision;
      return [{ call, revision: call.revision, isMaker, isExact: call.f !== "compact" && call.f !== "lease" }];
    });
  }

  #checkOrder(call: EtcdCall, windows: Windows): void {
    if (call.outcome !== "ok" || call.revision === undefined || isSerializable(call)) return;
    const { from } = windows.of(call);
    const isMaker = call.f === "command" && this.#makers.get(call) === call.revision;
    if (call.revision < from || (isMaker && call.revision === from))
      throw new Deviation(call, `a revision behind ${from}, which was known before it began`, `${call.revision}`);
  }
}

/** Reads and refusals: what was there is known by now. */
class EtcdReads {
  readonly #model: KeyspaceModel;
  readonly #windows: Windows;
  readonly #compactions: readonly EtcdCall[];
  /** By lease: when its grant was answered first, and when its end was first asked for. */
  readonly #granted = new Map<number, number>();
  readonly #ended = new Map<number, number>();

  constructor(model: KeyspaceModel, calls: readonly EtcdCall[], windows: Windows) {
    this.#model = model;
    this.#windows = windows;
    this.#compactions = calls.filter(({ f }) => f === "compact");
    for (const call of calls) {
      if (call.f !== "command" || call.command.type === "txn") continue;
      const { lease } = call.command;
      if (call.command.type === "revoke")
        this.#ended.set(lease, Math.min(call.calledAt, this.#ended.get(lease) ?? Infinity));
      else if (call.outcome === "ok") {
        this.#granted.set(lease, call.returnedAt);
        const mayEndAt = call.calledAt + call.command.ttlSeconds * 1000;
        this.#ended.set(lease, Math.min(mayEndAt, this.#ended.get(lease) ?? Infinity));
      }
    }
  }

  /** Whether there was something to compare. */
  check(call: EtcdCall): boolean {
    if (call.outcome === "unknown") return false;
    if (call.outcome === "refused") this.#checkRefusal(call);
    else if (call.f === "range") this.#checkRange(call);
    else if (call.f === "lease") this.#checkLease(call);
    else return false;
    return true;
  }

  #checkRange(call: RangeCall): void {
    const { query } = call;
    const at = query.revision === 0 ? call.revision! : query.revision;
    if (this.#compactedBefore(call) > at) throw new Deviation(call, "a refusal: it is compacted", "an answer");
    const expected = answerText(
      answerOf(
        query,
        this.#model.recordsAt(at, (key) => isInRange(query, key)),
      ),
    );
    const got = answerText(call.answer!);
    if (expected !== got) throw new Deviation(call, `at ${at}: ${expected}`, got);
  }

  /** Its keys are those of a state in the time of the call. */
  #checkLease(call: LeaseCall): void {
    const { lease, answer } = call;
    if (answer!.grantedTtl === 0) {
      if (this.#isThere(lease, call)) throw new Deviation(call, "the lease", "none");
      return;
    }
    const window = this.#windows.of(call);
    const got = [...answer!.keys].sort().join();
    for (let at = window.from; at <= window.to; at += 1) {
      const keys = this.#model.recordsAt(at).filter((record) => record.lease === lease);
      if (keys.map(({ key }) => key).join() === got) return;
    }
    throw new Deviation(call, `the keys of the lease at one of ${window.from} to ${window.to}`, got);
  }

  #checkRefusal(call: EtcdCall): void {
    if (call.reason === "Compacted") {
      const asked = call.f === "compact" ? call.to : call.f === "range" ? call.query.revision : 0;
      const most = this.#compactedUntil(call);
      if (call.f === "compact" ? asked > most : asked >= most)
        throw new Deviation(call, `an answer: nothing above ${most} was to be compacted`, "Compacted");
    } else if (call.reason === "LeaseNotFound") {
      const leases = call.f === "command" ? leasesOf(call) : call.f === "lease" ? [call.lease] : [];
      if (leases.every((lease) => this.#isThere(lease, call)))
        throw new Deviation(call, `the leases ${leases.join()} are there`, "LeaseNotFound");
    } else if (call.reason === "FutureRevision" && call.f === "range" && !call.query.serializable) {
      const { from } = this.#windows.of(call);
      if (call.query.revision <= from) throw new Deviation(call, `revision ${from} was known`, "FutureRevision");
    } else if (call.reason === "LeaseExists") {
      throw new Deviation(call, "a lease of its own", "LeaseExists");
    } else if (call.reason === "KeyNotFound" && call.f === "command" && call.command.type === "txn") {
      const missing = keptKeys(call.command.txn);
      const { from, to } = this.#windows.of(call);
      const wasMissing = missing.some((key) => this.#wasAbsent(key, from, to));
      if (!wasMissing) throw new Deviation(call, `${missing.join()} are there from ${from} to ${to}`, "KeyNotFound");
    }
  }

  #wasAbsent(key: string, from: number, to: number): boolean {
    if (!this.#model.recordAt(key, from)) return true;
    return this.#model.versions(key).some(({ revision, record }) => !record && revision > from && revision <= to);
  }

  /** For certain, for as long as the call lasts. */
  #isThere(lease: number, { calledAt, returnedAt }: EtcdCall): boolean {
    return (this.#granted.get(lease) ?? Infinity) < calledAt && (this.#ended.get(lease) ?? Infinity) > returnedAt;
  }

  /** History starts there at least, for one who calls then. A serializable read may not know it yet. */
  #compactedBefore(call: RangeCall): number {
    if (call.query.serializable) return 0;
    const done = this.#compactions.filter(({ outcome, returnedAt }) => outcome === "ok" && returnedAt < call.calledAt);
    return Math.max(0, ...done.map((one) => (one.f === "compact" ? one.to : 0)));
  }

  /** It starts there at most. */
  #compactedUntil({ returnedAt, id }: EtcdCall): number {
    const begun = this.#compactions.filter((one) => one.calledAt < returnedAt && one.id !== id);
    return Math.max(0, ...begun.map((one) => (one.f === "compact" ? one.to : 0)));
  }
}

/** What etcd's rules make of the records of a range. */
function answerOf(query: RangeQuery, records: readonly KeyRecord[]): NonNullable<RangeCall["answer"]> {
  const count = records.length;
  if (query.countOnly) return { records: [], more: false, count };
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = query;
  const kept = records.filter(
    ({ modRevision, createRevision }) =>
      (minModRevision === 0 || modRevision >= minModRevision) &&
      (maxModRevision === 0 || modRevision <= maxModRevision) &&
      (minCreateRevision === 0 || createRevision >= minCreateRevision) &&
      (maxCreateRevision === 0 || createRevision <= maxCreateRevision),
  );
  const by: Record<RangeQuery["by"], (record: KeyRecord) => number | string> = {
    KEY: ({ key }) => key,
    VERSION: ({ version }) => version,
    CREATE: ({ createRevision }) => createRevision,
    MOD: ({ modRevision }) => modRevision,
    VALUE: ({ value }) => latin(value),
  };
  const sign = query.order === "DESCEND" ? -1 : 1;
  const value = by[query.by];
  const order = (left: KeyRecord, right: KeyRecord): number =>
    value(left) < value(right) ? -sign : value(left) > value(right) ? sign : 0;
  const sorted = kept.toSorted(order);
  const shown = query.limit > 0 ? sorted.slice(0, query.limit) : sorted;
  return {
    records: query.keysOnly ? shown.map((record) => ({ ...record, value: new Uint8Array(0) })) : shown,
    more: shown.length < sorted.length,
    count,
  };
}

function answerText({ records, more, count }: NonNullable<RangeCall["answer"]>): string {
  return `${count}${more ? ", more" : ""}: ${records.map(recordText).join("; ")}`;
}

/** What all watches of everything have told together. @throws Deviation when two of them tell a revision differently */
function witnessOf(watches: readonly EtcdWatcher[]): Map<number, readonly SeenEvent[]> {
  const witness = new Map<number, readonly SeenEvent[]>();
  for (const watch of watches)
    for (const { seen } of watch.sessions)
      for (const message of seen) {
        if (message.type !== "events" || message.events.length === 0) continue;
        const { revision } = message.events[0]!;
        const [known, told] = [witness.get(revision), message.events].map((all) => all?.map(seenText).join("; "));
        if (known === undefined) witness.set(revision, message.events);
        else if (known !== told) throw new Deviation(undefined, `watches tell of ${known}`, `${watch.name}: ${told}`);
      }
  return witness;
}

/** The first revision of each value. */
function valuesOf(witness: ReadonlyMap<number, readonly SeenEvent[]>): Map<string, number> {
  const first = new Map<string, number>();
  for (const [revision, events] of witness)
    for (const { type, content } of events) {
      if (type === "delete") continue;
      const value = content.slice(content.indexOf(": ") + 2);
      first.set(value, Math.min(revision, first.get(value) ?? Infinity));
    }
  return first;
}

/** As in what watches tell. */
function putValues(command: CommandCall["command"]): string[] {
  if (command.type !== "txn") return [];
  const ofAll = (operations: EtcdTxn["success"]): string[] =>
    operations.flatMap((operation) => {
      if (operation.type === "txn") return ofAll([...operation.txn.success, ...operation.txn.failure]);
      return operation.type === "put" && operation.value !== undefined ? [latin(operation.value)] : [];
    });
  return ofAll([...command.txn.success, ...command.txn.failure]);
}

export function changesOf(model: KeyspaceModel): LoggedChange[] {
  return model.batches.flatMap(({ revision, events }) =>
    events.map(({ type, key, record, previous }) => ({
      revision,
      key,
      content: type === "put" ? contentOf(record) : undefined,
      previous: previous && contentOf(previous),
    })),
  );
}

function eventText({ type, key, record }: WatchEvent): string {
  return `${key}: ${type === "put" ? contentOf(record) : "deleted"}`;
}

function seenText({ type, key, content }: SeenEvent): string {
  return `${key}: ${type === "delete" ? "deleted" : content}`;
}

function isSerializable(call: EtcdCall): boolean {
  return call.f === "range" && call.query.serializable;
}

function leasesOf(call: CommandCall): number[] {
  return [...textOf(call).matchAll(/"lease":(\d+)/g)].map(([, lease]) => Number(lease)).filter((lease) => lease !== 0);
}

/** Of puts that keep a value or a lease. */
function keptKeys(txn: EtcdTxn): string[] {
  return [...txn.success, ...txn.failure].flatMap((operation) => {
    if (operation.type === "txn") return keptKeys(operation.txn);
    const keeps = operation.type === "put" && (operation.value === undefined || operation.lease === undefined);
    return keeps ? [operation.key] : [];
  });
}
