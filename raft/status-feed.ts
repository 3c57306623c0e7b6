import type { Env, Timer } from "../src/base/env.js";
import type { ConsensusStatus } from "./consensus.js";

const progressEveryMs = 100;

/** Passes a status on when it differs from the last one: who leads and who are members at once, mere progress seldom. */
export class StatusFeed {
  readonly #env: Pick<Env, "timers">;
  readonly #push: (status: ConsensusStatus) => void;
  #pushed: ConsensusStatus | undefined;
  #latest: ConsensusStatus | undefined;
  #timer: Timer | undefined;

  constructor(env: Pick<Env, "timers">, push: (status: ConsensusStatus) => void) {
    this.#env = env;
    this.#push = push;
  }

  update(status: ConsensusStatus): void {
    this.#latest = status;
    if (!this.#pushed || differsAtOnce(this.#pushed, status)) this.#pushLatest();
    else if (!this.#timer && differs(this.#pushed, status))
      this.#timer = this.#env.timers.after(progressEveryMs, () => this.#pushLatest());
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #pushLatest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pushed = this.#latest;
    if (this.#latest) this.#push(this.#latest);
  }
}

function differsAtOnce(left: ConsensusStatus, right: ConsensusStatus): boolean {
  return (
    left.role !== right.role ||
    left.term !== right.term ||
    left.leader !== right.leader ||
    left.configuration !== right.configuration
  );
}

function differs(left: ConsensusStatus, right: ConsensusStatus): boolean {
  return (
    left.commit !== right.commit ||
    left.lastIndex !== right.lastIndex ||
    left.durableIndex !== right.durableIndex ||
    left.progress.length !== right.progress.length ||
    left.progress.some(
      ({ match, active }, at) => match !== right.progress[at]?.match || active !== right.progress[at].active,
    )
  );
}
