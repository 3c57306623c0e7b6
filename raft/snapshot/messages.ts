import type { Message } from "../core/types.js";
import type { SnapshotIdentity } from "./files.js";

/** Grows when an older member could misread what is sent. */
export const snapshotWireFormat = 1;

/**
 * What members tell each other about a transfer, on a channel of its own. Any of it may be lost, doubled or late: the sender repeats, the
 * receiver always answers with what it has. `transfer` is the sender's number for one file to one member. `attempt` counts how
 * often the sender began again at the receiver's offset; an answer carries that of what it answers.
 */
export type SnapshotMessage = Offer | Chunk | Have | Refuse;

/** From the sender: this is what I have; where shall I begin? */
export interface Offer extends SnapshotIdentity {
  readonly type: "Offer";
  readonly transfer: number;
  readonly attempt: number;
  /** The MsgSnap that the receiver's core gets once the file is there. */
  readonly message: Message;
}

export interface Chunk {
  readonly type: "Chunk";
  readonly transfer: number;
  readonly attempt: number;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly crc: number;
}

/** From the receiver: all before `offset` is written here; the whole file is durable, or not needed, when `whole`. */
export interface Have {
  readonly type: "Have";
  readonly transfer: number;
  readonly attempt: number;
  readonly offset: number;
  readonly whole: boolean;
}

/** From the receiver: not this one, not now. */
export interface Refuse {
  readonly type: "Refuse";
  readonly transfer: number;
  readonly reason: string;
}
