import type { ConsensusStatus } from "../raft/consensus.js";
import type { Log, Timers } from "./base/env.js";
import { Scope } from "./base/lifecycle.js";

export interface LeadershipOptions {
  /** Calls back when this replica has applied everything that was committed before the call: for a new leader, the no-op of its term. */
  readonly barrier: (done: (error: Error | null) => void) => void;
  /** Starts what only a leader does, inside the scope, in this term. */
  readonly open: (scope: Scope, term: number) => void;
  readonly timers: Timers;
  readonly log: Log;
}

/** Between two questions. A store that has failed refuses at once, and asking it without a pause would stop the whole thread. */
const askAgainMs = 100;

/**
 * Leadership as a scope: opened when this replica leads and has applied the no-op of its term, closed when it does not
 * lead any more, or leads in another term. Raft refuses what a deposed leader still proposes; this only ends the waste early.
 */
export class Leadership {
  readonly #options: LeadershipOptions;
  /** 0 while following. */
  #term = 0;
  #scope: Scope | undefined;
  #closed = false;

  constructor(options: LeadershipOptions) {
    this.#options = options;
  }

  /** To be called with every status that consensus tells. */
  observe({ role, term, leader }: Pick<ConsensusStatus, "role" | "term" | "leader">): void {
    const leads = role === "Leader" ? term : 0;
    if (this.#closed || leads === this.#term) return;
    this.#stepDown();
    this.#term = leads;
    if (leads === 0) {
      this.#options.log.info("following", { term, leader });
      return;
    }
    const scope = new Scope();
    this.#scope = scope;
    this.#confirm(scope, term);
  }

  /** For good: this process stops, though consensus may still tell that it leads. */
  close(): void {
    this.#closed = true;
    this.#stepDown();
  }

  #stepDown(): void {
    this.#term = 0;
    void this.#scope?.close();
    this.#scope = undefined;
  }

  #confirm(scope: Scope, term: number): void {
    const { barrier, timers, log, open } = this.#options;
    barrier((error) => {
      if (scope.closed) return;
      if (error) {
        // Elected, and no quorum answers yet: ask again, for as long as this replica leads.
        log.warn("elected, and not yet confirmed", { term, error: error.message });
        timers.after(askAgainMs, () => {
          if (!scope.closed) this.#confirm(scope, term);
        });
        return;
      }
      log.info("leading", { term });
      open(scope, term);
    });
  }
}
