import type { Reason } from "../../src/base/errors.js";

/** The engine's machine is at fault, whatever it was doing: errno's words, and those of what the engine is made of. */
const ofTheMachine =
  /no space left|quota exceeded|read-only file system|input\/output error|too many open files|cannot allocate memory|permission denied|operation not permitted|resource busy|containerd|transport is closing|context (?:canceled|deadline exceeded)/i;

/** Engines tell no more of a pull that failed than the registry's words or their own. */
export function pullFailure(words: string): Reason {
  if (ofTheMachine.test(words)) return "Internal";
  // A registry that wants to know who asks says so for what it does not have, too.
  if (/denied|unauthorized|authenti|forbidden|no basic auth/i.test(words)) return "Forbidden";
  if (/manifest unknown|name unknown|not found|does not exist/i.test(words)) return "NotFound";
  return "Unavailable";
}

/** An archive that can't be loaded and an engine that can't load have one status, too. */
export function loadFailure(words: string): Reason {
  if (ofTheMachine.test(words)) return "Unavailable";
  const ofTheArchive =
    /unexpected EOF|invalid|unsupported|no such file|archive\/tar|tar file|manifest|unmarshal|mismatch|not match|not a |no image/i;
  return ofTheArchive.test(words) ? "BadRequest" : "Unavailable";
}
