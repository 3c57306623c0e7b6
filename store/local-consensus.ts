import type { Consensus, ConsensusHandlers } from "../raft/consensus.js";
import type { Entry, Index } from "../raft/core/types.js";
import { limits } from "../src/base/limits.js";
import { type Defer, microtask } from "./memory-key-value.js";

/**
 * Consensus of one process with itself: what is proposed is committed, and nothing is kept. For tests and
 * simulations of what stands above the store.
 */
export class LocalConsensus implements Consensus {
  readonly #handlers: ConsensusHandlers;
  readonly #defer: Defer;
  #lastIndex: Index;
  #proposed: Entry[] = [];

  /** `appliedIndex` is the state machine's; entries follow it. */
  constructor(handlers: ConsensusHandlers, appliedIndex: Index, defer: Defer = microtask) {
    this.#handlers = handlers;
    this.#lastIndex = appliedIndex;
    this.#defer = defer;
    defer(() => this.#tellStatus());
  }

  propose(tag: number, data: Uint8Array): void {
    if (data.length > limits.entryBytesMax) return this.#defer(() => this.#handlers.onRefused(tag, "TooLarge"));
    this.#lastIndex += 1;
    this.#proposed.push({ term: 1, index: this.#lastIndex, type: "Normal", data });
    if (this.#proposed.length === 1) this.#defer(() => this.#commit());
  }

  readIndex(tag: number): void {
    const index = this.#lastIndex;
    this.#defer(() => this.#handlers.onReadIndex(tag, index));
  }

  applied(): void {
    // There is no log to cut.
  }

  snapshotTaken(): void {
    // Nobody asks for one.
  }

  transferLeadership(): void {
    // There is nobody else.
  }

  changeMembers(tag: number): void {
    this.#defer(() => this.#handlers.onRefused(tag, "InvalidChange", "this store has no members"));
  }

  #commit(): void {
    const entries = this.#proposed;
    this.#proposed = [];
    this.#handlers.onCommitted(entries);
  }

  #tellStatus(): void {
    this.#handlers.onStatus({
      id: 1,
      role: "Leader",
      term: 1,
      leader: 1,
      commit: this.#lastIndex,
      lastIndex: this.#lastIndex,
      durableIndex: 0,
      configuration: { voters: [1], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
      progress: [],
    });
  }
}
