import type { Index, Message, NodeId, Term } from "../../raft/core/types.js";
import { readU64 } from "../../raft/log/bytes.js";
import { decodeRecord, headerBytes, recordKinds, segmentPath } from "../../raft/log/format.js";
import type { SimulatedDisk } from "./disk.js";
import { Violation } from "./violation.js";

/**
 * What a power cut right now would leave of one member's log, read from the durable bytes of its disk: the check that
 * nothing is acknowledged before it is there (R12), at the instant it happens.
 */
export class DurableLog {
  readonly #node: NodeId;
  readonly #disk: SimulatedDisk;
  #sequence = 1;
  #offset = headerBytes;
  /** Of the entries, by index from 1 on. */
  #terms: Term[] = [];
  #term: Term = 0;
  #vote: NodeId = 0;

  constructor(node: NodeId, disk: SimulatedDisk) {
    this.#node = node;
    this.#disk = disk;
  }

  /** A restart may have cut what was behind the last durable record. */
  reset(): void {
    this.#sequence = 1;
    this.#offset = headerBytes;
    this.#terms = [];
    this.#term = 0;
    this.#vote = 0;
  }

  onSend(message: Message): void {
    if (message.type === "MsgAppResp" && !message.reject) {
      this.#advance();
      // What was promised in an older term may be replaced on disk while the promise was on its way.
      if (this.#term > message.term || this.#terms.length >= message.index) return;
      this.#fail(`answered an append up to ${message.index}, its disk holds ${this.#terms.length}`);
    }
    const vote =
      message.type === "MsgVote" ? message.from : message.type === "MsgVoteResp" && !message.reject ? message.to : 0;
    if (vote === 0) return;
    this.#advance();
    if (this.#term > message.term || (this.#term === message.term && this.#vote === vote)) return;
    this.#fail(
      `voted for ${vote} in term ${message.term}, its disk holds a vote for ${this.#vote} in term ${this.#term}`,
    );
  }

  /** The member counts itself among those who hold entries up to `index`. */
  onDurableIndex(index: Index): void {
    if (index <= this.#terms.length) return;
    this.#advance();
    if (index > this.#terms.length) this.#fail(`counts itself for ${index}, its disk holds ${this.#terms.length}`);
  }

  /** Whether the entry would be there after a power cut. */
  holds(index: Index, term: Term): boolean {
    if (this.#terms[index - 1] !== term) this.#advance();
    return this.#terms[index - 1] === term;
  }

  #fail(what: string): never {
    throw new Violation("R12 durable before answered", `member ${this.#node} ${what}`);
  }

  #advance(): void {
    for (;;) {
      const bytes = this.#disk.durableBytes(segmentPath(this.#sequence));
      if (bytes === undefined) return;
      for (let record = decodeRecord(bytes, this.#offset); record; record = decodeRecord(bytes, this.#offset)) {
        this.#take(record);
        this.#offset = record.end;
      }
      if (this.#disk.durableBytes(segmentPath(this.#sequence + 1)) === undefined) return;
      this.#sequence++;
      this.#offset = headerBytes;
    }
  }

  #take(record: {
    readonly kind: number;
    readonly index: Index;
    readonly term: Term;
    readonly payload: Uint8Array;
  }): void {
    if (record.kind === recordKinds.entry || record.kind === recordKinds.confChangeEntry) {
      // An entry replaces an earlier one of its index and all behind that.
      this.#terms.splice(record.index - 1, Infinity, record.term);
    }
    if (record.kind !== recordKinds.hardState) return;
    this.#term = record.term;
    this.#vote = readU64(record.payload, 0);
  }
}
