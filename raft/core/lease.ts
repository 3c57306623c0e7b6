import { committedIndex } from "./quorum.js";
import type { RaftState } from "./state.js";

/**
 * Reads without a round of messages (thesis 6.4.1), for those who trust clocks: not the default.
 *
 * Each heartbeat is a request for silence: whoever hears it gives no vote for the base timeout of
 * `config.electionTicks`, also after a restart, and does not campaign. A quorum's answers to one round therefore
 * keep any other leader away for that long after the round was *sent*, and for so long the leader answers reads from its commit
 * index. (etcd's lease runs from the last check of the quorum, which may be two timeouts old.) What ends it early:
 *
 * - a transfer, since the transferee's campaign breaks the silence: none any more in this term, as MsgTimeoutNow may come late;
 * - a new configuration, whose quorums may have heard nothing: until the next round is answered;
 * - an own pause (`Raft.restartElectionTimer`): the same.
 *
 * Safe as long as no member's ticks run faster than another's by more than the margin below, and `tick()` is called for every
 * interval that has passed. Otherwise a read may be stale; nothing else depends on it.
 */
export class Lease {
  /** Rounds whose answers may still begin a lease. */
  #rounds: { readonly position: number; readonly sentAt: number }[] = [];
  #since = -Infinity;
  #forfeited = false;

  sent(position: number, now: number): void {
    this.#rounds.push({ position, sentAt: now });
  }

  /** A quorum has answered the round of this position, and with it all earlier ones. */
  confirmed(position: number): void {
    while (this.#rounds.length > 0 && this.#rounds[0]!.position <= position) {
      this.#since = this.#rounds.shift()!.sentAt;
    }
  }

  /** Whether it holds now, when silence was asked for `electionTicks`. */
  holds(now: number, electionTicks: number): boolean {
    // Ticks of two nodes are out of step by up to one; the rest is for clocks that drift.
    const ticks = Math.floor((electionTicks - 1) * (1 - clockDriftMax));
    while (this.#rounds.length > 0 && this.#rounds[0]!.sentAt < now - electionTicks) this.#rounds.shift();
    return !this.#forfeited && now - this.#since < ticks;
  }

  /** Until a round that is sent from now on is answered. */
  interrupt(): void {
    this.#rounds = [];
    this.#since = -Infinity;
  }

  /** For the rest of this term. */
  forfeit(): void {
    this.#forfeited = true;
  }

  /** Another term begins. */
  clear(): void {
    this.interrupt();
    this.#forfeited = false;
  }
}

const clockDriftMax = 0.1;

/** Leader: takes note of what a quorum has answered. */
export function extendLease(state: RaftState): void {
  if (!state.config.leaseReads) return;
  state.lease.confirmed(committedIndex(state.configuration, (id) => state.progress.get(id)?.readPosition ?? 0));
}

/** Leader: a read may be answered at once. */
export function holdsLease(state: RaftState): boolean {
  return state.config.leaseReads && state.lease.holds(state.ticks, state.config.electionTicks);
}

/** Voter: some leader may count on this node's silence. Before its first message since the start too: an earlier process may have heard it. */
export function promisesSilence(state: RaftState): boolean {
  return state.config.leaseReads && state.ticks - state.leaderHeardAt < state.config.electionTicks;
}
