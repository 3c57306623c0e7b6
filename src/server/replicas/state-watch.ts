import type { Log } from "../../base/env.js";
import type { StateDigest } from "../replica-status.js";

export interface StateWatchOptions {
  /** Of this replica. */
  readonly own: () => readonly StateDigest[];
  readonly self: number;
  /** Of each other replica that answers. */
  readonly others: () => Promise<readonly (readonly [id: number, digests: readonly StateDigest[]])[]>;
  readonly log: Log;
  /** @default 30,000 */
  readonly everyMs?: number;
}

/**
 * Compares what the replicas made of the same log, at the same applied indexes. They must be equal; when they are not, a defect or a broken machine has
 * changed the state of one, and its answers can't be trusted. That is told until this process ends, since what is wrong does not become right.
 */
export class StateWatch {
  readonly #options: StateWatchOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #diverged = new Set<number>();

  constructor(options: StateWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.check(), options.everyMs ?? 30_000);
  }

  /** Ids of replicas whose state differs from this one's. */
  get diverged(): readonly number[] {
    return [...this.#diverged].sort((left, right) => left - right);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async check(): Promise<void> {
    const { others, own, self, log } = this.#options;
    const digests = await others();
    const mine = new Map(own().map(({ index, digest }) => [index, digest]));
    for (const [id, theirs] of digests)
      for (const { index, digest } of theirs) {
        const expected = mine.get(index);
        if (expected === undefined || expected === digest || this.#diverged.has(id)) continue;
        this.#diverged.add(id);
        log.error(
          "the states of two servers differ, though they applied the same log: one of them gives wrong answers",
          {
            self,
            other: id,
            index,
            own: expected,
            theirs: digest,
          },
        );
      }
  }
}
