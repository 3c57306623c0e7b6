import type { Done, Env } from "../../src/base/env.js";
import { guardedAt, overdue, type BootClock, type LeaseBook } from "./lease-book.js";
import type { ContainerRuntime } from "./runtime.js";

export interface LeaseGuardOptions {
  readonly env: Pick<Env, "timers" | "log">;
  readonly runtime: Pick<ContainerRuntime, "list" | "stop">;
  readonly bootClock: BootClock;
  /** The leases as the agent stored them last; undefined: it stored none. */
  readonly read: (done: Done<LeaseBook | undefined>) => void;
  /** The agent has ended. */
  readonly isAlone: () => boolean;
  /** Nothing is left to be done, and no agent to come back to it. */
  readonly onEnd: () => void;
}

/** Between two looks while nothing is due, and while something is. */
const lookMsMax = 1_000;
const lookMsMin = 50;
/** After the last lease's end: what the engine was told to start before may start late. */
const lingerMs = 10_000;

/**
 * Kills the containers of Pods whose fencing lease ends and whose agent has not done it: one that was killed, stands still, or waits for its
 * disk. Knows nothing but the file of leases, which the agent writes before anything runs under them.
 */
export class LeaseGuard {
  readonly #options: LeaseGuardOptions;
  readonly #stopping = new Set<string>();
  #lastError = "";

  constructor(options: LeaseGuardOptions) {
    this.#options = options;
  }

  /** Looks, again and again, until `onEnd`. */
  start(): void {
    this.#options.read((error, book) => {
      // A file that is being replaced can't be read; the next look finds the new one.
      if (error) return this.#later(lookMsMin, error);
      return this.#look(book);
    });
  }

  #look(book: LeaseBook | undefined): void {
    const { bootClock, isAlone, onEnd, runtime } = this.#options;
    const now = bootClock.sinceBootMs();
    const leases = book?.bootId === bootClock.bootId ? Object.values(book.leases) : [];
    const lastsUntil = Math.max(...leases.map(({ endsAt }) => endsAt + lingerMs));
    if (isAlone() && lastsUntil <= now) return onEnd();
    const due = Math.min(...leases.map(guardedAt));
    if (book === undefined || due > now) return this.#later(Math.min(lookMsMax, Math.max(lookMsMin, due - now)));
    return runtime.list((error, containers) => {
      if (error) return this.#later(lookMsMin * 4, error);
      this.#lastError = "";
      // Time has passed, and the agent may have renewed meanwhile.
      return this.#options.read((readError, newest) => {
        if (readError || newest === undefined) return this.#later(lookMsMin);
        for (const id of overdue(newest, bootClock.sinceBootMs(), containers)) this.#kill(id);
        return this.#later(lookMsMax);
      });
    });
  }

  #kill(id: string): void {
    if (this.#stopping.has(id)) return;
    this.#stopping.add(id);
    this.#options.env.log.warn("killing a container whose fencing lease ends", { container: id });
    this.#options.runtime.stop(id, 0, (error) => {
      this.#stopping.delete(id);
      if (error) this.#tell(error);
    });
  }

  #later(delayMs: number, error?: Error): void {
    if (error) this.#tell(error);
    this.#options.env.timers.after(delayMs, () => this.start());
  }

  /** Each failure once, not each time. */
  #tell(error: Error): void {
    if (error.message !== this.#lastError)
      this.#options.env.log.error("the guard is held up", { error: error.message });
    this.#lastError = error.message;
  }
}
