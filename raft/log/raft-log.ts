import type { Done, Finished, Timer } from "../../src/base/env.js";
import { invariant } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import type { HardState, Index, NodeId } from "../core/types.js";
import type { LogRecord } from "./format.js";
import { clusterHash } from "./format.js";
import { entriesBeyondMarkerMax } from "./damage.js";
import { isSameVote, LogHead, type LogWrite } from "./log-head.js";
import type { SnapshotPoint } from "./log-point.js";
import { LogSpace } from "./log-space.js";
import { OldSegments } from "./old-segments.js";
import type { OpenedFiles, OpeningOptions } from "./open-files.js";
import { openFiles } from "./open-files.js";
import type { LogContent } from "./replay.js";
import type { LogEnv } from "./segment-writer.js";
import { SegmentWriter } from "./segment-writer.js";
import type { VoteFile } from "./vote-file.js";

export interface RaftLogOptions {
  readonly clusterId: string;
  readonly node: NodeId;
  /** A segment that has reached this size is followed by a new one; it may exceed it by one write. @default limits.segmentBytes */
  readonly segmentBytes?: number;
  /** Segments grow by zero-filled pieces of this size, so that most syncs change no file size. @default 1 MiB */
  readonly growBytes?: number;
  /** The marker moves once in about so many written bytes. @default 1 MiB */
  readonly markerBytes?: number;
  /** Kept for the time when the disk is full; 0: nothing. @default 4 MiB */
  readonly reserveBytes?: number;
  /** See `OpeningOptions`. A log that is alone has nobody to be repaired by. */
  readonly isRepairable?: OpeningOptions["isRepairable"];
}

export interface OpenedLog {
  readonly log: RaftLog;
  readonly content: LogContent;
  /** Above 0: entries up to there may have been acknowledged and are lost, see `InitialState.recoverTo`. */
  readonly recoverTo: Index;
}

interface Append {
  readonly write: LogWrite;
  readonly done: () => void;
}

const growBytesDefault = 1024 * 1024;
const markerBytesDefault = 1024 * 1024;
const reserveBytesDefault = 4 * 1024 * 1024;
/** The marker moves when nothing was written for so long. */
const markerIdleMs = 30;
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
 * 5. A segment is removed when all that later ones need of it is durable in them, and the marker is behind it.
 *
 * What gathers is bounded by the core's limits on uncommitted and in-flight bytes.
 */
export class RaftLog {
  readonly #env: LogEnv;
  readonly #space: LogSpace;
  readonly #writer: SegmentWriter;
  readonly #segmentBytes: number;
  readonly #markerBytes: number;
  readonly #onFatal: (error: Error) => void;
  readonly #head: LogHead;
  readonly #old: OldSegments;
  readonly #voteFile: VoteFile;

  #queue: Append[] = [];
  #writingSinceMs: number | undefined;
  #failed: Error | undefined;
  #closing: Finished | undefined;
  #bytesSinceMarker = 0;
  #markerBusy = false;
  #afterMarker: (() => void)[] = [];
  #removing = false;
  /** The last index of what is durable, and of what the marker knows to be. */
  #durableIndex: Index;
  #markerIndex: Index;
  #markerTimer: Timer | undefined;
  #completedAtMs = 0;

  /**
   * Opens or creates the log in the folder `log` and makes all that it read durable. Fails with an
   * IkadaError when the log is damaged or not this member's. `onFatal` is called at most once, after which
   * the process has to end.
   */
  static open(options: RaftLogOptions, machine: LogEnv, onFatal: (error: Error) => void, done: Done<OpenedLog>): void {
    const space = new LogSpace(machine, options.reserveBytes ?? reserveBytesDefault);
    const env = { ...machine, disk: space.disk };
    const identity = { keyId: 0, cluster: clusterHash(options.clusterId), node: options.node };
    const growBytes = options.growBytes ?? growBytesDefault;
    openFiles(env, { identity, isRepairable: options.isRepairable }, (error, files) => {
      if (error) return done(error, undefined as never);
      const writer = new SegmentWriter(env, identity, growBytes, files.position, files.marker);
      const log = new RaftLog(options, env, space, writer, files, onFatal);
      space.open();
      const content = { ...files.content, hardState: files.hardState };
      return done(null, { log, content, recoverTo: files.voteFile.recoverTo });
    });
  }

  private constructor(
    options: RaftLogOptions,
    env: LogEnv,
    space: LogSpace,
    writer: SegmentWriter,
    files: OpenedFiles,
    onFatal: (error: Error) => void,
  ) {
    this.#env = env;
    this.#space = space;
    this.#writer = writer;
    this.#segmentBytes = options.segmentBytes ?? limits.segmentBytes;
    this.#markerBytes = options.markerBytes ?? markerBytesDefault;
    this.#onFatal = onFatal;
    this.#head = new LogHead(files.content, files.hardState, files.highestIndex);
    this.#old = new OldSegments(env, files.closed);
    this.#voteFile = files.voteFile;
    this.#durableIndex = this.#head.lastIndex;
    this.#markerIndex = this.#durableIndex;
  }

  /** Monotonic milliseconds at which the durable write in flight began; undefined when there is none. */
  get writingSinceMs(): number | undefined {
    return this.#writingSinceMs;
  }

  /** No new entries should be taken: what is written waits for space. */
  get isDiskFull(): boolean {
    return this.#space.isFull;
  }

  /** Takes a write; `done` is called once it is durable, never after a failure. Nothing happens before `flush`. */
  append(write: LogWrite, done: () => void): void {
    if (this.#failed || this.#closing) return;
    const isLazy = write.entries.length === 0 && !write.configuration && !write.snapshot;
    invariant(write.mustSync || isLazy, "entries must be durable");
    this.#queue.push({ write, done });
  }

  /** Starts writing what has gathered, unless a write is in flight: it then follows by itself. Calls completions that need no disk. */
  flush(): void {
    if (this.#failed || this.#writingSinceMs !== undefined) return;
    this.#completeLazy();
    if (this.#queue.length > 0 || (this.#closing && this.#head.hasUnwritten)) this.#startWrite();
    else if (this.#closing) this.#finishClose();
  }

  /**
   * Removes the segments that hold nothing above this point, which the state machine has durably applied. Entries that
   * share a segment with later ones stay until a later call; so does everything while a removal is going on.
   */
  compact(upTo: SnapshotPoint): void {
    if (this.#failed || this.#closing || this.#removing || !this.#old.hasRemovable(upTo.index)) return;
    this.#removing = true;
    // What the removed ones said of the configuration is durable in a later place before they go.
    this.append({ configuration: upTo, entries: [], mustSync: true }, () => this.#removeOld(upTo.index));
    this.flush();
  }

  /**
   * Replaces the whole log by the point of a snapshot, behind which it goes on. `done` is called when that is durable; the
   * old segments go afterwards. The same as an append with `snapshot`, which may have entries too.
   */
  reset(snapshot: SnapshotPoint, done: () => void, hardState?: HardState): void {
    this.append({ snapshot, hardState, entries: [], mustSync: true }, done);
    this.flush();
  }

  /** What was lost is back: from now on a start does not wait for it. */
  recovered(): void {
    if (this.#failed || this.#closing || this.#voteFile.recoverTo === 0) return;
    this.#env.log.info("the Raft log is repaired: this member votes again");
    this.#voteFile.recovered(this.#head.hardState, (error) => error && this.#fail(error));
  }

  /** Writes what has gathered and moves the marker to the end. Later appends are dropped. */
  close(done: Finished): void {
    if (this.#failed) return done(this.#failed);
    invariant(!this.#closing, "a log is closed once");
    this.#closing = done;
    this.#space.close();
    this.#markerTimer?.cancel();
    return this.flush();
  }

  #completeLazy(): void {
    if (this.#queue.some(({ write }) => write.mustSync)) return;
    const lazy = this.#queue;
    this.#queue = [];
    for (const { write } of lazy) if (write.hardState) this.#head.keepForLater(write.hardState);
    for (const { done } of lazy) done();
  }

  #startWrite(): void {
    this.#writingSinceMs = this.#env.clock.monotonic();
    const batch = this.#takeBatch();
    const { sequence, end, isAppendable } = this.#writer.position;
    const isReset = batch[0]?.write.snapshot !== undefined;
    const isRoll = isReset || !isAppendable || end >= this.#segmentBytes;
    const closed = { sequence, highestIndex: this.#head.highestIndex };
    const firstIndex = this.#head.lastIndex + 1;
    const records: LogRecord[] = isRoll ? [this.#head.start()] : [];
    const before = this.#head.hardState;
    this.#head.add(
      batch.map(({ write }) => write),
      records,
    );
    // The second copy of a vote is written beside the first; neither is answered before both are durable.
    let copies = 1;
    const copied: Finished = (error) => {
      if (error) return this.#fail(error);
      return --copies === 0 ? this.#complete(batch, isReset) : undefined;
    };
    const written: Finished = (error) => {
      if (error) return this.#fail(error);
      if (isRoll && sequence > 0) this.#old.add(closed);
      this.#bytesSinceMarker += this.#writer.position.end - (isRoll ? 0 : end);
      return copied(null);
    };
    if (!isSameVote(before, this.#head.hardState)) {
      copies++;
      this.#voteFile.save(this.#head.hardState, copied);
    }
    if (isRoll) this.#writer.roll(firstIndex, records, written);
    else this.#writer.write(records, written);
  }

  /** A snapshot begins a write, and with it a segment. */
  #takeBatch(): Append[] {
    let bytes = 0;
    let count = 0;
    for (const { write } of this.#queue) {
      if (bytes >= batchBytesMax || (count > 0 && write.snapshot)) break;
      bytes += write.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      count++;
    }
    return this.#queue.splice(0, count);
  }

  /** How far one may have acknowledged is always within a bound behind the marker: the end of a log can be lost. */
  #complete(batch: readonly Append[], isReset: boolean): void {
    this.#durableIndex = this.#head.lastIndex;
    if (this.#durableIndex - this.#markerIndex <= entriesBeyondMarkerMax) return this.#completeBatch(batch, isReset);
    return this.#saveMarker(() => this.#completeBatch(batch, isReset));
  }

  #completeBatch(batch: readonly Append[], isReset: boolean): void {
    if (this.#failed) return;
    this.#writingSinceMs = undefined;
    this.#completedAtMs = this.#env.clock.monotonic();
    for (const { done } of batch) done();
    if (isReset) {
      this.#old.void();
      this.#removeAll(0);
    }
    const isFar = this.#durableIndex - this.#markerIndex > entriesBeyondMarkerMax / 4;
    if ((isFar || this.#bytesSinceMarker >= this.#markerBytes) && !this.#closing) this.#moveMarker();
    this.#moveMarkerWhenIdle(markerIdleMs);
    this.flush();
  }

  /** The write after the last one proves that it was durable. When none comes the marker does. */
  #moveMarkerWhenIdle(delayMs: number): void {
    if (this.#markerTimer || this.#closing) return;
    this.#markerTimer = this.#env.timers.after(delayMs, () => {
      this.#markerTimer = undefined;
      if (this.#failed || this.#closing || this.#bytesSinceMarker === 0) return;
      const idleMs = this.#env.clock.monotonic() - this.#completedAtMs;
      if (this.#writingSinceMs !== undefined) return;
      if (idleMs < markerIdleMs) this.#moveMarkerWhenIdle(markerIdleMs - idleMs);
      else this.#moveMarker();
    });
  }

  /** While another removal is going on it waits for that: the marker may be in one of these. */
  #removeAll(upTo: Index): void {
    if (this.#removing) return;
    this.#removing = true;
    this.#removeOld(upTo);
  }

  /** The marker must not name a segment that is gone. */
  #removeOld(upTo: Index): void {
    this.#saveMarker(() =>
      this.#old.remove(upTo, (error) => {
        this.#removing = false;
        if (error) this.#fail(error);
        else if (this.#old.hasRemovable(0)) this.#removeAll(0);
        else if (this.#closing) this.flush();
      }),
    );
  }

  #moveMarker(): void {
    if (!this.#markerBusy) this.#saveMarker(() => this.#closing && this.flush());
  }

  #finishClose(): void {
    if (!this.#markerBusy && !this.#removing) this.#saveMarker(() => this.#closing?.(null));
  }

  /** Beside the writes: it only ever names what is durable already. */
  #saveMarker(then: () => void): void {
    if (this.#markerBusy) {
      this.#afterMarker.push(() => this.#saveMarker(then));
      return;
    }
    this.#markerBusy = true;
    this.#bytesSinceMarker = 0;
    const index = this.#durableIndex;
    this.#writer.saveMarker(index, (error) => {
      this.#markerBusy = false;
      if (error) return this.#fail(error);
      this.#markerIndex = index;
      then();
      return this.#afterMarker.shift()?.();
    });
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = error;
    this.#markerTimer?.cancel();
    this.#queue = [];
    this.#env.log.error("the Raft log can't be written", { error: error.message });
    this.#onFatal(error);
    this.#closing?.(error);
  }
}
