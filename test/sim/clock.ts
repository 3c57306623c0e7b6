import type { Clock, Timer, Timers } from "../../src/base/env.js";
import type { Process, World } from "./world.js";

/** How wrong a process's clocks are. Outlives the process's crashes, as a machine's clock does. */
export interface ClockShape {
  /** Speed of both clocks beside the world's; 1 is right. */
  rate: number;
  /** Added to the wall clock; a jump changes it. */
  wallOffsetMs: number;
  /** The monotonic clock's arbitrary start; a jump moves it ahead. */
  monotonicOffsetMs: number;
  /** Timers fire up to this much late. */
  readonly timerLatenessUsMax: number;
}

/** 2022-01-01, so that a wall time is never taken for a monotonic one. */
const wallStartMs = 1_640_995_200_000;

export class SimulatedClock implements Clock {
  readonly #world: World;
  readonly #shape: ClockShape;

  constructor(world: World, shape: ClockShape) {
    this.#world = world;
    this.#shape = shape;
  }

  now(): number {
    return Math.floor(wallStartMs + this.#shape.wallOffsetMs + (this.#world.timeUs / 1000) * this.#shape.rate);
  }

  monotonic(): number {
    return this.#shape.monotonicOffsetMs + (this.#world.timeUs / 1000) * this.#shape.rate;
  }
}

export class SimulatedTimers implements Timers {
  readonly #world: World;
  readonly #process: Process;
  readonly #epoch: number;
  readonly #shape: ClockShape;

  constructor(world: World, process: Process, shape: ClockShape) {
    this.#world = world;
    this.#process = process;
    this.#epoch = process.epoch;
    this.#shape = shape;
  }

  after(delayMs: number, run: () => void): Timer {
    if (this.#process.epoch !== this.#epoch) return { cancel: () => undefined };
    const lateUs =
      this.#shape.timerLatenessUsMax === 0 ? 0 : this.#world.random.int(this.#shape.timerLatenessUsMax + 1);
    const event = this.#world.after(Math.ceil((delayMs * 1000) / this.#shape.rate) + lateUs, run, this.#process);
    return {
      cancel: () => {
        event.run = undefined;
      },
    };
  }
}
