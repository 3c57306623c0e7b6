import { broadcastHeartbeat, flushReplication } from "./replication.js";
import { releaseReads } from "./reads.js";
import type { RaftState } from "./state.js";
import { invariant } from "./invariant.js";
import type { HardState, Ready, SoftState } from "./types.js";

/**
 * Turns what has gathered since the last Ready into the next one, and keeps account of those on their way to disk.
 *
 * Several may be outstanding. `persisted(n)` says that Ready 1 … n are durable; numbers never go back. Messages that
 * wait for a Ready are held by the driver, with the Ready.
 */
export class ReadyQueue {
  readonly #state: RaftState;
  #lastNumber = 0;
  #persistedNumber = 0;
  #hardState: HardState;
  #softState: SoftState;
  /** Term and vote as of Readies not reported yet that changed them. */
  readonly #outstandingVotes: { readonly number: number; readonly term: number; readonly vote: number }[] = [];

  constructor(state: RaftState, hardState: HardState) {
    this.#state = state;
    this.#hardState = hardState;
    this.#softState = { role: state.role, leader: state.leader };
  }

  /** May say true for a Ready that turns out to be nearly empty; never false when something is to be done. */
  hasReady(): boolean {
    const state = this.#state;
    return (
      state.messages.length > 0 ||
      state.messagesAfterPersist.length > 0 ||
      state.readStates.length > 0 ||
      state.replicationDue ||
      state.offerDue ||
      state.reads.roundDue ||
      isPreVoteNew(state) ||
      state.log.hasNewSnapshot ||
      state.log.hasNewEntries ||
      state.log.canTakeCommitted(state.config.committedBytesMax) ||
      this.#hardStateChanged() ||
      this.#softStateChanged()
    );
  }

  take(): Ready {
    const state = this.#state;
    if (state.role === "Leader") {
      if (state.reads.roundDue) {
        broadcastHeartbeat(state);
        releaseReads(state);
      }
      flushReplication(state);
    }
    const number = ++this.#lastNumber;
    if (isPreVoteNew(state)) state.preVoteReady = number;
    const hardState = this.#takeHardState(number);
    const snapshot = state.log.takeNewSnapshot(number);
    const entries = state.log.takeNewEntries(number);
    const committedEntries = state.log.takeCommitted(state.config.committedBytesMax);
    for (const entry of committedEntries) {
      if (entry.type === "ConfChange") state.handedOutConfChanges.push(entry.index);
    }
    const ready: Ready = {
      number,
      softState: this.#takeSoftState(),
      hardState: hardState.changed,
      snapshot,
      entries,
      mustSync: hardState.mustSync || snapshot !== undefined || entries.length > 0,
      messages: state.messages,
      messagesAfterPersist: state.messagesAfterPersist,
      committedEntries,
      readStates: state.readStates,
    };
    state.messages = [];
    state.messagesAfterPersist = [];
    state.readStates = [];
    return ready;
  }

  /** Notes what is durable now. The caller draws the consequences for votes and commits. */
  persisted(number: number): void {
    invariant(
      number >= this.#persistedNumber && number <= this.#lastNumber,
      () => `Ready ${number} reported as persisted, after ${this.#persistedNumber} of ${this.#lastNumber}`,
    );
    this.#persistedNumber = number;
    const state = this.#state;
    while (this.#outstandingVotes.length > 0 && this.#outstandingVotes[0]!.number <= number) {
      const { term, vote } = this.#outstandingVotes.shift()!;
      state.durableTerm = term;
      state.durableVote = vote;
    }
    state.log.persisted(number);
  }

  #hardStateChanged(): boolean {
    const { term, vote, commit } = this.#hardState;
    const state = this.#state;
    return state.term !== term || state.vote !== vote || state.log.committed !== commit;
  }

  #takeHardState(number: number): { changed: HardState | undefined; mustSync: boolean } {
    if (!this.#hardStateChanged()) return unchanged;
    const { term, vote, log } = this.#state;
    const mustSync = term !== this.#hardState.term || vote !== this.#hardState.vote;
    this.#hardState = { term, vote, commit: log.committed };
    if (mustSync) this.#outstandingVotes.push({ number, term, vote });
    return { changed: this.#hardState, mustSync };
  }

  #softStateChanged(): boolean {
    return this.#state.role !== this.#softState.role || this.#state.leader !== this.#softState.leader;
  }

  #takeSoftState(): SoftState | undefined {
    if (!this.#softStateChanged()) return undefined;
    this.#softState = { role: this.#state.role, leader: this.#state.leader };
    return this.#softState;
  }
}

const unchanged = Object.freeze({ changed: undefined, mustSync: false });

/** No Ready has been taken since this round of pre-votes began. */
function isPreVoteNew(state: RaftState): boolean {
  return state.role === "PreCandidate" && state.preVoteReady === 0;
}
