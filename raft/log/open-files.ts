import type { Done, Finished } from "../../src/base/env.js";
import type { HardState, Index } from "../core/types.js";
import { failpoints } from "../failpoints.js";
import { whatWasLost } from "./damage.js";
import { examine, type Damage, type Examination } from "./examine.js";
import { headerBytes, segmentPath, segmentSequences } from "./format.js";
import { logDamaged } from "./log-errors.js";
import type { Marker } from "./marker.js";
import { markerPath, noMarker, readMarker, writeMarker } from "./marker.js";
import { removeDurably } from "./old-segments.js";
import type { LogContent } from "./replay.js";
import type { SegmentFile } from "./segment-reader.js";
import type { LogEnv, LogIdentity } from "./segment-writer.js";
import { forgetOldDamage, setAside } from "./set-aside.js";
import { newerVote, VoteFile, type Vote } from "./vote-file.js";

export interface OpenedFiles extends Pick<Examination, "content" | "position" | "closed" | "highestIndex"> {
  readonly marker: Marker;
  readonly voteFile: VoteFile;
  /** Newer than the one in the log's records, if its vote or term is. */
  readonly hardState: HardState;
}

export interface OpeningOptions {
  readonly identity: LogIdentity;
  /** Asked for a damaged log with what is whole of it: whether others can repair it. If not, it stays as it is and is not opened. @default yes */
  readonly isRepairable?: ((content: LogContent) => boolean) | undefined;
}

/**
 * Reads all segments, cuts a torn tail, and makes what is left durable before anyone relies on it: what was read may
 * have been in the machine's memory only. Of a damaged log the part in front of the damage stays; how far the other members have to
 * repair it is durable before it is cut. `content` keeps views into the segments, so the whole log is held in memory; compaction
 * bounds that.
 */
export function openFiles(env: LogEnv, options: OpeningOptions, done: Done<OpenedFiles>): void {
  new Opening(env, options, done).start();
}

/** One opening; its steps follow each other top down. */
class Opening {
  readonly #env: LogEnv;
  readonly #options: OpeningOptions;
  readonly #done: Done<OpenedFiles>;
  readonly #files: SegmentFile[] = [];
  #marker: Marker | undefined;
  #voteFile!: VoteFile;
  #vote: Vote | undefined;

  constructor(env: LogEnv, options: OpeningOptions, done: Done<OpenedFiles>) {
    this.#env = env;
    this.#options = options;
    this.#done = done;
  }

  start(): void {
    const { disk } = this.#env;
    const list = this.#then(() =>
      disk.list("log", (error, names) => (error ? this.#fail(error) : this.#read(segmentSequences(names)))),
    );
    const marker = this.#then(() =>
      readMarker(disk, (error, found) => {
        this.#marker = found;
        list(error);
      }),
    );
    const vote = this.#then(() =>
      VoteFile.read(disk, (error, read) => {
        if (error) return this.#fail(error);
        this.#voteFile = read.file;
        this.#vote = read.found;
        return marker(null);
      }),
    );
    disk.makeFolder("log", vote);
  }

  #read([sequence, ...others]: readonly number[]): void {
    if (sequence === undefined) return this.#examine();
    const path = segmentPath(sequence);
    const { disk } = this.#env;
    return disk.size(path, (sizeError, size) => {
      if (sizeError) return this.#fail(sizeError);
      return disk.read(path, 0, size, (error, bytes) => {
        if (error) return this.#fail(error);
        this.#files.push({ sequence, bytes });
        return this.#read(others);
      });
    });
  }

  #examine(): void {
    if (!this.#marker && this.#files.length > 0)
      return this.#fail(logDamaged(markerPath, "no whole slot, although there are segments"));
    let found: Examination;
    try {
      found = examine(this.#files, this.#marker ?? noMarker, this.#options.identity);
    } catch (error) {
      return this.#fail(error as Error);
    }
    return found.damage ? this.#repair(found, found.damage) : this.#begin(found);
  }

  /** Before anything is cut it is durable how much there may have been. */
  #repair(found: Examination, damage: Damage): void {
    const file = segmentPath(damage.sequence);
    const error = logDamaged(file, `offset ${damage.offset}: ${damage.fault}`);
    const lost = whatWasLost(this.#files, { ...found, damage }, this.#marker ?? noMarker);
    const { isRepairable = () => true } = this.#options;
    // Without a second copy of the vote, or without any segment, too much is unknown.
    if (!lost || !this.#vote || this.#files.length === 0 || !isRepairable(found.content)) return this.#fail(error);
    const recoverTo = Math.max(lost.recoverTo, this.#vote.recoverTo);
    this.#vote = { ...newerVote(lost, this.#vote), recoverTo };
    this.#env.log.error("the Raft log is damaged: this member does not vote until the others have repaired it", {
      file,
      offset: damage.offset,
      fault: damage.fault,
      recoverTo,
    });
    const aside = this.#then(() =>
      setAside(
        this.#env,
        this.#files,
        found.position,
        this.#then(() => this.#cut(found)),
      ),
    );
    return this.#voteFile.begin(this.#vote, aside);
  }

  /** A first marker that was found may not be durable, so it is written again: a segment without one would be damage. */
  #begin(found: Examination): void {
    if (this.#marker && this.#marker.sequence > 0) return this.#mend(found, found.mended);
    const { disk } = this.#env;
    const next = this.#then(() => this.#mend(found, found.mended));
    return writeMarker(
      disk,
      noMarker,
      this.#then(() => disk.syncFolder("log", next)),
    );
  }

  #mend(found: Examination, [sequence, ...others]: readonly number[]): void {
    const file = this.#files.find((each) => each.sequence === sequence);
    if (!file || file.sequence === found.unfinished) return this.#removeUnfinished(found);
    const path = segmentPath(file.sequence);
    this.#env.log.warn("mending a flipped bit in the header of a log segment", { file: path });
    const sync = this.#then(() =>
      this.#env.disk.sync(
        path,
        this.#then(() => this.#mend(found, others)),
      ),
    );
    return this.#env.disk.write(path, 0, file.bytes.slice(0, headerBytes), sync);
  }

  #removeUnfinished(found: Examination): void {
    if (found.unfinished === undefined) return this.#cut(found);
    const file = segmentPath(found.unfinished);
    this.#env.log.info("removing a log segment whose creation was cut short", { file });
    return removeDurably(
      this.#env.disk,
      file,
      this.#then(() => this.#cut(found)),
    );
  }

  /** Zeroes the torn tail, durably, so that no part of it can be taken for a record behind later ones. */
  #cut(found: Examination): void {
    const { disk, log, failpoint } = this.#env;
    const { position, dirtyEnd } = found;
    const { sequence, end } = position;
    if (sequence === 0) return this.#finish(found);
    const file = segmentPath(sequence);
    const sync = this.#then(() =>
      disk.sync(
        file,
        this.#then(() => this.#finish(found)),
      ),
    );
    if (dirtyEnd === end) return sync(null);
    if (!found.damage)
      log.warn("cutting a torn write off the end of the Raft log", { file, offset: end, bytes: dirtyEnd - end });
    failpoint(failpoints.logBeforeCut);
    return disk.write(file, end, new Uint8Array(dirtyEnd - end), sync);
  }

  /**
   * Names too may have been in the machine's memory only: those of a process that died between making a segment and
   * syncing the folder. Once all is durable, the marker says that it must not get lost.
   */
  #finish(found: Examination): void {
    const { content, position } = found;
    const { sequence, end, lastCrc } = position;
    const lastIndex: Index = content.entries.at(-1)?.index ?? content.before.index;
    const generation = (this.#marker ?? noMarker).generation + 1;
    const marker = { generation, sequence, offset: end, crc: lastCrc, lastIndex };
    const vote = {
      recoverTo: 0,
      ...this.#vote,
      ...pick(newerVote(content.hardState, this.#vote ?? content.hardState)),
    };
    const hardState = { ...pick(vote), commit: content.hardState.commit };
    const { disk } = this.#env;
    const done = this.#then(() => this.#done(null, { ...found, marker, voteFile: this.#voteFile, hardState }));
    const mark = this.#then(() => writeMarker(disk, marker, done));
    const sync = this.#then(() =>
      disk.syncFolder(
        "log",
        this.#then(() => disk.syncFolder("", mark)),
      ),
    );
    const save = this.#then(() => this.#voteFile.begin(vote, sync));
    forgetOldDamage(this.#env, save);
  }

  #then(next: () => void): Finished {
    return (error) => (error ? this.#fail(error) : next());
  }

  #fail(error: Error): void {
    this.#done(error, undefined as never);
  }
}

function pick({ term, vote }: Pick<HardState, "term" | "vote">): Pick<HardState, "term" | "vote"> {
  return { term, vote };
}
