import { randomUUID } from "node:crypto";
import { limits } from "../src/base/limits.js";
import type { Deadline } from "./deadline.js";

/** The pair by which the store tells a repeated write from a new one. */
export interface RequestId {
  readonly client: string;
  readonly sequence: number;
}

/**
 * Numbers the writes of one client. The store remembers the last answers of each client, so the oldest write in work and
 * the newest one must not be further apart than what it remembers: later writes wait here for the oldest.
 */
export class RequestIds {
  readonly #client = randomUUID();
  readonly #inWork = new Set<number>();
  readonly #waiting: (() => void)[] = [];
  #sequence = 0;

  /** Runs one write under a new pair, all tries of it under the same. @throws IkadaError Deadline, Cancelled while it waits for its turn; what `write` throws */
  async run<T>(deadline: Deadline, write: (id: RequestId) => Promise<T>): Promise<T> {
    while (this.#inWork.size > 0 && this.#sequence + 1 - this.#oldest() >= limits.requestsPerClientMax) {
      await deadline.wait(new Promise<void>((resolve) => this.#waiting.push(resolve)));
    }
    this.#sequence += 1;
    const sequence = this.#sequence;
    this.#inWork.add(sequence);
    try {
      return await write({ client: this.#client, sequence });
    } finally {
      this.#inWork.delete(sequence);
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  /** Sequences are added in rising order, and a Set keeps it. */
  #oldest(): number {
    return this.#inWork.values().next().value!;
  }
}
