import type { Env, Timer } from "../src/base/env.js";
import type { NodeId, Term } from "./core/types.js";

const attemptsMax = 4;
/** Time for the other followers to learn of the leader's death too: before that they would refuse. */
const headStartMs = 5;
/** Between the turns of two followers, in ticks: longer than a pre-vote and a vote take on a calm machine. */
const turnTicks = 1.2;
/** Random part of every wait, in ticks. */
const jitterTicks = 0.4;
/** An election that others have begun gets this long; after that its votes were split, or nobody heard. */
const electionTicks = 2;

export interface EarlyCampaignOptions {
  readonly env: Pick<Env, "timers" | "random">;
  readonly tickMs: number;
  readonly term: () => Term;
  /** Campaigns unless a leader has been heard meanwhile; returns whether there is still none. */
  readonly attempt: () => boolean;
}

/**
 * What a broken connection to the leader starts: campaigns well before the election timeout. All followers learn of a
 * dead leader at the same moment and would split their votes, so they take turns in the order of ids behind the
 * leader's; who sees that another one has begun waits. The campaigns begin with a pre-vote, which changes nothing when
 * the leader is alive after all.
 */
export class EarlyCampaign {
  readonly #options: EarlyCampaignOptions;
  #timer: Timer | undefined;
  #attempts = 0;
  #turn = 0;
  /** As of the last look: a higher one means that somebody campaigns. */
  #term: Term = 0;

  constructor(options: EarlyCampaignOptions) {
    this.#options = options;
  }

  leaderLost(self: NodeId, leader: NodeId, voters: readonly NodeId[]): void {
    this.cancel();
    this.#attempts = 0;
    this.#turn = turnOf(self, leader, voters);
    this.#arm(headStartMs);
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #arm(leastMs: number): void {
    const { env, tickMs } = this.#options;
    const delayMs = leastMs + (this.#turn * turnTicks + env.random.next() * jitterTicks) * tickMs;
    this.#term = this.#options.term();
    this.#timer = env.timers.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.#attempts += 1;
    const othersBegan = this.#options.term() !== this.#term;
    if (!othersBegan && !this.#options.attempt()) return;
    if (this.#attempts < attemptsMax) this.#arm(electionTicks * this.#options.tickMs);
  }
}

/** 0 for the voter whose id follows the leader's, then 1, and so on around. */
function turnOf(self: NodeId, leader: NodeId, voters: readonly NodeId[]): number {
  const others = voters.filter((id) => id !== leader).sort((a, b) => a - b);
  const first = others.findIndex((id) => id > leader);
  const own = others.indexOf(self);
  const count = others.length;
  return own < 0 || count === 0 ? count : (own - Math.max(0, first) + count) % count;
}
