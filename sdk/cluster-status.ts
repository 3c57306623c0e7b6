import type { ikada } from "#proto/api.js";

/** The servers, the leader, and how far each log is, as one server sees it. */
export interface ClusterStatus {
  /** What the servers' configuration calls the cluster. */
  readonly clusterId: string;
  /** Its id; 0 when there is none. */
  readonly leader: number;
  /** Of Raft: counts elections. */
  readonly term: number;
  /** The id of the server that was asked. */
  readonly answeredBy: number;
  /** Those in the address book. What is below `role` is known of reachable ones only. */
  readonly members: readonly {
    readonly id: number;
    readonly name: string;
    readonly apiAddress: string;
    readonly reachable: boolean;
    readonly role: string;
    /** Voter, Learner, or None while it is in the address book only. */
    readonly membership: string;
    readonly term: number;
    readonly commit: number;
    readonly applied: number;
    readonly lastIndex: number;
    /** How far its log is known to the leader to agree with its own. */
    readonly match: number;
    readonly revision: number;
    readonly version: string;
  }[];
}

/** As the SDK gives it. */
export function clusterStatusFromWire(answer: ikada.api.v1.ClusterStatusResponse): ClusterStatus {
  const { clusterId, leader, term, answeredBy } = answer;
  const members = answer.members.map((member) => ({
    id: member.id ?? 0,
    name: member.name ?? "",
    apiAddress: member.apiAddress ?? "",
    reachable: member.reachable ?? false,
    role: member.role ?? "",
    membership: member.membership ?? "",
    term: member.term ?? 0,
    commit: member.commit ?? 0,
    applied: member.applied ?? 0,
    lastIndex: member.lastIndex ?? 0,
    match: member.match ?? 0,
    revision: member.revision ?? 0,
    version: member.version ?? "",
  }));
  return { clusterId, leader, term, answeredBy, members };
}
