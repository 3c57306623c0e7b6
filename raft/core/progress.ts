import type { RaftConfig } from "./config.js";
import { Inflights } from "./inflights.js";
import { invariant } from "./invariant.js";
import type { Index, NodeId } from "./types.js";

/**
 * How the leader sends to a member.
 *
 * - `Probe`: the place where the logs agree is not known; one append per heartbeat interval.
 * - `Replicate`: it is known; appends are pipelined, `next` runs ahead of the answers, the window bounds it.
 * - `Snapshot`: the member needs entries that the leader has cut, and a snapshot is on its way; nothing else is sent
 *   until its end is reported, or the member answers an append at which the log can go on.
 */
export type ProgressState = "Probe" | "Replicate" | "Snapshot";

/** The leader's view of one member (Figure 2: nextIndex, matchIndex), for one term and one incarnation of it. */
export class Progress {
  readonly id: NodeId;
  /**
   * Which incarnation this is: the index of the log entry that brought the member in or, for those who were there
   * when the leader was elected, the index of its no-op. Within a term no two incarnations of one id share it. Appends
   * and heartbeats carry it out and the answers back: an answer from before the member was removed and added
   * again, perhaps with an empty disk, counts for nothing.
   */
  readonly session: number;
  state: ProgressState = "Probe";
  /** Highest index known to be durable there. Falls only when the member says that it has lost entries; never reaches `next`. */
  match: Index = 0;
  /** The first index that the next append will carry. */
  next: Index;
  /** Highest commit index put into an append that the member will accept if it arrives. */
  sentCommit: Index = 0;
  /** Heard from since the last check of the quorum. */
  recentlyActive = false;
  /** Sending rests until an answer comes: a probe is out, or the window is full. */
  paused = false;
  /** One append is to be sent, even if it is empty: to probe, to tell the commit index, or to find out about losses. */
  appendDue = true;
  /** Highest position of a read batch whose heartbeat was answered. */
  readPosition = 0;
  /** In `Snapshot`: the index of the one that is on its way. */
  pendingSnapshot: Index = 0;
  readonly inflights: Inflights;

  constructor(id: NodeId, session: number, next: Index, config: RaftConfig) {
    this.id = id;
    this.session = session;
    this.next = next;
    this.inflights = new Inflights(config.inflightMessagesMax, config.inflightBytesMax);
  }

  /** After a snapshot that arrived, the place to probe is behind it. */
  becomeProbe(): void {
    const next = Math.max(this.match, this.pendingSnapshot) + 1;
    this.#become("Probe");
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, next - 1);
  }

  becomeSnapshot(index: Index): void {
    this.#become("Snapshot");
    this.appendDue = false;
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** How a snapshot's transfer has ended. It is asked for again at the earliest when the member answers the next heartbeat. */
  snapshotEnded(arrived: boolean): void {
    if (this.state !== "Snapshot") return;
    if (!arrived) this.pendingSnapshot = 0;
    this.becomeProbe();
    this.rest();
  }

  /** Nothing is sent until the member is heard from. */
  rest(): void {
    this.appendDue = false;
    this.paused = true;
  }

  /** The member may have lost what it acknowledged behind `agreed`. True when that is news. */
  fellBack(agreed: Index): boolean {
    if (agreed >= this.match) return false;
    this.match = agreed;
    if (this.state !== "Snapshot") this.becomeProbe();
    return true;
  }

  /** The answer that leads here was to an append: another empty one would tell nothing. */
  becomeReplicate(): void {
    this.#become("Replicate");
    this.appendDue = false;
    this.next = this.match + 1;
  }

  /** True when an append may leave now that carries entries if there are any behind `next`. */
  mayCarryEntries(): boolean {
    return this.state !== "Replicate" || !this.inflights.full;
  }

  /** True when a higher commit index would tell the member something that no append on its way does. */
  commitIsNews(commit: Index): boolean {
    return commit > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Notes an append that left with `count` entries of `bytes` in all and the given commit index. */
  sent(count: number, bytes: number, commit: Index): void {
    this.appendDue = false;
    this.sentCommit = Math.min(commit, this.next - 1 + count);
    if (this.state === "Probe") {
      this.paused = true;
      return;
    }
    if (count > 0) {
      this.next += count;
      this.inflights.add(this.next - 1, bytes);
    }
    this.paused = this.inflights.full;
  }

  /** An append up to `index` was accepted. True when that is news. */
  accepted(index: Index): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.paused = false;
    return true;
  }

  /**
   * An append after `refused` was refused; `hint` is the highest index at which the logs may agree. False when the
   * refusal is old: its append was sent before what is known by now.
   */
  refused(refused: Index, hint: Index): boolean {
    // What is on its way now is no append: the refused one is older.
    if (this.state === "Snapshot") return false;
    if (this.state === "Replicate") {
      if (refused <= this.match) return false;
      this.becomeProbe();
      return true;
    }
    if (this.next - 1 !== refused) return false;
    this.next = Math.max(Math.min(refused, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.paused = false;
    this.appendDue = true;
    invariant(this.next > this.match, "next is behind match");
    return true;
  }

  #become(state: ProgressState): void {
    this.state = state;
    this.paused = false;
    this.appendDue = true;
    this.pendingSnapshot = 0;
    this.inflights.reset();
  }
}
