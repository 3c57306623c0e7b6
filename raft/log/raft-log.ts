import type { Done, Finished } from "../../src/base/env.js";
import { invariant } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import type { Entry, HardState, Index, NodeId } from "../core/types.js";
import type { LogRecord } from "./format.js";
import { clusterHash, recordKinds } from "./format.js";
import type { OpenedFiles } from "./open-files.js";
import { openFiles } from "./open-files.js";
import type { LogContent } from "./replay.js";
import { entryRecord, hardStateRecord } from "./replay.js";
import type { LogEnv } from "./segment-writer.js";
import { SegmentWriter } from "./segment-writer.js";

export interface RaftLogOptions {
  readonly clusterId: string;
  readonly node: NodeId;
  /** A segment that has reached this size is followed by a new one; it may exceed it by one write. @default limits.segmentBytes */
  readonly segmentBytes?: number;
  /** Segments grow by zero-filled pieces of this size, so that most syncs change no file size. @default 1 MiB */
  readonly growBytes?: number;
  /** The marker moves once in about so many written bytes. @default 1 MiB */
  readonly markerBytes?: number;
}

export interface LogWrite {
  readonly configuration?: Uint8Array | undefined;
  readonly hardState?: HardState | undefined;
  readonly entries: readonly Entry[];
  /** False when losing this write (a commit index) does no harm: it then waits for the next one that must be durable. */
  readonly mustSync: boolean;
}

interface Append {
  readonly write: LogWrite;
  readonly done: () => void;
}

const growBytesDefault = 1024 * 1024;
const markerBytesDefault = 1024 * 1024;
/** How much of what has gathered goes into one write; a single append may be larger. */
const batchBytesMax = 8 * 1024 * 1024;

/**
 * The Raft log in files: votes, terms and entries are one stream of records in append-only segments.
 *
 * Invariants:
 * 1. At most one durable write (write, then sync) is in flight; appends gather meanwhile and make up the next.
 * 2. Completions come in the order of the appends, each when its records and all before them are durable.
 * 3. Nothing that is durable is written over: a conflicting tail is replaced by later records.
 * 4. After the first failed call to the disk nothing is written or completed any more.
 *
 * What gathers is bounded by the core's limits on uncommitted and in-flight bytes. Segments are never
 * removed in this version, since there are no snapshots yet.
 */
export class RaftLog {
  readonly #env: LogEnv;
  readonly #writer: SegmentWriter;
  readonly #segmentBytes: number;
  readonly #markerBytes: number;
  readonly #onFatal: (error: Error) => void;

  #queue: Append[] = [];
  #writingSinceMs: number | undefined;
  #failed: Error | undefined;
  #closing: Finished | undefined;
  #markerBusy = false;
  #bytesSinceMarker = 0;

  #lastIndex: Index;
  /** The newest of each: repeated at the start of every segment, so that later ones can be read without earlier ones. */
  #hardState: HardState;
  #configuration: Uint8Array | undefined;
  /** Hard state that nobody waits for and the next write takes along. */
  #hardStateUnwritten = false;

  /**
   * Opens or creates the log in the folder `log` and makes all that it read durable. Fails with an
   * IkadaError when the log is damaged or not this member's. `onFatal` is called at most once, after which
   * the process has to end.
   */
  static open(
    options: RaftLogOptions,
    env: LogEnv,
    onFatal: (error: Error) => void,
    done: Done<{ readonly log: RaftLog; readonly content: LogContent }>,
  ): void {
    const identity = { keyId: 0, cluster: clusterHash(options.clusterId), node: options.node };
    const growBytes = options.growBytes ?? growBytesDefault;
    openFiles(env, identity, growBytes, (error, files) => {
      if (error) return done(error, undefined as never);
      const writer = new SegmentWriter(env, identity, growBytes, files.position, files.marker);
      return done(null, { log: new RaftLog(options, env, writer, files, onFatal), content: files.content });
    });
  }

  private constructor(
    options: RaftLogOptions,
    env: LogEnv,
    writer: SegmentWriter,
    files: OpenedFiles,
    onFatal: (error: Error) => void,
  ) {
    this.#env = env;
    this.#writer = writer;
    this.#segmentBytes = options.segmentBytes ?? limits.segmentBytes;
    this.#markerBytes = options.markerBytes ?? markerBytesDefault;
    this.#onFatal = onFatal;
    this.#lastIndex = files.content.entries.length;
    this.#hardState = files.content.hardState;
    this.#configuration = files.content.configuration;
  }

  /** Monotonic milliseconds at which the durable write in flight began; undefined when there is none. */
  get writingSinceMs(): number | undefined {
    return this.#writingSinceMs;
  }

  /** Takes a write; `done` is called once it is durable, never after a failure. Nothing happens before `flush`. */
  append(write: LogWrite, done: () => void): void {
    if (this.#failed || this.#closing) return;
    invariant(write.mustSync || (write.entries.length === 0 && !write.configuration), "entries must be durable");
    this.#queue.push({ write, done });
  }

  /** Starts writing what has gathered, unless a write is in flight: it then follows by itself. Calls completions that need no disk. */
  flush(): void {
    if (this.#failed || this.#writingSinceMs !== undefined) return;
    this.#completeLazy();
    if (this.#queue.length > 0 || (this.#closing && this.#hardStateUnwritten)) this.#startWrite();
    else if (this.#closing) this.#finishClose();
  }

  /** Writes what has gathered and moves the marker to the end. Later appends are dropped. */
  close(done: Finished): void {
    if (this.#failed) return done(this.#failed);
    invariant(!this.#closing, "a log is closed once");
    this.#closing = done;
    return this.flush();
  }

  #completeLazy(): void {
    if (this.#queue.some(({ write }) => write.mustSync)) return;
    const lazy = this.#queue;
    this.#queue = [];
    for (const { write } of lazy) {
      if (!write.hardState) continue;
      this.#hardState = write.hardState;
      this.#hardStateUnwritten = true;
    }
    for (const { done } of lazy) done();
  }

  #startWrite(): void {
    this.#writingSinceMs = this.#env.clock.monotonic();
    if (this.#writer.position.end < this.#segmentBytes) return this.#writeBatch([]);
    return this.#writer.roll(this.#lastIndex + 1, (error) => {
      if (error) return this.#fail(error);
      const repeated = this.#configuration ? [configurationRecord(this.#configuration)] : [];
      this.#hardStateUnwritten = true;
      return this.#writeBatch(repeated);
    });
  }

  #writeBatch(records: LogRecord[]): void {
    const batch = this.#takeBatch();
    if (this.#hardStateUnwritten) records.push(hardStateRecord(this.#hardState));
    this.#hardStateUnwritten = false;
    for (const { write } of batch) this.#addRecords(write, records);
    const before = this.#writer.position.end;
    this.#writer.write(records, (error) => {
      if (error) return this.#fail(error);
      this.#bytesSinceMarker += this.#writer.position.end - before;
      return this.#completeBatch(batch);
    });
  }

  /**
   * A torn write may leave any first part of these. So a term comes before the entries of that term, and a
   * commit index behind the entries it covers: in front of them it would commit the ones that they replace.
   */
  #addRecords(write: LogWrite, records: LogRecord[]): void {
    const { configuration, hardState, entries } = write;
    const before = this.#hardState;
    if (configuration) records.push(configurationRecord(configuration));
    if (hardState && entries.length > 0 && (hardState.term !== before.term || hardState.vote !== before.vote))
      records.push(hardStateRecord({ ...hardState, commit: before.commit }));
    for (const entry of entries) records.push(entryRecord(entry));
    if (hardState) records.push(hardStateRecord(hardState));
    this.#configuration = configuration ?? this.#configuration;
    this.#hardState = hardState ?? before;
    this.#lastIndex = entries.at(-1)?.index ?? this.#lastIndex;
  }

  #takeBatch(): Append[] {
    let bytes = 0;
    let count = 0;
    for (const { write } of this.#queue) {
      if (bytes >= batchBytesMax) break;
      bytes += write.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      count++;
    }
    return this.#queue.splice(0, count);
  }

  #completeBatch(batch: readonly Append[]): void {
    this.#writingSinceMs = undefined;
    for (const { done } of batch) done();
    if (this.#bytesSinceMarker >= this.#markerBytes && !this.#closing) this.#moveMarker();
    this.flush();
  }

  /** Beside the writes: it only ever names what is durable already. */
  #moveMarker(): void {
    if (this.#markerBusy) return;
    this.#markerBusy = true;
    this.#bytesSinceMarker = 0;
    this.#writer.saveMarker((error) => {
      this.#markerBusy = false;
      if (error) return this.#fail(error);
      if (this.#closing) this.flush();
      return undefined;
    });
  }

  #finishClose(): void {
    if (this.#markerBusy) return;
    this.#markerBusy = true;
    this.#writer.saveMarker((error) => {
      if (error) return this.#fail(error);
      return this.#closing?.(null);
    });
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = error;
    this.#queue = [];
    this.#env.log.error("the Raft log can't be written", { error: error.message });
    this.#onFatal(error);
    this.#closing?.(error);
  }
}

function configurationRecord(payload: Uint8Array): LogRecord {
  return { kind: recordKinds.configuration, index: 0, term: 0, payload };
}
