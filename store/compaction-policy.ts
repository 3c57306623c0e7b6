import type { Done, Env, Timer } from "../src/base/env.js";
import type { Revision } from "./store.js";

export interface CompactionPolicyOptions {
  /** History is kept for so long at least, unless it takes too much space. */
  readonly historyMs: number;
  /** History may take so much, beside what is live. */
  readonly historyBytes: number;
}

/** What the policy needs of a keyspace on a replica. */
export interface CompactableStore {
  revision(): Revision;
  compactRevision(): Revision;
  usage(): { readonly liveBytes: number; readonly rowBytes: number };
  revisionAtThen(timeMs: number, done: Done<Revision>): void;
  compactThen(revision: Revision, done: Done<void>): void;
}

/** How often it looks. */
export const compactionEveryMs = 60_000;
/** Of the allowed history, so much is left when there is too much: the next time is not the next minute. */
const keptShare = 0.75;

/**
 * The leader's, one for each keyspace: compacts what is older than wanted, or more than there is space for. What is decided goes through the log, so all replicas
 * have the same history to offer.
 */
export class CompactionPolicy {
  readonly #env: Pick<Env, "timers" | "clock" | "log">;
  readonly #store: CompactableStore;
  readonly #options: CompactionPolicyOptions;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(env: Pick<Env, "timers" | "clock" | "log">, store: CompactableStore, options: CompactionPolicyOptions) {
    this.#env = env;
    this.#store = store;
    this.#options = options;
    this.#wait();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #wait(): void {
    if (!this.#isClosed) this.#timer = this.#env.timers.after(compactionEveryMs, () => this.#look());
  }

  #look(): void {
    const { historyMs } = this.#options;
    this.#store.revisionAtThen(this.#env.clock.now() - historyMs, (error, byAge) => {
      // All of the history is younger, or this replica can't read now.
      this.#compact(Math.max(error ? 0 : byAge, this.#revisionBySize()));
    });
  }

  /** Changes are taken to be of one size on average. */
  #revisionBySize(): Revision {
    const { liveBytes, rowBytes } = this.#store.usage();
    const bytes = rowBytes - liveBytes;
    if (bytes <= this.#options.historyBytes) return 0;
    const [start, end] = [this.#store.compactRevision(), this.#store.revision()];
    return end - Math.floor(((end - start) * keptShare * this.#options.historyBytes) / bytes);
  }

  #compact(revision: Revision): void {
    if (this.#isClosed) return;
    if (revision <= this.#store.compactRevision()) return this.#wait();
    this.#store.compactThen(revision, (error) => {
      if (error) this.#env.log.warn("history could not be compacted", { revision, error: error.message });
      else this.#env.log.info("compacted history", { revision });
      this.#wait();
    });
  }
}
