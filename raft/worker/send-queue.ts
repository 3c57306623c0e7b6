import { limits } from "../../src/base/limits.js";
import type { Message } from "../core/types.js";
import { wireBytes } from "./codec.js";

/** Two full windows; what is beyond was sent in vain anyway. */
const queueBytesMax = 2 * limits.inflightBytesMax;

/** Messages for one peer, bounded by number and bytes: the oldest are dropped, Raft sends again. */
export class SendQueue {
  #messages: { readonly message: Message; readonly bytes: number }[] = [];
  #first = 0;
  #bytes = 0;
  /** Messages dropped since the start. */
  dropped = 0;

  get length(): number {
    return this.#messages.length - this.#first;
  }

  add(messages: readonly Message[]): void {
    for (const message of messages) {
      const bytes = wireBytes(message);
      this.#messages.push({ message, bytes });
      this.#bytes += bytes;
    }
    while (this.length > limits.peerQueueMessagesMax || (this.#bytes > queueBytesMax && this.length > 1)) {
      this.#shift();
      this.dropped++;
    }
  }

  /** The oldest messages, as many as fit one gRPC message. */
  take(): Message[] {
    const taken: Message[] = [];
    let bytes = 0;
    while (this.length > 0) {
      const next = this.#messages[this.#first];
      bytes += next?.bytes ?? 0;
      if (taken.length > 0 && bytes > limits.messageBytesMax / 2) break;
      const message = this.#shift();
      if (message) taken.push(message);
    }
    return taken;
  }

  clear(): void {
    this.#messages = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  #shift(): Message | undefined {
    const shifted = this.#messages[this.#first++];
    this.#bytes -= shifted?.bytes ?? 0;
    // Moving all the rest for each message would be quadratic.
    if (this.#first > 1024 || this.#first === this.#messages.length) {
      this.#messages.splice(0, this.#first);
      this.#first = 0;
    }
    return shifted?.message;
  }
}
