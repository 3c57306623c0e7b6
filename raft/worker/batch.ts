import { ikada } from "#proto/raft.js";
import { ByteWriter } from "../../src/base/byte-writer.js";
import { IkadaError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { bytesField, messageField, numberField, WireReader } from "../../src/base/wire.js";
import type { MessageClass } from "../../src/host/grpc.js";
import type { Entry, EntryType, Message } from "../core/types.js";
import { decodeMessage, encodeMessage, wireBytes } from "./codec.js";

/**
 * A `Batch` of raft.proto with the core's messages in it. Heads of batches and messages go through the generated code;
 * entries, of which there are hundreds in a message, are written and read by hand: the same bytes with none of the
 * objects between.
 */

const wire = ikada.raft.v1;

export type BatchInput = Omit<ikada.raft.v1.Batch.$Properties, "messages"> & { readonly messages?: readonly Message[] };
export type ReceivedBatch = Omit<ikada.raft.v1.Batch, "messages"> & { readonly messages: readonly Message[] };

export const batchClass: MessageClass<BatchInput, ReceivedBatch> = {
  encode: (batch) => ({ finish: () => encodeBatch(batch) }),
  decode: decodeBatch,
};

/** Numbers of raft.proto. */
const fields = { messages: 3, entries: 7 } as const;
const entryTypes: readonly EntryType[] = ["Normal", "ConfChange"];

function encodeBatch({ messages = [], ...head }: BatchInput): Uint8Array {
  const into = new ByteWriter(messages.reduce((sum, message) => sum + 2 * wireBytes(message), 64));
  into.bytes(wire.Batch.encode(head).finish());
  for (const message of messages)
    messageField(into, fields.messages, () => {
      into.bytes(wire.Message.encode(encodeMessage(message)).finish());
      for (const entry of message.entries) messageField(into, fields.entries, () => writeEntry(into, entry));
    });
  return into.take();
}

function writeEntry(into: ByteWriter, { term, index, type, data }: Entry): void {
  numberField(into, 1, term);
  numberField(into, 2, index);
  numberField(into, 3, entryTypes.indexOf(type));
  bytesField(into, 4, data);
}

/** @throws IkadaError Invalid, TooLarge; RangeError or TypeError for bytes that are no batch */
function decodeBatch(bytes: Uint8Array): ReceivedBatch {
  const { head, parts } = split(bytes, fields.messages);
  const messages = parts.map(readMessage);
  return Object.assign(wire.Batch.decode(head), { messages });
}

function readMessage(bytes: Uint8Array): Message {
  const { head, parts } = split(bytes, fields.entries);
  const message = decodeMessage(wire.Message.decode(head));
  if (parts.length === 0) return message;
  // One copy for all entries: what was received is part of a larger buffer, which is not ours.
  const own = new ByteWriter(bytes.length);
  return { ...message, entries: parts.map((part) => readEntry(own.bytes(part).take())) };
}

function readEntry(bytes: Uint8Array): Entry {
  const reader = new WireReader(bytes);
  let [term, index, typeNumber] = [0, 0, 0];
  let data: Uint8Array = noData;
  for (let field = reader.next(); field !== 0; field = reader.next())
    if (field === 1) term = reader.number();
    else if (field === 2) index = reader.number();
    else if (field === 3) typeNumber = reader.number();
    else if (field === 4) data = reader.bytes();
    else reader.skip();
  const type = entryTypes[typeNumber];
  if (!type) throw new IkadaError("Invalid", `Raft entry of unknown type ${typeNumber}`);
  if (data.length > limits.entryBytesMax) throw new IkadaError("TooLarge", `Raft entry of ${data.length} bytes`);
  return { term, index, type, data };
}

const noData = new Uint8Array(0);
/** Heads are read at once, so that they can share chunks. */
const heads = new ByteWriter(8 * 1024);

/** Views of the messages that stand under one field number, and all other fields as a message of their own. */
function split(
  bytes: Uint8Array,
  number: number,
): { readonly head: Uint8Array; readonly parts: readonly Uint8Array[] } {
  const reader = new WireReader(bytes);
  const parts: Uint8Array[] = [];
  for (;;) {
    const from = reader.position;
    const field = reader.next();
    if (field === 0) return { head: heads.take(), parts };
    if (field === number) parts.push(reader.bytes());
    else {
      reader.skip();
      heads.bytes(bytes.subarray(from, reader.position));
    }
  }
}
