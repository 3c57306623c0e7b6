import type { Env, Log, LogFields } from "../../src/base/env.js";
import { SimulatedClock, SimulatedTimers, type ClockShape } from "./clock.js";
import type { SimulatedDisk } from "./disk.js";
import type { Process, World } from "./world.js";

export interface SimulatedEnvOptions {
  readonly world: World;
  readonly process: Process;
  readonly disk: SimulatedDisk;
  readonly clock: ClockShape;
  /** Called at each failpoint that the process passes; may end the process and throw `SimulatedCrash`. */
  readonly failpoint?: (name: string) => void;
}

/** The `Env` of a process's present incarnation; when that has ended, nothing asked of it happens. */
export function simulatedEnv(options: SimulatedEnvOptions): Env {
  const { world, process } = options;
  const epoch = process.epoch;
  return {
    clock: new SimulatedClock(world, options.clock),
    timers: new SimulatedTimers(world, process, options.clock),
    random: world.random.fork(),
    disk: options.disk.open(process),
    log: world.trace.verbose ? new TraceLog(world, process, {}) : quietLog,
    failpoint: (name) => {
      if (process.epoch === epoch) options.failpoint?.(name);
    },
  };
}

const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => quietLog,
};

/** Writes into the trace of a verbose run. */
class TraceLog implements Log {
  readonly #world: World;
  readonly #process: Process;
  readonly #fields: LogFields;

  constructor(world: World, process: Process, fields: LogFields) {
    this.#world = world;
    this.#process = process;
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    this.#write(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write(`WARN ${message}`, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write(`ERROR ${message}`, fields);
  }

  with(fields: LogFields): Log {
    return new TraceLog(this.#world, this.#process, { ...this.#fields, ...fields });
  }

  #write(message: string, fields: LogFields | undefined): void {
    const merged = { ...this.#fields, ...fields };
    const suffix = Object.keys(merged).length === 0 ? "" : ` ${JSON.stringify(merged)}`;
    this.#world.note(`[${this.#process.id}] ${message}${suffix}`);
  }
}
