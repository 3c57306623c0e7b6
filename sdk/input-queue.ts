import { IkadaError } from "../src/base/errors.js";

/** A call in both directions that a server has taken. */
export interface OpenCall<Message, Answer> {
  readonly messages: AsyncGenerator<Answer, void, undefined>;
  readonly input: InputQueue<Message>;
  /** Ends it, also while an answer is waited for. */
  readonly cancel: () => void;
}

/** Messages on their way to a server, one at a time: a writer waits until its message was taken. */
export class InputQueue<Message> implements AsyncIterable<Message> {
  readonly #waiting: {
    readonly message: Message;
    readonly taken: () => void;
    readonly lost: (error: Error) => void;
  }[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #closed: Error | undefined;

  /** Resolves when the message was taken for sending. @throws IkadaError BadRequest after the end, Cancelled when the call is over */
  put(message: Message): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#ended) return Promise.reject(new IkadaError("BadRequest", "input was written after its end"));
    return new Promise((taken, lost) => {
      this.#waiting.push({ message, taken, lost });
      this.#wake?.();
    });
  }

  /** No more comes. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The call is over: who still waits is told. */
  close(error: Error): void {
    this.#closed ??= error;
    for (const { lost } of this.#waiting.splice(0)) lost(this.#closed);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    for (;;) {
      const next = this.#waiting.shift();
      if (next) {
        next.taken();
        yield next.message;
      } else if (this.#ended || this.#closed) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}
