import {
  type CollectionCall,
  contentText,
  dataText,
  type DeleteCall,
  type GetCall,
  type HistoryCall,
  type ListCall,
  type ObjectCall,
  type Version,
  type WriteCall,
  written,
} from "./object-calls.js";
import { Deviation } from "./recorded.js";
import type { Timelines } from "./timelines.js";
import type { Window, Windows } from "./windows.js";

/** Compares answers and refusals with the states that they may be of. */
export class ObjectReads {
  readonly #timelines: Timelines;
  readonly #windows: Windows;
  readonly #deletedAt: ReadonlyMap<string, number>;
  /** Refusals of what is compacted, with where history starts. */
  readonly #starts: readonly { readonly returnedAt: number; readonly start: number }[];

  constructor(
    timelines: Timelines,
    calls: readonly ObjectCall[],
    windows: Windows,
    deletedAt: ReadonlyMap<string, number>,
  ) {
    this.#timelines = timelines;
    this.#windows = windows;
    this.#deletedAt = deletedAt;
    this.#starts = calls.flatMap(({ reason, revision = 0, returnedAt }) =>
      reason === "Compacted" ? [{ returnedAt, start: revision }] : [],
    );
  }

  /** Whether there was something to compare. @throws Deviation */
  check(call: ObjectCall): boolean {
    if (call.outcome === "unknown") return false;
    if (call.reason === "Compacted") this.#checkCompacted(call);
    else if (call.f === "get") this.#checkGet(call);
    else if (call.f === "write") this.#checkWrite(call);
    else if (call.f === "delete") this.#checkDelete(call);
    else if (call.outcome === "refused") throw new Deviation(call, "an answer", call.reason ?? "");
    else if (call.f === "list") this.#checkList(call);
    else if (call.f === "history") this.#checkHistory(call);
    else this.#checkCollection(call);
    return true;
  }

  /** A stale read is allowed where it was asked for. */
  #windowOf(call: ObjectCall): Window {
    const window = this.#windows.of(call);
    const isLocal = (call.f === "get" || call.f === "list") && call.local;
    return isLocal ? { from: this.#timelines.start, to: window.to } : window;
  }

  #states(call: ObjectCall, name: string): (Version | undefined)[] {
    const { from, to } = this.#windowOf(call);
    return this.#timelines.between(name, from, to);
  }

  #checkCompacted(call: ObjectCall): void {
    const start = call.revision ?? 0;
    const asked =
      call.f === "get" || call.f === "list"
        ? call.past
        : call.f === "write"
          ? (call.to ?? 0)
          : this.#windows.of(call).from;
    if (asked >= start) throw new Deviation(call, "an answer", `Compacted, and history starts at ${start}`);
  }

  #checkKept(call: ObjectCall, revision: number): void {
    const start = Math.max(0, ...this.#starts.filter((one) => one.returnedAt < call.calledAt).map((one) => one.start));
    if (revision < start) throw new Deviation(call, `a refusal: history starts at ${start}`, "an answer");
  }

  #checkGet(call: GetCall): void {
    const { name, past, answer } = call;
    if (past > 0) this.#checkKept(call, past);
    const states = past > 0 ? [this.#timelines.at(name, past)] : this.#states(call, name);
    const got = textOf(answer);
    if (states.some((state) => textOf(state) === got)) return;
    throw new Deviation(call, `one of ${states.map(textOf).join("; ")}`, got);
  }

  #checkList(call: ListCall): void {
    const at = call.past > 0 ? call.past : call.revision!;
    if (call.past > 0) this.#checkKept(call, at);
    const { from } = this.#windowOf(call);
    if (call.revision! < (call.past > 0 ? at : from) || (call.past > 0 && call.revision !== at))
      throw new Deviation(call, `a list of ${call.past > 0 ? at : `at least ${from}`}`, `one of ${call.revision}`);
    const expected = this.#timelines.names().flatMap((name) => {
      const version = this.#timelines.at(name, at);
      return version && (call.half === "" || version.half === call.half) ? [`${name} ${textOf(version)}`] : [];
    });
    const got = call.answer!.map((version) => `${version.name} ${textOf(version)}`);
    if (got.join("; ") !== expected.join("; ")) throw new Deviation(call, expected.join("; "), got.join("; "));
  }

  /** The newest first, without a gap, to the beginning or to where history starts. */
  #checkHistory(call: HistoryCall): void {
    const changes = this.#timelines.changes(call.name);
    const answer = call.answer!;
    const { from, to } = this.#windows.of(call);
    const newest = answer[0]?.revision ?? 0;
    const last = changes.findLast(({ revision }) => revision <= from);
    const known = last?.revision ?? 0;
    // A deletion in front of where history starts leaves nothing to tell.
    if (answer.length === 0 && !last?.version) return;
    if (newest < known || newest > to)
      throw new Deviation(call, `a newest change from ${known} to ${to}`, `one of ${newest}`);
    let at = changes.findIndex(({ revision }) => revision === newest);
    for (const { type, revision, uid } of answer) {
      const change = changes[at];
      const before = changes[at - 1]?.version;
      const expected = change && {
        type: change.version ? (before ? "changed" : "created") : "deleted",
        revision: change.revision,
        uid: (change.version ?? before)?.uid ?? "",
      };
      const got = JSON.stringify({ type, revision, uid });
      if (JSON.stringify(expected) !== got) throw new Deviation(call, JSON.stringify(expected), got);
      at -= 1;
    }
  }

  #checkWrite(call: WriteCall): void {
    const states = this.#states(call, call.name);
    const past = call.to === undefined ? undefined : this.#timelines.at(call.name, call.to);
    if (call.outcome === "refused") {
      const mayRefuse = states.some((state) => written(call, state, past) === undefined);
      // An object that came anew, or that was written in between, is another one.
      const isMoved = call.reason === "Conflict" && states.length > 1;
      if (!mayRefuse && !isMoved)
        throw new Deviation(call, `it fits ${states.map(textOf).join("; ")}`, call.reason ?? "");
      return;
    }
    if (call.to !== undefined) this.#checkKept(call, call.to);
    if (!call.dryRun && call.answer!.changed) return;
    const got = `${call.answer!.half} ${dataText(call.answer!.data)}`;
    const wanted = states.map((state) => {
      const content = written(call, state, past);
      return content ? `${content.half} ${dataText(content.data)}` : "a refusal";
    });
    if (!wanted.includes(got)) throw new Deviation(call, `one of ${wanted.join("; ")}`, got);
    // What changes nothing leaves the object as it is.
    if (!call.dryRun && !states.some((state) => textOf(state) === textOf(call.answer)))
      throw new Deviation(call, `one of ${states.map(textOf).join("; ")}`, textOf(call.answer));
  }

  #checkDelete(call: DeleteCall): void {
    const { name, over, answer, dryRun } = call;
    const states = this.#states(call, name);
    if (call.outcome === "refused") {
      const mayRefuse = states.some((state) => !state || (over !== undefined && state.revision !== over));
      const isMoved = call.reason === "Conflict" && states.length > 1;
      if (!mayRefuse && !isMoved)
        throw new Deviation(call, `it fits ${states.map(textOf).join("; ")}`, call.reason ?? "");
      return;
    }
    if (!answer) return;
    const at = this.#deletedAt.get(answer.uid);
    const { from, to } = this.#windows.of(call);
    if (!dryRun && (at === undefined || at <= from || at > to))
      throw new Deviation(call, `a deletion between ${from} and ${to}`, at === undefined ? "none" : `one of ${at}`);
    const last = at === undefined ? undefined : this.#timelines.at(name, at - 1);
    if (over !== undefined && !dryRun && last?.revision !== over)
      throw new Deviation(call, `a refusal: it was at ${last?.revision}`, "a deletion");
  }

  #checkCollection(call: CollectionCall): void {
    if (call.dryRun) return;
    const { from, to } = this.#windows.of(call);
    for (const { name, uid, state } of call.answer!) {
      if (state !== "removed") continue;
      const at = this.#deletedAt.get(uid);
      if (at === undefined || at > to) throw new Deviation(call, `${name} (${uid}) deleted up to ${to}`, `${at}`);
    }
    // Whoever matched all the time is gone, or told of.
    for (const name of this.#timelines.names()) {
      const states = this.#timelines.between(name, call.since > 0 ? Math.min(call.since, from) : from, to);
      const [first] = states;
      const stayed = states.length === 1 && first?.half === call.half;
      if (stayed && !call.answer!.some(({ uid }) => uid === first.uid))
        throw new Deviation(call, `${name} (${contentText(first)}) among those it tells of`, "not");
    }
  }
}

function textOf(version: Version | undefined): string {
  return version ? `${version.revision} ${contentText(version)}` : "nothing";
}
