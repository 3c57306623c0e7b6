import { randomBytes, randomInt } from "node:crypto";
import type { Random } from "../base/env.js";

/** `randomInt` wants a range below 2^48. */
const range = 2 ** 48 - 1;

/** The operating system's random numbers, fit for secrets and ids. */
export const hostRandom: Random = {
  next: () => randomInt(range) / range,
  int: (bound) => randomInt(bound),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};
