import type { Revision } from "../../store/store.js";

/** One change as a watch tells it, or as it has to. Contents are lines of text: equal ones are equal. */
export interface SeenEvent {
  readonly revision: Revision;
  readonly key: string;
  readonly type: "create" | "change" | "delete";
  readonly content: string;
  /** What was there before; absent when the watch was not to tell. */
  readonly previous?: string;
}

/** One answer on a watch's stream. */
export type Seen =
  /** All up to this revision was given. */
  | { readonly type: "progress"; readonly revision: Revision }
  | { readonly type: "events"; readonly events: readonly SeenEvent[] };

/** From its beginning, or from where it was broken off, until it broke off or was given up. */
export interface WatchSession {
  /** The server that was asked. */
  readonly at: string;
  /** All after this revision is wanted. */
  readonly from: Revision;
  readonly seen: Seen[];
}

/** A watch over all of its sessions. */
export interface FollowedWatch {
  readonly name: string;
  readonly sessions: WatchSession[];
  /** What it must tell of one change; undefined: nothing, it is not asked for. */
  expects(change: LoggedChange): SeenEvent | undefined;
  /** It was to see all up to here. */
  until?: Revision;
}

/** One change as it happened. */
export interface LoggedChange {
  readonly revision: Revision;
  readonly key: string;
  /** Undefined: it was deleted. */
  readonly content: string | undefined;
  /** Undefined: it was not there. */
  readonly previous: string | undefined;
}

/** etcd's guarantees of a watch (tests/robustness/validate/watch.go). */
export const guarantees = {
  Filter: "only what was asked for is told",
  Ordered: "revisions never go back",
  Unique: "no change is told twice",
  Atomic: "the changes of one revision come in one answer",
  Bookmarkable: "nothing comes that a progress covered",
  Resumable: "a watch that goes on begins with the first change behind",
  Reliable: "no change is left out",
  PrevValue: "what was there before is told rightly",
  IsCreate: "what is told as new was not there",
} as const;

export type Guarantee = keyof typeof guarantees;

/** What was checked, and the first thing that was wrong with each watch. */
export class GuaranteeCheck {
  /** How often each was put to the test. */
  readonly checked = new Map<Guarantee, number>();
  events = 0;
  readonly problems: string[] = [];
  readonly #changes: readonly LoggedChange[];

  /** @param changes all that happened, by revision, those of one revision in their order */
  constructor(changes: readonly LoggedChange[]) {
    this.#changes = changes;
  }

  check(watch: FollowedWatch): void {
    const found = this.#check(watch);
    if (found) this.problems.push(`watch ${watch.name}: ${found.rule} (${guarantees[found.rule]}): ${found.what}`);
  }

  #check(watch: FollowedWatch): { readonly rule: Guarantee; readonly what: string } | undefined {
    const { sessions, until } = watch;
    const [first] = sessions;
    if (!first) return undefined;
    /** Where the next change that must come is looked for. */
    let next = this.#firstAfter(first.from);
    const told = new Set<string>();
    let [last, covered] = [first.from, 0];
    const skip = (): SeenEvent | undefined => {
      for (; next < this.#changes.length; next += 1) {
        const expected = watch.expects(this.#changes[next]!);
        if (expected) return expected;
      }
      return undefined;
    };
    for (const { seen, at, from } of sessions) {
      let isFirst = true;
      let revision = 0;
      for (const message of seen) {
        if (message.type === "progress") {
          this.#count("Bookmarkable");
          const missed = skip();
          if (missed && missed.revision <= message.revision)
            return { rule: "Reliable", what: `${at}: ${text(missed)} is missing before progress ${message.revision}` };
          if (message.revision < last)
            return { rule: "Ordered", what: `${at}: progress ${message.revision} after ${last}` };
          covered = Math.max(covered, message.revision);
          last = Math.max(last, message.revision);
          continue;
        }
        for (const [place, event] of message.events.entries()) {
          this.events += 1;
          const where = `${at}, from ${from}: ${text(event)}`;
          const wrong = (rule: Guarantee, what = ""): { rule: Guarantee; what: string } => ({
            rule,
            what: `${where}${what}`,
          });
          for (const rule of ["Filter", "Ordered", "Unique", "Atomic", "Reliable"] as const) this.#count(rule);
          if (told.has(`${event.revision} ${event.key}`)) return wrong("Unique");
          told.add(`${event.revision} ${event.key}`);
          if (event.revision < last) return wrong("Ordered", ` after ${last}`);
          if (event.revision <= covered) return wrong("Bookmarkable", ` after progress ${covered}`);
          if (place === 0 && event.revision === revision) return wrong("Atomic", " in a second answer");
          [revision, last] = [event.revision, Math.max(last, event.revision)];
          const expected = skip();
          if (isFirst && sessions.length > 1) this.#count("Resumable");
          if (expected?.revision !== event.revision || expected.key !== event.key) {
            if (!this.#isAsked(event, watch)) return wrong("Filter", " was not asked for, or did not happen");
            return wrong(isFirst ? "Resumable" : "Reliable", `, expected ${expected ? text(expected) : "nothing"}`);
          }
          next += 1;
          isFirst = false;
          this.#count("IsCreate");
          if (event.type !== expected.type) return wrong("IsCreate", `, expected ${expected.type}`);
          if (expected.previous !== undefined) this.#count("PrevValue");
          if (event.previous !== expected.previous)
            return wrong("PrevValue", ` over [${event.previous}], expected [${expected.previous}]`);
          if (event.content !== expected.content) return wrong("Reliable", `, expected [${expected.content}]`);
        }
      }
    }
    const missed = skip();
    if (missed && until !== undefined && missed.revision <= until)
      return { rule: "Reliable", what: `${text(missed)} never came, it was watched to ${until}` };
    return undefined;
  }

  #isAsked({ revision, key }: SeenEvent, watch: FollowedWatch): boolean {
    for (let at = this.#firstAfter(revision - 1); this.#changes[at]?.revision === revision; at += 1)
      if (this.#changes[at]!.key === key && watch.expects(this.#changes[at]!)) return true;
    return false;
  }

  /** The place of the first change behind a revision. */
  #firstAfter(revision: Revision): number {
    let [low, high] = [0, this.#changes.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#changes[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #count(rule: Guarantee): void {
    this.checked.set(rule, (this.checked.get(rule) ?? 0) + 1);
  }
}

function text({ type, key, revision, content }: SeenEvent): string {
  return `${type} of ${JSON.stringify(key)} at ${revision} [${content}]`;
}
