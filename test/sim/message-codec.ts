import type { Message } from "../../raft/core/types.js";
import { Batch, decodeMessage, encodeMessage, wireFormat } from "../../raft/worker/codec.js";
import type { Codec } from "./network.js";

/** Production's bytes on the wire. */
export const messageCodec: Codec<Message> = {
  encode: (messages) => Batch.encode({ format: wireFormat, messages: messages.map(encodeMessage) }).finish(),
  decode: (bytes) => Batch.decode(bytes).messages.map(decodeMessage),
};
