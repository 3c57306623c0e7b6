import type { ApplyPacing } from "./apply-pacing.js";
import { draft } from "../../raft/core/message.js";
import type { Raft } from "../../raft/core/raft.js";
import type {
  Entry,
  HardState,
  Index,
  Message,
  ReadState,
  Ready,
  SnapshotMeta,
  SoftState,
  Term,
} from "../../raft/core/types.js";

/** What of the core's Readies a script's `process-ready` will handle as one. */
export interface PendingReady {
  /** Of the last Ready in it; 0 when there is none. */
  readonly number: number;
  readonly softState: SoftState | undefined;
  readonly hardState: HardState | undefined;
  readonly snapshot: SnapshotMeta | undefined;
  readonly entries: readonly Entry[];
  readonly mustSync: boolean;
  readonly messages: readonly Message[];
  /** In the order in which they came up: the core's `messagesAfterPersist`, and the node's answers to itself. */
  readonly afterPersist: readonly Message[];
  /** Which of the core's Readies an answer to itself stands for. */
  readonly numbers: ReadonlyMap<Message, number>;
  readonly committedEntries: readonly Entry[];
  /** How many of these, the last ones, are among `entries` and have not been handed out by the core yet. */
  readonly early: number;
  readonly readStates: readonly ReadState[];
}

/**
 * The core sends what a turn has gathered when its Ready is taken; etcd/raft sends at once. So a Ready is taken after
 * every single input, and kept here until the script handles one: the core's contract allows for any number of
 * Readies to be outstanding, and `persisted` of the last covers them all.
 */
export class ReadyGatherer {
  readonly #raft: Raft;
  readonly #pacing: ApplyPacing;
  readonly #appliesUnstable: boolean;
  /** The core has handed out committed entries up to here. */
  #handedOut: Index;
  #term: Term;
  #number = 0;
  #numbers = new Map<Message, number>();
  #snapshot: SnapshotMeta | undefined;
  #entries: Entry[] = [];
  #messages: Message[] = [];
  #afterPersist: Message[] = [];
  #committed: Entry[] = [];
  #reads: ReadState[] = [];
  /** As of the last Ready that a script has handled. */
  #softState: SoftState;
  #hardState: HardState;
  /** The last entry of the log. */
  last: { readonly index: Index; readonly term: Term };

  /**
   * Who writes before applying may apply in the same Ready what it writes in it, `appliesUnstable`; the core hands that out when
   * it has been told that it is durable.
   */
  constructor(
    raft: Raft,
    hardState: HardState,
    last: { readonly index: Index; readonly term: Term },
    pacing: ApplyPacing,
    appliesUnstable: boolean,
  ) {
    this.#raft = raft;
    this.#pacing = pacing;
    this.#appliesUnstable = appliesUnstable;
    this.#handedOut = last.index;
    this.#term = hardState.term;
    const { role, leader } = raft.status();
    this.#softState = { role, leader };
    this.#hardState = hardState;
    this.last = last;
  }

  /** To be called after every input to the core. */
  gather(): void {
    while (this.#raft.hasReady()) this.#add(this.#raft.ready());
  }

  /** A message that the node sends beside the core. */
  addMessage(message: Message): void {
    this.#messages.push(message);
  }

  hasReady(): boolean {
    if (this.#isSoftStateChanged() || this.#isHardStateChanged() || this.#snapshot !== undefined) return true;
    const lists = [this.#entries, this.#messages, this.#afterPersist, this.#reads];
    return lists.some((list) => list.length > 0) || this.#pacing.allows(this.#appliable());
  }

  take(): PendingReady {
    const { role, leader, term, vote, commit } = this.#raft.status();
    const appliable = this.#appliable();
    const count = this.#pacing.take(appliable);
    const early = Math.max(0, count - this.#committed.length);
    const isVoteChanged = term !== this.#hardState.term || vote !== this.#hardState.vote;
    const ready: PendingReady = {
      number: this.#number,
      softState: this.#isSoftStateChanged() ? { role, leader } : undefined,
      hardState: this.#isHardStateChanged() ? { term, vote, commit } : undefined,
      snapshot: this.#snapshot,
      entries: this.#entries,
      mustSync: isVoteChanged || this.#entries.length > 0,
      messages: this.#messages,
      afterPersist: this.#afterPersist,
      numbers: this.#numbers,
      committedEntries: appliable.slice(0, count),
      early,
      readStates: this.#reads,
    };
    this.#softState = { role, leader };
    this.#hardState = { term, vote, commit };
    this.#number = 0;
    this.#numbers = new Map();
    this.#snapshot = undefined;
    this.#entries = [];
    this.#messages = [];
    this.#afterPersist = [];
    this.#committed.splice(0, count);
    this.#reads = [];
    return ready;
  }

  /** The core has handed out by now what a Ready had of it early. */
  forgetCommitted(count: number): void {
    this.#committed.splice(0, count);
  }

  #appliable(): Entry[] {
    if (!this.#appliesUnstable || this.#snapshot !== undefined) return [...this.#committed];
    const { commit } = this.#raft.status();
    const early = this.#entries.filter(({ index }) => index > this.#handedOut && index <= commit);
    return early[0]?.index === this.#handedOut + 1 ? this.#committed.concat(early) : [...this.#committed];
  }

  #add(ready: Ready): void {
    this.#number = ready.number;
    if (ready.snapshot !== undefined) {
      this.#snapshot = ready.snapshot;
      this.#entries = [];
      this.last = ready.snapshot;
      this.#handedOut = ready.snapshot.index;
    }
    const first = ready.entries[0];
    if (first !== undefined) {
      this.#entries = [...this.#entries.filter(({ index }) => index < first.index), ...ready.entries];
      this.last = ready.entries.at(-1)!;
    }
    // On purpose against the core's contract: etcd/raft lets requests for votes leave before the candidate's own vote is durable.
    const isVoteRequest = ({ type }: Message): boolean => type === "MsgVote";
    this.#messages.push(...ready.messages, ...ready.messagesAfterPersist.filter(isVoteRequest));
    const answers = ready.messagesAfterPersist.filter((message) => !isVoteRequest(message));
    this.#afterPersist.push(...answers);
    this.#answerItself(ready);
    this.#committed.push(...ready.committedEntries);
    this.#handedOut = ready.committedEntries.at(-1)?.index ?? this.#handedOut;
    this.#reads.push(...ready.readStates);
  }

  /** The core counts its own vote and entries when `persisted` tells of them; etcd/raft sends itself answers like any other member's. */
  #answerItself(ready: Ready): void {
    const { id, role, term, configuration } = this.#raft.status();
    const isNewTerm = term !== this.#term;
    this.#term = term;
    const isPreVote =
      ready.softState?.role === "PreCandidate" || ready.messages.some(({ type }) => type === "MsgPreVote");
    const isAlone = configuration.voters.length === 1 && configuration.outgoing.length === 0;
    let answer: Message | undefined;
    if (role === "Leader" && ready.entries.length > 0) {
      answer = Object.assign(draft("MsgAppResp", id, id, term), { index: ready.entries.at(-1)!.index });
    } else if (role === "Candidate" && isNewTerm) {
      answer = draft("MsgVoteResp", id, id, term);
    } else if (role === "PreCandidate" && (isPreVote || isAlone)) {
      answer = draft("MsgPreVoteResp", id, id, term + 1);
    }
    if (answer === undefined) return;
    this.#afterPersist.push(answer);
    this.#numbers.set(answer, ready.number);
  }

  #isSoftStateChanged(): boolean {
    const { role, leader } = this.#raft.status();
    return role !== this.#softState.role || leader !== this.#softState.leader;
  }

  #isHardStateChanged(): boolean {
    const { term, vote, commit } = this.#raft.status();
    const before = this.#hardState;
    return term !== before.term || vote !== before.vote || commit !== before.commit;
  }
}
