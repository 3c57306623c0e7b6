import { setImmediate } from "node:timers/promises";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import { IkadaError } from "../../base/errors.js";
import { readMessages } from "../../host/grpc.js";
import { firstMessage } from "../agents/first-message.js";

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
