import type { Index, Message, NodeId, Term } from "../../raft/core/types.js";
import { readU64 } from "../../raft/log/bytes.js";
import type { DecodedRecord } from "../../raft/log/format.js";
import {
  decodeRecord,
  endMarkBytes,
  hasEndMark,
  headerBytes,
  recordKinds,
  segmentPath,
  segmentSequences,
} from "../../raft/log/format.js";
import { newestSlot } from "../../raft/log/two-slots.js";
import { votePath, voteSlots } from "../../raft/log/vote-file.js";
import { decodeStart } from "../../raft/log/start-record.js";
import type { SimulatedDisk } from "./disk.js";
import { Violation } from "./violation.js";

/**
 * What a power cut right now would leave of one member's log, read from the durable bytes of its disk: the check that
 * nothing is acknowledged before it is there (R12), at the instant it happens.
 */
export class DurableLog {
  readonly #node: NodeId;
  readonly #disk: SimulatedDisk;
  /** After bit rot the disk says nothing about what was written: nothing is checked any more. */
  #isBlind = false;
  /** 0 while there is no segment. */
  #sequence = 0;
  #offset = headerBytes;
  /** Everything up to here is committed and was cut off, or came by a snapshot. */
  #before: Index = 0;
  /** Of the entries behind `#before`. */
  #terms: Term[] = [];
  /** Of the changes of the members among them, ascending. */
  #changes: Index[] = [];
  #term: Term = 0;
  #vote: NodeId = 0;

  constructor(node: NodeId, disk: SimulatedDisk) {
    this.#node = node;
    this.#disk = disk;
  }

  /** A restart may have cut what was behind the last durable record. */
  reset(): void {
    this.#sequence = 0;
    this.#offset = headerBytes;
    this.#before = 0;
    this.#terms = [];
    this.#changes = [];
    this.#term = 0;
    this.#vote = 0;
  }

  /** To be called when the member has opened its log: what a power cut tore off is zeros, or it could be taken for records later. */
  checkCut(): void {
    if (this.#isBlind) return;
    this.#advance();
    const bytes = this.#disk.durableBytes(segmentPath(this.#sequence)) ?? new Uint8Array(0);
    const end = hasEndMark(bytes, this.#offset) ? this.#offset + endMarkBytes : this.#offset;
    const rest = bytes.findIndex((byte, at) => at >= end && byte !== 0);
    if (rest !== -1) this.#fail(`has not cut the torn write behind ${this.#offset} of segment ${this.#sequence}`);
  }

  blind(): void {
    this.#isBlind = true;
  }

  /** The machine got an empty disk. */
  forget(): void {
    this.reset();
    this.#isBlind = false;
  }

  onSend(message: Message): void {
    if (this.#isBlind) return;
    if (message.type === "MsgAppResp" && !message.reject) {
      this.#advance();
      // What was promised in an older term may be replaced on disk while the promise was on its way.
      if (this.#term > message.term || this.#lastIndex >= message.index) return;
      this.#fail(`answered an append up to ${message.index}, its disk holds ${this.#lastIndex}`);
    }
    const vote =
      message.type === "MsgVote" ? message.from : message.type === "MsgVoteResp" && !message.reject ? message.to : 0;
    if (vote === 0) return;
    this.#advance();
    if (this.#term > message.term || (this.#term === message.term && this.#vote === vote)) return;
    // After a failed sync, and the start that follows, the second copy may be the only one for a while.
    const [term, copied] = newestSlot(voteSlots, this.#disk.durableBytes(votePath) ?? new Uint8Array(0))?.fields ?? [];
    if (term === message.term && copied === vote) return;
    this.#fail(
      `voted for ${vote} in term ${message.term}, its disk holds a vote for ${this.#vote} in term ${this.#term}`,
    );
  }

  /** The member counts itself among those who hold entries up to `index`. */
  onDurableIndex(index: Index): void {
    if (this.#isBlind || index <= this.#lastIndex) return;
    this.#advance();
    if (index > this.#lastIndex) this.#fail(`counts itself for ${index}, its disk holds ${this.#lastIndex}`);
  }

  /** How many changes of the members it holds behind `index`, at least. */
  changesBehind(index: Index): number {
    if (this.#isBlind) return 0;
    this.#advance();
    return this.#changes.filter((change) => change > index).length;
  }

  /** Whether the entry would be there after a power cut. */
  holds(index: Index, term: Term): boolean {
    if (this.#isBlind || index <= this.#before) return true;
    if (this.#terms[index - this.#before - 1] !== term) this.#advance();
    return index <= this.#before || this.#terms[index - this.#before - 1] === term;
  }

  get #lastIndex(): Index {
    return this.#before + this.#terms.length;
  }

  #fail(what: string): never {
    throw new Violation("R12 durable before answered", `member ${this.#node} ${what}`);
  }

  #advance(): void {
    for (;;) {
      const bytes = this.#sequence === 0 ? undefined : this.#disk.durableBytes(segmentPath(this.#sequence));
      if (bytes) {
        for (let record = decodeRecord(bytes, this.#offset); record; record = decodeRecord(bytes, this.#offset)) {
          this.#take(record);
          this.#offset = record.end;
        }
        if (this.#disk.durableBytes(segmentPath(this.#sequence + 1)) === undefined) return;
        this.#sequence++;
      } else {
        // Cut off meanwhile: the oldest one that is there begins with what the others came to.
        const oldest = segmentSequences(this.#disk.durableNamesIn("log")).find((sequence) => sequence > this.#sequence);
        if (oldest === undefined) return;
        this.#sequence = oldest;
      }
      this.#offset = headerBytes;
    }
  }

  #take({ kind, index, term, payload }: DecodedRecord): void {
    switch (kind) {
      case recordKinds.entry:
      case recordKinds.confChangeEntry:
        if (index <= this.#before) this.#restart(index);
        // An entry replaces an earlier one of its index and all behind that.
        else this.#terms.splice(index - this.#before - 1, Infinity, term);
        while ((this.#changes.at(-1) ?? 0) >= index) this.#changes.pop();
        if (kind === recordKinds.confChangeEntry) this.#changes.push(index);
        return;
      case recordKinds.hardState:
        this.#term = term;
        this.#vote = readU64(payload, 0);
        return;
      case recordKinds.configuration:
        return;
      case recordKinds.snapshot:
        this.#restart(index);
        return;
      case recordKinds.start: {
        const hardState = decodeStart(payload)?.hardState;
        if (index !== this.#lastIndex) this.#restart(index);
        if (hardState) this.#term = hardState.term;
        if (hardState) this.#vote = hardState.vote;
      }
    }
  }

  #restart(index: Index): void {
    this.#before = index;
    this.#terms = [];
    this.#changes = [];
  }
}
