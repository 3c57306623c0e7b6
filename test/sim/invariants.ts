import type { ConsensusStatus } from "../../raft/consensus.js";
import type { Entry, Index, Message, NodeId, Term } from "../../raft/core/types.js";
import { isQuorum, MembershipInvariants } from "./membership-invariants.js";
import { Violation } from "./violation.js";

/** What is known of one entry that any member has sent or committed. */
interface Seen {
  readonly data: Uint8Array;
  readonly type: Entry["type"];
  /** Term of the entry before; undefined while nobody has told. */
  previousTerm: Term | undefined;
}

/** What one member has shown; the parts of an incarnation are reset by its restart. */
interface Shown {
  /** The highest term of a promise (a vote, an answered append) that an earlier incarnation has made. */
  term: Term;
  /** The same of the present one, by who was told: what is sent to several at once has no order. */
  terms: Map<NodeId, Term>;
  /** Of the present incarnation. */
  commit: Index;
  applied: Index;
  leading: { readonly term: Term; lastIndex: Index } | undefined;
  /** Up to here it was handed what is committed, or has it by a snapshot. */
  delivered: Index;
}

const termsMax = 2 ** 20;
/** How far behind a leader's first own entry a member may be that hears of a commit. */
const shownAheadMax = 1_000;

/**
 * Watches from outside, through messages, statuses and committed entries, that the members of one group keep R1 to R7
 * (reference: Raft paper, Figure 3). Throws a `Violation` at once. Knows nothing of how the members work.
 */
export class RaftInvariants {
  /** Told of each entry when any member first shows that it is committed. */
  onNewlyCommitted: (entry: Entry) => void = () => undefined;
  /** How many changes of the members a member's log holds behind an index. */
  changesBehind: (node: NodeId, index: Index) => number = () => 0;
  /** Whether a quorum has this entry on its disks. */
  isOnQuorum: (index: Index, term: Term) => boolean = () => false;
  readonly membership: MembershipInvariants;
  /** Times that a member asked for an election after there had been a leader. */
  campaigns = 0;
  readonly #leaders = new Map<Term, NodeId>();
  readonly #votes = new Map<string, NodeId>();
  readonly #entries = new Map<number, Seen>();
  readonly #committed: Entry[] = [];
  /** Beside `#committed`: a term in or after the one whose leader committed the entry. Leaders of later terms must have it. */
  readonly #commitTerms: Term[] = [];
  #lastTerm: Term = 0;
  /** The highest commit index that any member has shown in any way. */
  #shownCommit: Index = 0;
  readonly #digests = new Map<Index, string>();
  readonly #members = new Map<NodeId, Shown>();
  /** Who voted for the candidate of a term; by term and candidate. */
  readonly #grants = new Map<string, Set<NodeId>>();
  readonly #revisions: number[] = [];
  /** The highest term of which an entry is committed. */
  #committedTerm: Term = 0;

  constructor(voters: readonly NodeId[]) {
    this.membership = new MembershipInvariants(voters);
  }

  /** Every entry that any member has reported as committed, in order; the first has index 1. */
  committed(): readonly Entry[] {
    return this.#committed;
  }

  /** The highest term with a known leader, and that leader. */
  lastLeader(): { readonly term: Term; readonly leader: NodeId } {
    return { term: this.#lastTerm, leader: this.#leaders.get(this.#lastTerm) ?? 0 };
  }

  terms(): number {
    return this.#leaders.size;
  }

  onRestart(node: NodeId): void {
    const shown = this.#shown(node);
    shown.term = Math.max(shown.term, ...shown.terms.values());
    shown.terms.clear();
    shown.commit = 0;
    shown.applied = 0;
    shown.delivered = 0;
    shown.leading = undefined;
  }

  /** The member lost its disk after it had been removed: it may come back as a learner that knows nothing. */
  forget(node: NodeId): void {
    this.#members.delete(node);
    for (const key of this.#votes.keys()) if (key.startsWith(`${node} `)) this.#votes.delete(key);
  }

  onSend(message: Message): void {
    switch (message.type) {
      case "MsgApp":
        this.#onLeader(message.from, message.term);
        this.#onAppend(message);
        return this.#onLeaderCommit(message);
      case "MsgHeartbeat":
        this.#onLeader(message.from, message.term);
        return this.#onLeaderCommit(message);
      case "MsgVote":
        return this.#onVote(message, message.from);
      case "MsgVoteResp":
        if (!message.reject) this.#onVote(message, message.to);
        return undefined;
      case "MsgAppResp":
        return this.#onPromise(message, "answered an append");
      default:
        return undefined;
    }
  }

  onStatus(status: ConsensusStatus): void {
    const shown = this.#shown(status.id);
    if (status.commit < shown.commit) {
      throw new Violation(
        "R6 monotonic indexes",
        `member ${status.id}: commit went from ${shown.commit} to ${status.commit}`,
      );
    }
    shown.commit = status.commit;
    this.#shownCommit = Math.max(this.#shownCommit, status.commit);
    if (status.commit > status.lastIndex) {
      throw new Violation(
        "R6 monotonic indexes",
        `member ${status.id}: commit ${status.commit} > last ${status.lastIndex}`,
      );
    }
    if (status.durableIndex > status.lastIndex) {
      throw new Violation(
        "R6 monotonic indexes",
        `member ${status.id}: durable ${status.durableIndex} > last ${status.lastIndex}`,
      );
    }
    if (status.role === "PreCandidate" || status.role === "Candidate") this.#onCampaign(status, shown);
    if (status.role !== "Leader") {
      shown.leading = undefined;
      return;
    }
    this.#onLeader(status.id, status.term);
    const { leading } = shown;
    if (leading?.term === status.term) {
      if (status.lastIndex < leading.lastIndex) {
        throw new Violation(
          "R2 leader append-only",
          `leader ${status.id} of term ${status.term}: last index went from ${leading.lastIndex} to ${status.lastIndex}`,
        );
      }
      leading.lastIndex = status.lastIndex;
      return;
    }
    shown.leading = { term: status.term, lastIndex: status.lastIndex };
    const voters = new Set([status.id, ...(this.#grants.get(`${status.term} ${status.id}`) ?? [])]);
    if (!isQuorum(status.configuration, voters)) {
      throw new Violation(
        "R1 election safety",
        `member ${status.id} leads term ${status.term} by the votes of ${[...voters].join()} only`,
      );
    }
    const newest = this.#commitTerms.findLastIndex((term) => term < status.term) + 1;
    if (status.lastIndex < newest) {
      throw new Violation(
        "R4 leader completeness",
        `leader ${status.id} of term ${status.term} ends at ${status.lastIndex}, but ${newest} is committed`,
      );
    }
  }

  /** Who campaigns knows of no leader, and applies all changes of the members that it knows to be committed before it counts votes. */
  #onCampaign({ id, term, leader, role, commit }: ConsensusStatus, { applied, delivered }: Shown): void {
    if (role === "PreCandidate" && this.#leaders.size > 0) this.campaigns++;
    if (leader !== 0)
      throw new Violation("liveness", `member ${id} campaigns in term ${term}, in which it has heard ${leader} lead`);
    const known = Math.max(applied, delivered);
    const unapplied = this.#committed.slice(known, commit).find((entry) => entry.type === "ConfChange");
    // The second change in a log proves that the first one is committed.
    const changes = unapplied ? 1 : this.changesBehind(id, known) - 1;
    if (changes <= 0) return;
    throw new Violation("R10 members", `member ${id} campaigns and has not applied a committed change behind ${known}`);
  }

  onCommitted(node: NodeId, entries: readonly Entry[]): void {
    const shown = this.#shown(node);
    shown.delivered = Math.max(shown.delivered, entries.at(-1)?.index ?? 0);
    for (const entry of entries) {
      this.#onEntry(entry, undefined);
      const known = this.#committed[entry.index - 1];
      if (known === undefined) {
        if (entry.index !== this.#committed.length + 1) {
          throw new Violation(
            "R6 monotonic indexes",
            `member ${node}: ${entry.index} committed, ${this.#committed.length + 1} not`,
          );
        }
        this.#committed.push(entry);
        this.#shownCommit = Math.max(this.#shownCommit, entry.index);
        this.#commitTerms.push(Math.max(this.#lastTerm, entry.term));
        this.#committedTerm = Math.max(this.#committedTerm, entry.term);
        this.onNewlyCommitted(entry);
        this.membership.onCommitted(entry);
      } else if (known.term !== entry.term || !equalBytes(known.data, entry.data) || known.type !== entry.type) {
        throw new Violation(
          "R5 state machine safety",
          `index ${entry.index} was committed with term ${known.term}, member ${node} has term ${entry.term}`,
        );
      }
    }
  }

  onApplied(node: NodeId, index: Index, digest: string, revision: number): void {
    this.#onRevision(index, revision);
    const shown = this.#shown(node);
    if (index < shown.applied) {
      throw new Violation("R6 monotonic indexes", `member ${node}: applied went from ${shown.applied} to ${index}`);
    }
    shown.applied = index;
    if (index > this.#committed.length) {
      throw new Violation("R6 monotonic indexes", `member ${node}: applied ${index}, which nobody committed`);
    }
    const known = this.#digests.get(index);
    if (known === undefined) this.#digests.set(index, digest);
    else if (known !== digest) {
      throw new Violation(
        "R5 state machine safety",
        `index ${index}: state ${known} elsewhere, ${digest} on member ${node}`,
      );
    }
  }

  /** The member's state is to be replaced by that of a snapshot. */
  onSnapshot(node: NodeId, index: Index, term: Term): void {
    const shown = this.#shown(node);
    if (index <= shown.applied)
      throw new Violation(
        "R11 snapshots",
        `member ${node} goes back from ${shown.applied} to the snapshot of ${index}`,
      );
    shown.delivered = Math.max(shown.delivered, index);
    const committed = this.#committed[index - 1];
    if (committed?.term === term) return;
    throw new Violation(
      "R11 snapshots",
      `member ${node} installs a snapshot of ${index} in term ${term}, committed there is ${committed ? `term ${committed.term}` : "nothing"}`,
    );
  }

  /** A revision belongs to an index, and grows with it. */
  #onRevision(index: Index, revision: number): void {
    const known = (this.#revisions[index] ??= revision);
    const before = this.#revisions[index - 1] ?? 0;
    if (known === revision && revision >= before) return;
    throw new Violation(
      "R14 revisions",
      `index ${index} has revision ${revision}, elsewhere ${known}, before it ${before}`,
    );
  }

  #onLeader(node: NodeId, term: Term): void {
    const known = this.#leaders.get(term);
    if (known === undefined) {
      this.#leaders.set(term, node);
      this.#lastTerm = Math.max(this.#lastTerm, term);
    } else if (known !== node) throw new Violation("R1 election safety", `${known} and ${node} both lead term ${term}`);
  }

  #onVote(message: Message, candidate: NodeId): void {
    const { from: node, term } = message;
    const key = `${node} ${term}`;
    const known = this.#votes.get(key);
    if (known === undefined) this.#votes.set(key, candidate);
    else if (known !== candidate) {
      throw new Violation(
        "R7 persistent votes",
        `member ${node} voted for ${known} and for ${candidate} in term ${term}`,
      );
    }
    const grant = `${term} ${candidate}`;
    const grants = this.#grants.get(grant);
    if (grants) grants.add(node);
    else this.#grants.set(grant, new Set([node]));
    this.#onPromise(message, "voted");
  }

  #onPromise({ from, to, term }: Message, what: string): void {
    const shown = this.#shown(from);
    const before = Math.max(shown.term, shown.terms.get(to) ?? 0);
    if (term < before) {
      throw new Violation("R7 persistent votes", `member ${from} ${what} in term ${term} after term ${before}`);
    }
    shown.terms.set(to, term);
  }

  #onAppend(message: Message): void {
    const { from, term, index, logTerm } = message;
    this.#compareCommitted(from, term, index, logTerm);
    let previousTerm = logTerm;
    for (const entry of message.entries) {
      this.#onEntry(entry, previousTerm);
      this.#compareCommitted(from, term, entry.index, entry.term);
      previousTerm = entry.term;
    }
  }

  /**
   * What a leader commits beyond all that was committed before is of its own term (paper 5.4.2, Figure 8). It has sent
   * that entry, or else no quorum could have it.
   */
  #onLeaderCommit({ from, term, commit }: Message): void {
    if (commit <= this.#shownCommit) return;
    this.#shownCommit = commit;
    if (term < this.#committedTerm) {
      throw new Violation(
        "R13 fenced leader",
        `leader ${from} of term ${term} commits ${commit} after a leader of term ${this.#committedTerm}`,
      );
    }
    if (this.#entries.has(commit * termsMax + term)) return;
    // A member that is behind is told of no more than it has, perhaps before anybody has shown the rest.
    const last = commit + shownAheadMax;
    for (let index = commit; index <= last; index++) if (this.isOnQuorum(index, term)) return;
    throw new Violation(
      "R4 leader completeness",
      `leader ${from} of term ${term} commits ${commit} of an earlier term by count`,
    );
  }

  /** The leader of `leaderTerm` shows that its log has `entryTerm` at `index`. */
  #compareCommitted(leader: NodeId, leaderTerm: Term, index: Index, entryTerm: Term): void {
    const known = this.#committed[index - 1];
    // An entry that a later term's leader committed says nothing about the log of an earlier one.
    if (!known || known.term === entryTerm || (this.#commitTerms[index - 1] as Term) >= leaderTerm) return;
    throw new Violation(
      "R4 leader completeness",
      `leader ${leader} of term ${leaderTerm} has term ${entryTerm} at ${index}, committed is term ${known.term}`,
    );
  }

  #onEntry(entry: Entry, previousTerm: Term | undefined): void {
    const key = entry.index * termsMax + entry.term;
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { data: entry.data, type: entry.type, previousTerm });
      return;
    }
    if (known.type !== entry.type || !equalBytes(known.data, entry.data)) {
      throw new Violation("R3 log matching", `two different entries have index ${entry.index} and term ${entry.term}`);
    }
    if (previousTerm === undefined) return;
    known.previousTerm ??= previousTerm;
    if (known.previousTerm !== previousTerm) {
      throw new Violation(
        "R3 log matching",
        `before index ${entry.index} of term ${entry.term} stand terms ${known.previousTerm} and ${previousTerm}`,
      );
    }
  }

  #shown(node: NodeId): Shown {
    let shown = this.#members.get(node);
    if (!shown)
      this.#members.set(
        node,
        (shown = { term: 0, terms: new Map(), commit: 0, applied: 0, leading: undefined, delivered: 0 }),
      );
    return shown;
  }
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left === right) return true;
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return false;
  return true;
}
