import type { WaitOptions } from "../../store/store.js";

/** What a replica knows of consensus and of itself; filled by the wiring from raft/consensus.ts and the store. */
export interface ReplicaStatus {
  readonly id: number;
  readonly role: "Leader" | "Follower" | "Candidate" | "PreCandidate";
  readonly term: number;
  /** 0: none known. */
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly revision: number;
  readonly compactRevision: number;
  /** Of live objects, in memory, and of all rows with their history, on disk before its compression; about. */
  readonly liveBytes: number;
  readonly rowBytes: number;
  /** The newest of those at indexes that all replicas take. */
  readonly digests: readonly StateDigest[];
  /** Who votes, in either half of a joint configuration, and who only receives, as of the applied log. */
  readonly voters: readonly number[];
  readonly learners: readonly number[];
  /** Leader only: what it knows of each member's log. */
  readonly progress: readonly { readonly id: number; readonly match: number; readonly active: boolean }[];
}

/** What a replica's state was when it had applied this entry. */
export interface StateDigest {
  readonly index: number;
  readonly digest: string;
}

/** Consensus as the servers need it. */
export interface ReplicaControl {
  status(): ReplicaStatus;
  /** Asks that `to` leads; the outcome is seen in `status`. Goes to the leader from any replica. */
  transferLeadership(to: number): void;
  /** Resolves when the change is committed, and done at once for all its steps. On the leader only. `asOf`: only if the members have not changed behind this entry of the log. @throws IkadaError NoLeader, NotReady, Conflict, Invalid, Deadline */
  changeMembers(steps: readonly MemberStep[], asOf: number | undefined, wait: WaitOptions): Promise<void>;
}

export interface MemberStep {
  readonly type: "AddVoter" | "AddLearner" | "Remove";
  readonly node: number;
}

/** Where the other replicas are reached. */
export interface MemberAddresses {
  readonly id: number;
  readonly name: string;
  readonly api: string;
  readonly agents: string;
  readonly replicas: string;
  readonly raft: string;
}
