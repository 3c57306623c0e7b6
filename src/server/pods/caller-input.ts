import { setImmediate } from "node:timers/promises";
import { IkadaError } from "../../base/errors.js";

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
