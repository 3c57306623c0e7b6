import type { Index, Message, NodeId, Term } from "../../raft/core/types.js";
import { readU64 } from "../../raft/log/bytes.js";
import type { LogRecord } from "../../raft/log/format.js";
import {
  decodeHeader,
  decodeRecord,
  headerBytes,
  recordKinds,
  segmentPath,
  segmentSequences,
} from "../../raft/log/format.js";
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
  /** The segment that is read; 0 before the first one. */
  #sequence = 0;
  #offset = headerBytes;
  /** Of the entries, by index; those below the log's beginning count as held, since the state machine has them. */
  readonly #terms = new Map<Index, Term>();
  #lastIndex: Index = 0;
  #beforeIndex: Index = 0;
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
    this.#terms.clear();
    this.#lastIndex = 0;
    this.#beforeIndex = 0;
    this.#term = 0;
    this.#vote = 0;
  }

  onSend(message: Message): void {
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
    this.#fail(
      `voted for ${vote} in term ${message.term}, its disk holds a vote for ${this.#vote} in term ${this.#term}`,
    );
  }

  /** The member counts itself among those who hold entries up to `index`. */
  onDurableIndex(index: Index): void {
    if (index <= this.#lastIndex) return;
    this.#advance();
    if (index > this.#lastIndex) this.#fail(`counts itself for ${index}, its disk holds ${this.#lastIndex}`);
  }

  /** Whether the entry would be there after a power cut. */
  holds(index: Index, term: Term): boolean {
    if (this.#terms.get(index) !== term) this.#advance();
    return index <= this.#beforeIndex || this.#terms.get(index) === term;
  }

  #fail(what: string): never {
    throw new Violation("R12 durable before answered", `member ${this.#node} ${what}`);
  }

  #advance(): void {
    // Segments are removed from the oldest on: what was not read of them is in the start of a later one.
    if (this.#disk.durableBytes(segmentPath(this.#sequence)) === undefined) {
      const [first] = segmentSequences(this.#disk.files().map((path) => path.replace("log/", "")));
      if (first === undefined) return;
      this.#sequence = first;
      this.#offset = headerBytes;
    }
    for (;;) {
      const bytes = this.#disk.durableBytes(segmentPath(this.#sequence));
      if (bytes === undefined) return;
      for (let record = decodeRecord(bytes, this.#offset); record; record = decodeRecord(bytes, this.#offset)) {
        this.#take(record);
        this.#offset = record.end;
      }
      const next = this.#disk.durableBytes(segmentPath(this.#sequence + 1));
      if (next === undefined || typeof decodeHeader(next) === "string") return;
      this.#sequence++;
      this.#offset = headerBytes;
    }
  }

  #take({ kind, index, term, payload }: LogRecord): void {
    if (kind === recordKinds.entry || kind === recordKinds.confChangeEntry) {
      // An entry replaces an earlier one of its index and all behind that.
      for (let last = this.#lastIndex; last > index; last--) this.#terms.delete(last);
      this.#terms.set(index, term);
      this.#lastIndex = index;
    }
    if (kind === recordKinds.snapshot || (kind === recordKinds.start && index > this.#lastIndex)) {
      this.#terms.clear();
      this.#terms.set(index, term);
      this.#lastIndex = index;
      this.#beforeIndex = index;
    }
    const hardState = kind === recordKinds.start ? decodeStart(payload)?.hardState : undefined;
    if (kind !== recordKinds.hardState && !hardState) return;
    this.#term = hardState?.term ?? term;
    this.#vote = hardState?.vote ?? readU64(payload, 0);
  }
}
