import { EventHeap, type Event } from "./event-heap.js";
import { SeededRandom } from "./random.js";
import { Trace } from "./trace.js";

export interface WorldOptions {
  readonly seed: number;
  /** Lines of the trace to keep; 0 for none (fast). @default 0 */
  readonly traceLines?: number;
  /** Gets each line of the trace as it happens. */
  readonly print?: (line: string) => void;
}

/**
 * A deterministic world of processes. One event runs at a time, in the order of (time, sequence); everything that
 * happens is decided by the seed.
 *
 * Invariants: (1) events of a process run only in the incarnation (epoch) that made them; (2) a paused process runs nothing, its
 * events wait in their order; (3) no callback runs inside the call that asked for it, since all go through the heap.
 */
export class World {
  readonly random: SeededRandom;
  readonly trace: Trace;
  /** Microseconds since the world began. */
  timeUs = 0;
  /** Events that ran. */
  events = 0;
  readonly #heap = new EventHeap();
  #sequence = 0;

  constructor(options: WorldOptions) {
    this.random = new SeededRandom(options.seed);
    this.trace = new Trace(options.traceLines ?? 0, options.print);
  }

  /** Runs `run` `delayUs` (>= 0) from now; with a process, only in its present incarnation. */
  after(delayUs: number, run: () => void, process?: Process): Event {
    const event: Event = {
      timeUs: this.timeUs + Math.max(0, Math.round(delayUs)),
      sequence: this.#sequence++,
      process,
      epoch: process ? process.epoch : 0,
      run,
    };
    this.#heap.push(event);
    return event;
  }

  /** Runs events until the time has come or `stop` says so (asked after each event). */
  runUntil(timeUs: number, stop?: () => boolean): void {
    for (;;) {
      const next = this.#heap.peek();
      if (next === undefined || next.timeUs > timeUs) break;
      this.#heap.pop();
      if (this.#runEvent(next) && stop?.()) return;
    }
    this.timeUs = Math.max(this.timeUs, timeUs);
  }

  /** Ends the world once the code that runs is through: for observers, whose callers catch what they throw. */
  fail(violation: Error): void {
    this.after(0, () => {
      throw violation;
    });
  }

  note(text: string): void {
    this.trace.line(this.timeUs, text);
  }

  #runEvent(event: Event): boolean {
    const { process, run } = event;
    if (run === undefined || (process && process.epoch !== event.epoch)) return false;
    this.timeUs = event.timeUs;
    if (process && process.pausedUntilUs > event.timeUs) {
      event.timeUs = process.pausedUntilUs;
      event.sequence = this.#sequence++;
      this.#heap.push(event);
      return false;
    }
    this.events++;
    this.trace.mix(event.timeUs);
    this.trace.mix(event.sequence);
    try {
      run();
    } catch (thrown) {
      if (!(thrown instanceof SimulatedCrash)) throw thrown;
    }
    return true;
  }
}

/** A simulated process: what survives its crash is held by the disks; this knows only which incarnation lives. */
export class Process {
  readonly id: number;
  /** Counts incarnations; an event of an older one never runs. */
  epoch = 0;
  alive = false;
  pausedUntilUs = 0;

  constructor(id: number) {
    this.id = id;
  }

  start(): void {
    this.epoch++;
    this.alive = true;
    this.pausedUntilUs = 0;
  }

  /** Ends the incarnation: none of its callbacks runs any more. */
  end(): void {
    this.epoch++;
    this.alive = false;
    this.pausedUntilUs = 0;
  }
}

/** Thrown by a failpoint to unwind the code of a process that has just crashed. */
export class SimulatedCrash extends Error {
  override readonly name = "SimulatedCrash";
}
