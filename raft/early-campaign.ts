import type { Env, Timer } from "../src/base/env.js";

const attemptsMax = 3;
/** Time for the other followers to learn of the leader's death too: before that they would refuse. */
const headStartMs = 5;

/**
 * What a broken connection to the leader starts: campaigns well before the election timeout. All followers
 * learn of a dead leader at the same moment, so each waits a random part of three ticks. The campaigns begin
 * with a pre-vote, which changes nothing when the leader is alive after all.
 */
export class EarlyCampaign {
  readonly #env: Pick<Env, "timers" | "random">;
  readonly #tickMs: number;
  /** Campaigns unless a leader has been heard meanwhile; returns whether there is still none. */
  readonly #attempt: () => boolean;
  #timer: Timer | undefined;
  #attempts = 0;

  constructor(env: Pick<Env, "timers" | "random">, tickMs: number, attempt: () => boolean) {
    this.#env = env;
    this.#tickMs = tickMs;
    this.#attempt = attempt;
  }

  leaderLost(): void {
    this.cancel();
    this.#attempts = 0;
    this.#arm(headStartMs);
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #arm(leastMs: number): void {
    const delayMs = leastMs + this.#env.random.next() * 3 * this.#tickMs;
    this.#timer = this.#env.timers.after(delayMs, () => {
      this.#attempts++;
      // Two ticks are time enough for an election; after that the votes were split, or nobody heard.
      if (this.#attempt() && this.#attempts < attemptsMax) this.#arm(2 * this.#tickMs);
    });
  }
}
