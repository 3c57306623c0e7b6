import { limits } from "../../src/base/limits.js";

/** Sizes and times of making and sending snapshots. */
export interface SnapshotTuning {
  /** Bytes of rows in a chunk of the file. The same on all members. */
  readonly chunkBytes: number;
  /** Bytes of the file in one message. */
  readonly messageBytes: number;
  /** Sent and not yet answered. */
  readonly windowBytes: number;
  /** Of making a file, and of sending to all members together. */
  readonly bytesPerSecond: number;
  /** The receiver makes durable what it has at least so often. */
  readonly syncBytes: number;
  /** Without progress for so long, the sender begins again where the receiver is. */
  readonly retryMs: number;
  /** Without progress for so long, the transfer has failed. */
  readonly silentMsMax: number;
}

export const defaultSnapshotTuning: SnapshotTuning = {
  chunkBytes: 256 * 1024,
  messageBytes: 256 * 1024,
  windowBytes: 4 * 1024 * 1024,
  bytesPerSecond: limits.snapshotBytesPerSecond,
  syncBytes: 8 * 1024 * 1024,
  retryMs: 1_000,
  silentMsMax: 30_000,
};
