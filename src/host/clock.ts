import type { Clock, Timer, Timers } from "../base/env.js";

/** The longest delay that Node's setTimeout takes; longer ones fire at once there. */
const timeoutMsMax = 2 ** 31 - 1;

/** The machine's clocks. */
export const hostClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/**
 * Node's timers, corrected: never early by the monotonic clock, and without the 24.8 day limit. A delay of 0 runs
 * after the sockets were read once, where setTimeout would wait a whole millisecond.
 */
export const hostTimers: Timers = {
  after(delayMs: number, run: () => void): Timer {
    if (delayMs <= 0) {
      const immediate = setImmediate(run);
      return { cancel: () => clearImmediate(immediate) };
    }
    const dueMs = performance.now() + delayMs;
    let handle: NodeJS.Timeout | undefined;
    const arm = (): void => {
      handle = setTimeout(fire, Math.min(Math.ceil(Math.max(0, dueMs - performance.now())), timeoutMsMax));
    };
    const fire = (): void => {
      if (performance.now() < dueMs) arm();
      else run();
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
};
