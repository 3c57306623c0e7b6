import type { Env, Timer } from "../base/env.js";
import type { IkadaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { noChanges } from "../objects/transaction.js";
import type { ObjectStore } from "../objects/object-store.js";
import type { World } from "./controller.js";
import { withEvents } from "./event-record.js";
import type { Planned, Planner } from "./planner.js";

export interface LoopOptions {
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
  readonly objects: ObjectStore;
  readonly planner: Planner;
  /** What decisions may depend on, as of now. */
  readonly world: () => World;
  /** Operations in one log entry; one decision alone may have more. */
  readonly operationsMax?: number;
}

/**
 * Decides and commits for one planner, one log entry at a time.
 *
 * Invariants: at most one entry is in flight, and the next decisions are made from a snapshot that shows it; after
 * `close` nothing is proposed. Decisions are made in a turn of their own, never inside the store's callback, so that
 * changes that come together are looked at once.
 */
export class Loop {
  readonly #options: LoopOptions;
  readonly #planner: Planner;
  readonly #operationsMax: number;
  #timer: Timer | undefined;
  #inFlight = false;
  #closed = false;
  /** Commits that failed in a row. */
  #failures = 0;
  /** The timer waits out a failed commit: nothing shortens that. */
  #backsOff = false;
  /** Decisions in one entry; goes down to one when an entry was too large. */
  #decisionsMax: number = limits.txnBatchMax;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#planner = options.planner;
    this.#operationsMax = options.operationsMax ?? 512;
  }

  /** Something may be due earlier than was known. */
  poke(): void {
    if (!this.#closed && !this.#inFlight && !this.#backsOff) this.#arm(0);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Sets the one timer to when something is due, at least `delayMs` from now. */
  #arm(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const due = this.#planner.dueAt();
    if (due === undefined) return;
    const { clock, timers } = this.#options.env;
    // Wall time may jump: no sleep is so long that a missed jump would matter.
    const wait = Math.min(sleepMsMax, Math.max(delayMs, due - clock.now()));
    this.#timer = timers.after(wait, () => this.#turn());
  }

  #turn(): void {
    this.#timer = undefined;
    this.#backsOff = false;
    const world = this.#options.world();
    if ((this.#planner.dueAt() ?? Number.POSITIVE_INFINITY) > world.now) {
      this.#arm(0);
      return;
    }
    const planned = this.#planner.plan(world, this.#operationsMax);
    const now = planned.slice(0, this.#decisionsMax);
    for (const later of planned.slice(this.#decisionsMax)) later.again(world.now);
    if (now.length === 0) this.#arm(0);
    else this.#commit(now, world);
  }

  #commit(planned: readonly Planned[], world: World): void {
    const { env, objects } = this.#options;
    const { name } = this.#planner;
    const batch = planned.map(({ decision }) =>
      withEvents(decision.changes ?? noChanges, decision.events ?? [], name, world.snapshot, world.now),
    );
    for (const [at, { key }] of planned.entries()) {
      const { creates, updates, removes } = batch[at]!;
      const acts = { creates: creates.length, updates: updates.length, removes: removes.length };
      env.log.debug("decided", { controller: name, key, revision: world.snapshot.revision, ...acts });
    }
    this.#inFlight = true;
    objects.commit(batch, `controller/${name}`, (error, tookPlace) => {
      this.#inFlight = false;
      if (this.#closed) return;
      if (error) this.#lost(planned, error);
      else this.#settle(planned, tookPlace);
    });
  }

  #settle(planned: readonly Planned[], tookPlace: readonly boolean[]): void {
    const now = this.#options.env.clock.now();
    this.#failures = 0;
    this.#decisionsMax = Math.min(limits.txnBatchMax, this.#decisionsMax * 2);
    for (const [at, one] of planned.entries()) {
      if (tookPlace[at] === true) one.done();
      else one.again(now);
    }
    this.#arm(0);
  }

  /** No leader, overloaded, too large, or unknown: everything is decided again after a while. */
  #lost(planned: readonly Planned[], error: IkadaError): void {
    const { clock, log, random } = this.#options.env;
    if (error.reason === "TooLarge" && planned.length > 1) this.#decisionsMax = 1;
    this.#failures += 1;
    const delay = Math.min(backoffMsMax, backoffMs * 2 ** (this.#failures - 1)) * (0.5 + random.next() / 2);
    const { reason, message } = error;
    log.warn("decisions were not committed", {
      controller: this.#planner.name,
      reason,
      message,
      retryInMs: Math.round(delay),
    });
    for (const one of planned) one.again(clock.now());
    this.#backsOff = true;
    this.#arm(delay);
  }
}

const sleepMsMax = 60_000;
const backoffMs = 100;
const backoffMsMax = 5000;
