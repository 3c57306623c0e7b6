import type { Env, Log } from "../../../src/base/env.js";

/** Says nothing. */
export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => quietLog,
};

/** Numbers that count up: every draw differs, every run is the same. */
export function countingRandom(): Env["random"] {
  let count = 0;
  return {
    next: () => (count += 1) / 1_000_000,
    int: (bound) => (count += 1) % bound,
    bytes: (length) => Uint8Array.from({ length }, () => (count += 1) % 256),
  };
}

/** Enough of the world for a store in memory; timers never fire and there is no disk. */
export function quietEnv(): Env {
  const never = (): never => {
    throw new Error("there is no disk here");
  };
  return {
    clock: { now: () => 0, monotonic: () => 0 },
    timers: { after: () => ({ cancel: () => undefined }) },
    random: countingRandom(),
    disk: {
      list: never,
      makeFolder: never,
      size: never,
      read: never,
      write: never,
      sync: never,
      syncFolder: never,
      truncate: never,
      rename: never,
      remove: never,
    },
    log: quietLog,
    failpoint: () => undefined,
  };
}
