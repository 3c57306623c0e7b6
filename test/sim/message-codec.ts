import type { Message } from "../../raft/core/types.js";
import { batchClass } from "../../raft/worker/batch.js";
import { wireFormat } from "../../raft/worker/codec.js";
import type { Codec } from "./network.js";

/** Production's bytes on the wire. */
export const messageCodec: Codec<Message> = {
  encode: (messages) => batchClass.encode({ format: wireFormat, messages }).finish(),
  decode: (bytes) => batchClass.decode(bytes).messages,
};
