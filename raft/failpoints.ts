/** Every point of this folder at which a test may crash, stop or delay the process, in the order of one write's way. */
export const failpoints = {
  /** A batch of records is about to be written. */
  logBeforeWrite: "log-before-write",
  /** The batch is written, not yet durable. */
  logAfterWrite: "log-after-write",
  /** The batch is durable, nobody was told. */
  logAfterSync: "log-after-sync",
  /** A new segment is durable with its first records. */
  logAfterRoll: "log-after-roll",
  /** The marker is about to be moved. */
  logBeforeMarker: "log-before-marker",
  /** An old segment is about to be removed. */
  logBeforeRemove: "log-before-remove",
  /** A torn tail was found and is about to be zeroed. */
  logBeforeCut: "log-before-cut",
  /** A Ready was taken, nothing of it is done. */
  afterReady: "after-ready",
  /** Messages that do not wait for the disk are about to leave. */
  beforeSend: "before-send",
  /** Messages that waited for the disk are about to leave. */
  beforeSendPersisted: "before-send-persisted",
  /** Committed entries were handed to the state machine. */
  afterCommitDelivered: "after-commit-delivered",
  /** A snapshot that this member made has its name, nobody was told. */
  snapshotMade: "snapshot-made",
  /** A snapshot from another member is whole and has its name, the core was not told. */
  snapshotReceived: "snapshot-received",
  /** The log was replaced by a snapshot, the state machine was not told. */
  snapshotReset: "snapshot-reset",
} as const;
