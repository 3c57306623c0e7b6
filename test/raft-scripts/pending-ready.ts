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
  readonly committedEntries: readonly Entry[];
  readonly readStates: readonly ReadState[];
}

/**
 * The core sends what a turn has gathered when its Ready is taken; etcd/raft sends at once. So a Ready is taken after
 * every single input, and kept here until the script handles one: the core's contract allows for any number of
 * Readies to be outstanding, and `persisted` of the last covers them all.
 */
export class ReadyGatherer {
  readonly #raft: Raft;
  #number = 0;
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

  constructor(raft: Raft, hardState: HardState, last: { readonly index: Index; readonly term: Term }) {
    this.#raft = raft;
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
    const lists = [this.#entries, this.#messages, this.#afterPersist, this.#committed, this.#reads];
    return lists.some((list) => list.length > 0);
  }

  take(): PendingReady {
    const { role, leader, term, vote, commit } = this.#raft.status();
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
      committedEntries: this.#committed,
      readStates: this.#reads,
    };
    this.#softState = { role, leader };
    this.#hardState = { term, vote, commit };
    this.#number = 0;
    this.#snapshot = undefined;
    this.#entries = [];
    this.#messages = [];
    this.#afterPersist = [];
    this.#committed = [];
    this.#reads = [];
    return ready;
  }

  /** The first `count` committed entries that have been gathered and not been taken. */
  takeCommitted(count: number): readonly Entry[] {
    return this.#committed.splice(0, count);
  }

  #add(ready: Ready): void {
    this.#number = ready.number;
    if (ready.snapshot !== undefined) {
      this.#snapshot = ready.snapshot;
      this.#entries = [];
      this.last = ready.snapshot;
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
    this.#afterPersist.push(...answers, ...this.#ownAnswers(ready));
    this.#committed.push(...ready.committedEntries);
    this.#reads.push(...ready.readStates);
  }

  /** The core counts its own vote and entries when `persisted` tells of them; etcd/raft sends itself answers like any other member's. */
  #ownAnswers({ softState, entries }: Ready): Message[] {
    const { id, role, term } = this.#raft.status();
    if (role === "Leader" && entries.length > 0) {
      return [Object.assign(draft("MsgAppResp", id, id, term), { index: entries.at(-1)!.index })];
    }
    if (softState?.role === "Candidate") return [draft("MsgVoteResp", id, id, term)];
    if (softState?.role === "PreCandidate") return [draft("MsgPreVoteResp", id, id, term + 1)];
    return [];
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
