/**
 * What clients of real servers did and saw, one event a line (NDJSON). A file of them is all that the checks need, so that an old
 * failure can be checked again with better checks. Times are those of the recorder's monotonic clock, in nanoseconds.
 */
export type RecordedLine = CallEvent | WatchedChange | FinalRecord;

/** `cas` and `delete` name the revision that they expect; `write` takes whatever is there. */
export type Call = "create" | "write" | "cas" | "delete" | "read";

export interface CallEvent {
  readonly line: "call";
  readonly t: number;
  /** Breaks ties of `t`. */
  readonly seq: number;
  /** One that does one thing at a time. A client goes on as another one when it has not learned what became of a call. */
  readonly proc: string;
  /** The server that is asked, or `any`. */
  readonly node: string;
  /** `fail`: it certainly did not happen. `info`: nobody knows. */
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly f: Call;
  readonly key: string;
  /** Written values are unique. A read without one has found nothing. */
  readonly value?: string;
  /** The revision of the version that `cas` and `delete` expect. */
  readonly from?: number;
  /** Of the version written or read. */
  readonly revision?: number;
  readonly reason?: string;
}

/** What a watch gave. A bookmark has no key. */
export interface WatchedChange {
  readonly line: "watch";
  readonly watcher: string;
  /** Only keys that end so; empty: all. */
  readonly filter: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly revision: number;
  readonly key?: string;
  readonly value?: string;
}

/** One record of one server when all was over. */
export interface FinalRecord {
  readonly line: "final";
  readonly node: string;
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** One call from its beginning to its end. */
export interface RecordedCall {
  readonly proc: string;
  readonly node: string;
  readonly f: Call;
  readonly key: string;
  readonly calledAt: number;
  /** Infinity when nobody knows what became of it. */
  readonly returnedAt: number;
  readonly outcome: "ok" | "fail" | "info";
  /** Written, or read; undefined for a read that found nothing. */
  readonly value: string | undefined;
  readonly from: number | undefined;
  readonly revision: number | undefined;
}

export interface RecordedHistory {
  readonly calls: readonly RecordedCall[];
  readonly watched: readonly WatchedChange[];
  readonly final: readonly FinalRecord[];
}

/** @throws Error when the file is no history: two calls of one process at once, a value written twice, an end without a beginning */
export function readHistory(lines: Iterable<string>): RecordedHistory {
  const calls: RecordedCall[] = [];
  const watched: WatchedChange[] = [];
  const final: FinalRecord[] = [];
  const open = new Map<string, CallEvent>();
  const ended = new Set<string>();
  const values = new Set<string>();
  for (const text of lines) {
    if (text === "") continue;
    const line = JSON.parse(text) as RecordedLine;
    if (line.line === "watch") watched.push(line);
    else if (line.line === "final") final.push(line);
    else if (line.type === "invoke") {
      if (open.has(line.proc) || ended.has(line.proc)) throw new Error(`${line.proc} does two things at once: ${text}`);
      if (line.value !== undefined && values.has(line.value)) throw new Error(`${line.value} is written twice`);
      if (line.value !== undefined) values.add(line.value);
      open.set(line.proc, line);
    } else {
      const begun = open.get(line.proc);
      if (begun?.f !== line.f || begun.key !== line.key) throw new Error(`an end without its beginning: ${text}`);
      open.delete(line.proc);
      if (line.type === "info") ended.add(line.proc);
      calls.push(callOf(begun, line));
    }
  }
  // The recorder's end is no answer.
  for (const begun of open.values()) calls.push(callOf(begun, { ...begun, type: "info" }));
  return { calls, watched, final };
}

function callOf(begun: CallEvent, end: CallEvent): RecordedCall {
  const { proc, node, f, key, from } = begun;
  const outcome = end.type === "invoke" ? "info" : end.type;
  return {
    proc,
    node,
    f,
    key,
    from,
    calledAt: begun.t,
    returnedAt: outcome === "info" ? Infinity : end.t,
    outcome,
    value: f === "read" ? end.value : begun.value,
    revision: end.revision,
  };
}
