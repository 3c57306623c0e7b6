import type { LoggedChange, SeenEvent } from "../linearizability/nine-guarantees.js";
import {
  type CollectionCall,
  contentText,
  dataText,
  type DeleteCall,
  type ObjectCall,
  type Version,
  type WriteCall,
  written,
} from "./object-calls.js";
import { ObjectReads } from "./object-reads.js";
import type { ObjectWatcher } from "./object-watches.js";
import { Deviation } from "./recorded.js";
import { Timelines } from "./timelines.js";
import { type Placed, Windows } from "./windows.js";

export interface ObjectReplay {
  readonly changes: readonly LoggedChange[];
  readonly timelines: Timelines;
  readonly compared: number;
}

/**
 * Goes through all changes in the order of their revisions: each has to be what one write makes of what was there, and each acknowledged write has
 * to have made one. Then every answer is compared with the state of its revision. @throws Deviation at the first that differs
 */
export function checkObjects(
  calls: readonly ObjectCall[],
  witnesses: readonly ObjectWatcher[],
  start: number,
): ObjectReplay {
  return new Replay(calls, witnesses, start).run();
}

class Replay {
  readonly #calls: readonly ObjectCall[];
  readonly #events: readonly SeenEvent[];
  readonly #timelines: Timelines;
  /** Writes that were answered with a revision of their own. */
  readonly #byRevision = new Map<number, WriteCall>();
  readonly #used = new Set<ObjectCall>();
  readonly #deletedAt = new Map<string, number>();
  #compared = 0;

  constructor(calls: readonly ObjectCall[], witnesses: readonly ObjectWatcher[], start: number) {
    this.#calls = calls;
    this.#timelines = new Timelines(start);
    this.#events = witnessOf(witnesses);
    for (const call of calls) {
      if (call.f !== "write" || call.dryRun || call.outcome !== "ok" || !call.answer!.changed) continue;
      const other = this.#byRevision.get(call.answer!.revision);
      if (other) throw new Deviation(call, "a revision of its own", `that of ${JSON.stringify(other)}`);
      this.#byRevision.set(call.answer!.revision, call);
    }
  }

  run(): ObjectReplay {
    const changes = this.#events.map((event) => this.#change(event));
    for (const call of this.#byRevision.values())
      if (!this.#used.has(call))
        throw new Deviation(call, `a change of revision ${call.answer!.revision} in one watch at least`, "none");
    const last = this.#events.at(-1)?.revision ?? 0;
    const windows = new Windows(this.#placed(), last);
    const reads = new ObjectReads(this.#timelines, this.#calls, windows, this.#deletedAt);
    for (const call of this.#calls) if (reads.check(call)) this.#compared += 1;
    return { changes, timelines: this.#timelines, compared: this.#compared };
  }

  #change(event: SeenEvent): LoggedChange {
    const { revision, key } = event;
    const before = this.#timelines.last(key);
    const previous = before && contentText(before);
    if (event.type === "delete") {
      if (!before) throw new Deviation(undefined, `${key} to be there before ${revision}`, "a deletion of it");
      this.#explainDeletion(before, key, revision);
      this.#timelines.add(key, revision, undefined);
      return { revision, key, content: undefined, previous };
    }
    this.#explainWrite(event, before);
    return { revision, key, content: event.content, previous };
  }

  #explainWrite({ revision, key, content, type }: SeenEvent, before: Version | undefined): void {
    const known = this.#byRevision.get(revision);
    const candidates = known ? [known] : this.#calls.filter((call) => this.#mayHaveMade(call, key));
    let wanted = "nothing";
    for (const call of candidates as WriteCall[]) {
      const past = call.to === undefined ? undefined : this.#timelines.at(key, call.to);
      const expected = call.name === key ? written(call, before, past) : undefined;
      wanted = expected ? `${expected.half} ${dataText(expected.data)}` : `no change of ${key}`;
      const [half = "", uid = ""] = content.split("|", 2);
      const got = { half, data: Object.fromEntries(JSON.parse(content.slice(half.length + uid.length + 2)) as []) };
      const isSame = expected && `${half} ${dataText(got.data)}` === wanted && (before ? uid === before.uid : true);
      if (isSame) {
        this.#used.add(call);
        this.#compared += 1;
        const answered = call.answer && contentText(call.answer);
        if (known && answered !== content) throw new Deviation(call, content, answered ?? "nothing");
        this.#timelines.add(key, revision, { ...got, uid, revision });
        return;
      }
    }
    const what = `${type} of ${key} at ${revision}: ${content}, over ${before ? contentText(before) : "nothing"}`;
    throw new Deviation(known, known ? wanted : "a write that explains it", what);
  }

  /** Of those without an answer each may have happened once. */
  #mayHaveMade(call: ObjectCall, key: string): boolean {
    return (
      call.f === "write" && call.outcome === "unknown" && !call.dryRun && call.name === key && !this.#used.has(call)
    );
  }

  #explainDeletion({ uid, half }: Version, key: string, revision: number): void {
    this.#deletedAt.set(uid, revision);
    const explains = (call: ObjectCall): boolean => {
      if (call.f === "delete" && !call.dryRun && call.name === key)
        return call.outcome === "unknown" || call.answer?.uid === uid;
      if (call.f !== "collection" || call.dryRun) return false;
      if (call.outcome !== "ok") return call.half === half || call.since > 0;
      return call.answer!.some((outcome) => outcome.uid === uid && outcome.state === "removed");
    };
    const all = this.#calls.filter(explains);
    if (all.length === 0)
      throw new Deviation(undefined, `a deletion that explains the end of ${key} (${uid}) at ${revision}`, "none");
    const deletes = all.filter((call): call is DeleteCall => call.f === "delete" && call.outcome === "ok");
    if (deletes.length > 1)
      throw new Deviation(deletes[1], "NotFound: it was deleted", `deleted, as by ${JSON.stringify(deletes[0])}`);
  }

  #placed(): Placed[] {
    return this.#calls.flatMap((call): Placed[] => {
      if (call.outcome !== "ok") return [];
      if (call.f === "write" && call.revision !== undefined && !call.dryRun)
        return [{ call, revision: call.revision, isMaker: true, isExact: true }];
      if (call.f === "list" && call.past === 0 && !call.local)
        return [{ call, revision: call.revision!, isMaker: false, isExact: true }];
      if (call.f === "get" && call.past === 0)
        return [{ call, revision: call.answer!.revision, isMaker: false, isExact: false }];
      const deleted = deletedBy(call).flatMap((uid) => this.#deletedAt.get(uid) ?? []);
      return deleted.map((revision) => ({ call, revision, isMaker: false, isExact: false }));
    });
  }
}

/** Of what was answered as deleted. */
function deletedBy(call: ObjectCall): string[] {
  if (call.f === "delete" && !call.dryRun && call.answer) return [call.answer.uid];
  if (call.f !== "collection" || call.dryRun) return [];
  return removedOf(call);
}

function removedOf({ answer = [] }: CollectionCall): string[] {
  return answer.filter(({ state }) => state === "removed").map(({ uid }) => uid);
}

/** What all watches of everything have told together. @throws Deviation when two of them tell a change differently */
function witnessOf(watches: readonly ObjectWatcher[]): SeenEvent[] {
  const witness = new Map<string, SeenEvent>();
  for (const watch of watches)
    for (const { seen } of watch.sessions)
      for (const message of seen) {
        if (message.type !== "events") continue;
        for (const event of message.events) {
          const place = `${event.revision} ${event.key}`;
          const known = witness.get(place);
          if (!known) witness.set(place, event);
          else if (known.content !== event.content || known.type !== event.type)
            throw new Deviation(undefined, JSON.stringify(known), `${watch.name}: ${JSON.stringify(event)}`);
        }
      }
  return [...witness.values()].sort((left, right) => left.revision - right.revision);
}
