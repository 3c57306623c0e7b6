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
  /** Leader only: what it knows of each member's log. */
  readonly progress: readonly { readonly id: number; readonly match: number; readonly active: boolean }[];
}

/** Consensus as the servers need it. */
export interface ReplicaControl {
  status(): ReplicaStatus;
  /** Asks that `to` leads; the outcome is seen in `status`. Goes to the leader from any replica. */
  transferLeadership(to: number): void;
}

/** Where the other replicas are reached. */
export interface MemberAddresses {
  readonly id: number;
  readonly name: string;
  readonly api: string;
  readonly agents: string;
  readonly replicas: string;
}
