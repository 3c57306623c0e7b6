import { invariant } from "./invariant.js";
import type { NodeId } from "./types.js";

export interface RaftConfig {
  /** Who this node is; above 0. */
  readonly id: NodeId;
  /**
   * Ticks without a leader after which an election may start, and for which a follower that hears a leader refuses
   * to vote for others. Several heartbeats long.
   */
  readonly electionTicks: number;
  /** Each wait for a leader is longer than `electionTicks` by a number drawn from [0, electionJitterTicks). */
  readonly electionJitterTicks: number;
  /** Ticks between a leader's heartbeats. */
  readonly heartbeatTicks: number;
  /** Payload bytes in one append message; one larger entry goes alone. */
  readonly appendBytesMax: number;
  /** Entries in one append message. */
  readonly appendEntriesMax: number;
  /** Append messages on their way to one follower, by count and by payload bytes. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** Payload bytes proposed here and not applied yet, above which proposals are refused as Overloaded. */
  readonly uncommittedBytesMax: number;
  /** Payload bytes handed to the state machine and not reported as applied, above which no more are handed out. */
  readonly committedBytesMax: number;
  /** Reads waiting for confirmation, here or forwarded; above it they are refused. */
  readonly pendingReadsMax: number;
  /** Ask for votes before taking a new term (thesis 9.6), so that a node that comes back does not depose a leader. */
  readonly preVote: boolean;
  /**
   * A pre-candidate asks again after this many ticks and up to as many more, drawn; 0: after another election timeout. Members lose
   * patience with a silent leader one after the other, so that the first to ask is refused: a question costs nothing, the wait would.
   */
  readonly preVoteRetryTicks: number;
  /** A leader that does not hear a quorum for `electionTicks` steps down, and followers keep to a leader they hear (thesis 6.2, 6.4). */
  readonly checkQuorum: boolean;
  /**
   * Answer reads without a round of messages while a quorum has promised silence (lease.ts): quicker, and stale if a clock
   * misleads. All members alike; needs `checkQuorum`. `forgetLeader` and campaigns ahead of time are refused then.
   */
  readonly leaseReads: boolean;
  /**
   * When a leader takes a proposed change of the members. `NoOp`: when the first entry of its term is applied, and the change
   * is valid then (single-server bug, raft-dev 2015). `EarlierChanges`: when all that it found in its log is applied, which is
   * as safe while changes count from when they are applied, and what etcd/raft does. `None`: always; who applies it has to know that it is valid.
   */
  readonly confChangeGuard: "NoOp" | "EarlierChanges" | "None";
  /**
   * Whether who refuses a vote tells what it knows to be committed, by which a candidate that has it commits it too. Without it one that has not
   * heard of a change's end may need the votes of members that the change removed, and whose logs are longer.
   */
  readonly refusalsTellCommit: boolean;
  /** A leader that a change removes or demotes makes way as soon as the change is applied (thesis 4.2.2); else it leads on without counting itself. */
  readonly stepDownOnRemoval: boolean;
}

/** What holds where a caller has no better reason. The bounds are those of one process among a few, on a local network. */
export const defaultRaftConfig: Omit<RaftConfig, "id"> = Object.freeze({
  electionTicks: 10,
  electionJitterTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1024 * 1024,
  appendEntriesMax: 256,
  inflightMessagesMax: 64,
  inflightBytesMax: 16 * 1024 * 1024,
  uncommittedBytesMax: 32 * 1024 * 1024,
  committedBytesMax: 16 * 1024 * 1024,
  pendingReadsMax: 16 * 1024,
  preVote: true,
  preVoteRetryTicks: 0,
  checkQuorum: true,
  leaseReads: false,
  confChangeGuard: "NoOp",
  refusalsTellCommit: true,
  stepDownOnRemoval: true,
});

/** Throws when the numbers contradict each other. */
export function checkConfig(config: RaftConfig): void {
  invariant(
    Number.isSafeInteger(config.id) && config.id > 0,
    `${config.id} is no node id: it must be a positive integer`,
  );
  invariant(config.heartbeatTicks >= 1, "heartbeatTicks must be at least 1");
  checkElectionTicks(config.electionTicks, config.electionJitterTicks, config.heartbeatTicks);
  invariant(config.checkQuorum || !config.leaseReads, "leaseReads needs checkQuorum");
  invariant(config.appendEntriesMax >= 1, "appendEntriesMax must be at least 1");
  invariant(config.inflightMessagesMax >= 1, "inflightMessagesMax must be at least 1");
  invariant(
    config.inflightBytesMax >= config.appendBytesMax,
    "inflightBytesMax must hold one append of appendBytesMax",
  );
  invariant(config.committedBytesMax >= 1 && config.uncommittedBytesMax >= 1, "byte bounds must be positive");
  invariant(config.pendingReadsMax >= 1, "pendingReadsMax must be at least 1");
}

export function checkElectionTicks(electionTicks: number, jitterTicks: number, heartbeatTicks: number): void {
  invariant(electionTicks > heartbeatTicks, "electionTicks must be more than heartbeatTicks");
  invariant(jitterTicks >= 0, "electionJitterTicks must not be negative");
}
