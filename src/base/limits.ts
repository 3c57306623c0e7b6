/**
 * The bounds that more than one file keeps to, or that users and operators meet, with their units in their names and their reasons
 * beside them; what bounds one file alone is a constant of that file. Relations between them are checked by `checkLimits` at process start and in a test.
 */
export const limits = {
  /** One object's JSON. Kubernetes' etcd default is 1.5 MiB; smaller keeps watches and log entries cheap. */
  objectBytesMax: 1024 * 1024,
  /** Depth of nesting in a manifest or object; deeper input is refused before it is walked. */
  objectDepthMax: 64,
  /** YAML aliases in one document (billion laughs). */
  yamlAliasesMax: 50,
  /** Documents in one manifest file. */
  manifestDocumentsMax: 1000,
  /** One gRPC message, both directions. Holds several objects. */
  messageBytesMax: 4 * 1024 * 1024,
  /** One Raft log entry (a command). Above one object with its envelope, below one message. */
  entryBytesMax: 2 * 1024 * 1024,
  /** Entries and bytes in one append message to a peer. */
  appendEntriesMax: 256,
  appendBytesMax: 1024 * 1024,
  /** Append messages in flight to one follower. */
  inflightMessagesMax: 64,
  inflightBytesMax: 16 * 1024 * 1024,
  /** Proposed and not yet committed bytes on the leader; above it proposals are refused as Overloaded. */
  uncommittedBytesMax: 32 * 1024 * 1024,
  /** Proposals, and reads, that a replica holds while there is no leader, and how long it holds them. */
  heldProposalsMax: 1024,
  heldProposalMsMax: 5_000,
  /** Messages waiting for one peer; the oldest are dropped, Raft sends again. */
  peerQueueMessagesMax: 4096,
  /** Bytes and events a watcher may lag behind before it is closed with the revision to resume from; history in memory is as long. */
  watchQueueEventsMax: 4096,
  watchQueueBytesMax: 8 * 1024 * 1024,
  watchesPerReplicaMax: 10_000,
  /** Characters of a label or field selector. */
  selectorLengthMax: 4096,
  /** Operations of one JSON patch: each may move the rest of a long list. */
  patchOperationsMax: 1000,
  /** Objects in one page of a list. */
  listPageMax: 1000,
  /** Objects that one call of DeleteCollection deletes. */
  deletePageMax: 256,
  /** Changes in one page of an object's history, and fields named in one of them. */
  historyPageMax: 100,
  historyFieldsMax: 64,
  /** Operations in one transaction and transactions in one log entry. */
  txnOperationsMax: 1024,
  txnBatchMax: 512,
  /** Operations in one transaction of etcd's services, as there. */
  etcdTxnOperationsMax: 128,
  /** Clients remembered for exactly-once retries, and answers kept for each. */
  requestClientsMax: 4096,
  requestsPerClientMax: 64,
  /** gRPC requests in work on one replica. */
  requestsInWorkMax: 1024,
  /** Unary calls without a deadline of their own get this one. */
  requestMsDefault: 15_000,
  /** Agents connected to one replica. */
  agentSessionsMax: 2_000,
  /** Connections to one listener, in all states; more are closed at once. */
  connectionsPerListenerMax: 4_096,
  /** Streams to Pods (logs, exec, forwarded connections, copies) open on one replica. */
  podStreamsMax: 256,
  /** Election timeout base and its random extra; heartbeat is one tick. */
  tickMs: 50,
  electionTicks: 6,
  electionJitterTicks: 6,
  /** The base grows up to this on a slow machine or network (raft/adaptive-timeout.ts). */
  electionTicksMax: 20,
  /**
   * Of the log that the state machine has durably, so much stays for followers that were away: the last entries up to either bound.
   * For one that is slow and still there, up to the last bound. Further behind, a member gets a snapshot.
   */
  logKeptEntries: 20_000,
  logKeptBytes: 32 * 1024 * 1024,
  logHeldBytesMax: 128 * 1024 * 1024,
  /** Writing a snapshot, and sending them to all members together. */
  snapshotBytesPerSecond: 32 * 1024 * 1024,
  /**
   * Backups that one replica sends at once, and the rate of all of them together. Each holds a view of the disk, so one ends after a while, and
   * sooner when its reader stands still.
   */
  backupsMax: 2,
  backupBytesPerSecond: 32 * 1024 * 1024,
  backupMsMax: 60 * 60_000,
  backupIdleMsMax: 30_000,
  /** Servers of a cluster, learners among them. */
  membersMax: 32,
  /** A learner this near to the leader's commit index is caught up: it needs less than a heartbeat for the rest. */
  promotionBehindEntriesMax: 2_048,
  /** One file of the Raft log. */
  segmentBytes: 64 * 1024 * 1024,
} as const;

/** Throws when two limits contradict each other. */
export function checkLimits(): void {
  const rules: readonly (readonly [boolean, string])[] = [
    [limits.objectBytesMax < limits.entryBytesMax, "one object fits one log entry"],
    [limits.entryBytesMax < limits.messageBytesMax, "one log entry fits one message"],
    [limits.appendBytesMax <= limits.inflightBytesMax, "one append fits the window"],
    [limits.entryBytesMax < limits.uncommittedBytesMax, "one entry fits the uncommitted tail"],
    [limits.electionTicks >= 3, "a lost heartbeat is no election"],
    [limits.electionTicks <= limits.electionTicksMax, "the election timeout adapts upwards"],
    [limits.deletePageMax <= limits.txnBatchMax, "a page of deletions fits one log entry by count"],
    [limits.entryBytesMax < limits.segmentBytes, "one entry fits one segment"],
    [limits.logKeptBytes <= limits.logHeldBytesMax, "a slow follower has at least what one that was away has"],
  ];
  for (const [holds, rule] of rules) if (!holds) throw new Error(`limits contradict each other: ${rule}`);
}
