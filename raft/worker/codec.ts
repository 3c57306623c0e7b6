import { ikada } from "#proto/raft.js";
import { IkadaError } from "../../src/base/errors.js";
import { noEntries } from "../core/message.js";
import type { ConfState, Message, MessageType, SnapshotMeta } from "../core/types.js";

/** The core's messages as they are on the wire, and back. The only file that knows the generated Raft types. */

/** Grows when an older member could misread a batch. */
export const wireFormat = 1;

/** Of the greeting alone, which grows by fields that older members ignore. */
export const greetingFormat = 1;

export type WireAck = ikada.raft.v1.Ack;
export type WireAckInput = ikada.raft.v1.Ack.$Properties;
export const { Ack } = ikada.raft.v1;
export const { stream: streamRpc } = ikada.raft.v1.Raft.prototype;

/** Position is the number on the wire; never reordered. */
const messageTypes: readonly MessageType[] = [
  "MsgApp",
  "MsgAppResp",
  "MsgVote",
  "MsgVoteResp",
  "MsgPreVote",
  "MsgPreVoteResp",
  "MsgHeartbeat",
  "MsgHeartbeatResp",
  "MsgProp",
  "MsgReadIndex",
  "MsgReadIndexResp",
  "MsgTimeoutNow",
  "MsgTransferLeader",
  "MsgSnap",
];
const typeNumbers = new Map(messageTypes.map((type, number) => [type, number]));

/** Without its entries, which batch.ts adds. Fields that are zero stay off the wire. */
export function encodeMessage(message: Message): ikada.raft.v1.Message.$Properties {
  return {
    type: typeNumbers.get(message.type) ?? null,
    from: message.from,
    to: message.to,
    term: message.term,
    logTerm: message.logTerm || null,
    index: message.index || null,
    commit: message.commit || null,
    reject: message.reject || null,
    rejectHint: message.rejectHint || null,
    context: message.context || null,
    session: message.session || null,
    snapshot: message.snapshot ? encodeSnapshot(message.snapshot) : null,
  };
}

/** Without its entries, as above. @throws IkadaError Invalid for a message that no member sends */
export function decodeMessage(wire: ikada.raft.v1.Message.$Properties): Message {
  const type = messageTypes[wire.type ?? 0];
  if (!type) throw new IkadaError("Invalid", `Raft message of unknown type ${wire.type}`);
  return {
    type,
    from: integer("from", wire.from),
    to: integer("to", wire.to),
    term: integer("term", wire.term),
    logTerm: integer("log_term", wire.logTerm),
    index: integer("index", wire.index),
    entries: noEntries,
    commit: integer("commit", wire.commit),
    reject: wire.reject ?? false,
    rejectHint: integer("reject_hint", wire.rejectHint),
    context: integer("context", wire.context),
    session: integer("session", wire.session),
    snapshot: wire.snapshot ? decodeSnapshot(wire.snapshot) : undefined,
  };
}

/** About what a message takes on the wire. */
export function wireBytes(message: Message): number {
  return message.entries.reduce((sum, entry) => sum + entry.data.length + 24, 64);
}

function encodeSnapshot({ index, term, configuration }: SnapshotMeta): ikada.raft.v1.Snapshot.$Properties {
  const { voters, outgoing, learners, learnersNext, autoLeave } = configuration;
  return {
    index,
    term,
    voters: [...voters],
    outgoing: [...outgoing],
    learners: [...learners],
    learnersNext: [...learnersNext],
    autoLeave: autoLeave || null,
  };
}

function decodeSnapshot(wire: ikada.raft.v1.Snapshot.$Properties): SnapshotMeta {
  const configuration: ConfState = {
    voters: ids("voters", wire.voters),
    outgoing: ids("outgoing", wire.outgoing),
    learners: ids("learners", wire.learners),
    learnersNext: ids("learners_next", wire.learnersNext),
    autoLeave: wire.autoLeave ?? false,
  };
  return { index: integer("index", wire.index), term: integer("term", wire.term), configuration };
}

function ids(field: string, list: readonly number[] | null | undefined): number[] {
  return (list ?? []).map((id) => integer(field, id));
}

function integer(field: string, value: number | null | undefined): number {
  const read = value ?? 0;
  if (Number.isSafeInteger(read) && read >= 0) return read;
  throw new IkadaError("Invalid", `Raft message: ${field} is ${read}`);
}
