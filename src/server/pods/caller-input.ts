import { setImmediate } from "node:timers/promises";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { IkadaError } from "../../base/errors.js";
import { readMessages } from "../../host/grpc.js";
import { firstMessage } from "../agents/first-message.js";
import type { FrameSource } from "../agents/pod-streams.js";

const openMsMax = 10_000;

/** What a caller's first message says is to be opened, and the messages behind it. @throws IkadaError BadRequest, Deadline when none comes */
export async function callerOpening<Message extends { readonly open?: object | null }>(
  stream: ServerDuplexStream<Message, unknown>,
  signal: AbortSignal,
): Promise<{
  readonly open: NonNullable<Message["open"]>;
  readonly messages: AsyncGenerator<Message, void, undefined>;
}> {
  const messages = readMessages(stream, signal);
  const first = await firstMessage(messages, openMsMax, "no message that says what to open");
  const open = first.done ? undefined : first.value.open;
  if (!open) throw new IkadaError("BadRequest", "the first message of this call is `open`");
  return { open, messages };
}

/** A caller's messages to the end that it has made. One that goes in the middle has made none. @throws IkadaError Cancelled */
export async function* callerInput<Message>(
  messages: AsyncGenerator<Message, void, undefined>,
  signal: AbortSignal,
): AsyncGenerator<Message, void, undefined> {
  yield* messages;
  // A lost caller's stream may end a moment before it is known to be lost.
  await setImmediate();
  if (signal.aborted) throw new IkadaError("Cancelled", "the caller has gone");
}

/** The pieces of an archive to its end, which the caller says. @throws IkadaError BadRequest, Cancelled when the caller went before it said that this is all */
export async function* archiveInput(messages: AsyncGenerator<ArchiveMessage, void, undefined>): FrameSource {
  for await (const { open, data, end } of messages) {
    if (open) throw new IkadaError("BadRequest", "`open` came twice");
    if (data && data.length > 0) yield { data };
    if (end) return yield { end: true };
  }
  throw new IkadaError("Cancelled", "the caller ended before the archive did");
}

interface ArchiveMessage {
  readonly open?: object | null;
  readonly data?: Uint8Array | null;
  readonly end?: boolean | null;
}
