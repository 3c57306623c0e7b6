import { ikada } from "#proto/raft.js";
import { IkadaError } from "../../src/base/errors.js";
import type { SnapshotMessage } from "../snapshot/messages.js";
import { decodeMessage, encodeMessage } from "./codec.js";

/** What members tell each other about snapshots, as it is on the wire, and back. */
export type WireFrame = ikada.raft.v1.SnapshotFrame;
export type WireFrameInput = ikada.raft.v1.SnapshotFrame.$Properties;
export const { SnapshotFrame } = ikada.raft.v1;
export const { snapshots: snapshotsRpc } = ikada.raft.v1.Raft.prototype;

/** Position is the number on the wire; never reordered. The first frame of a stream, the greeting, has 0. */
const types: readonly (SnapshotMessage["type"] | "Greeting")[] = ["Greeting", "Offer", "Chunk", "Have", "Refuse"];

export function encodeFrame(message: SnapshotMessage): WireFrameInput {
  const { type, transfer } = message;
  const frame = { type: types.indexOf(type), transfer };
  if (message.type === "Refuse") return { ...frame, reason: message.reason };
  const { attempt } = message;
  if (message.type === "Have") return { ...frame, attempt, offset: message.offset, whole: message.whole };
  if (message.type === "Chunk")
    return { ...frame, attempt, offset: message.offset, data: message.data, crc: message.crc };
  const { index, term, bytes, digest } = message;
  return { ...frame, attempt, index, term, bytes, digest, message: encodeMessage(message.message) };
}

/** @throws IkadaError Invalid for a frame that no member sends */
export function decodeFrame(frame: WireFrame): SnapshotMessage {
  const { transfer, attempt, offset, index, term, bytes, digest } = frame;
  for (const value of [transfer, attempt, offset, index, term, bytes])
    if (!Number.isSafeInteger(value) || value < 0) throw unknown(`a number in it is ${value}`);
  switch (types[frame.type]) {
    case "Offer":
      if (!frame.message || !/^[0-9a-f]{16}$/.test(digest)) throw unknown("an offer without message or digest");
      return { type: "Offer", transfer, attempt, index, term, bytes, digest, message: decodeMessage(frame.message) };
    case "Chunk":
      return { type: "Chunk", transfer, attempt, offset, data: new Uint8Array(frame.data), crc: frame.crc };
    case "Have":
      return { type: "Have", transfer, attempt, offset, whole: frame.whole };
    case "Refuse":
      return { type: "Refuse", transfer, reason: frame.reason };
    default:
      throw unknown(`its type is ${frame.type}`);
  }
}

function unknown(what: string): IkadaError {
  return new IkadaError("Invalid", `a snapshot frame makes no sense: ${what}`);
}
