import { readFile } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Done } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { hostEnv } from "../src/host/env.js";
import { failureText } from "../src/host/failure-text.js";
import { hostLog } from "../src/host/log.js";
import { readAgentConfig } from "./agent-config.js";
import { hostBootClock } from "./boot-clock.js";
import { leaseFileName } from "./core/fencing-leases.js";
import type { LeaseBook } from "./core/lease-book.js";
import { LeaseGuard } from "./core/lease-guard.js";
import { decodeState } from "./core/state-file.js";
import { isDataFolderLocked } from "./instance-lock.js";
import { openMachine } from "./machine.js";

// The guard of one node's fencing leases (core/lease-guard.ts): started by the agent, and alive after it for as long as one of them may.

/** An agent that follows has started a guard of its own by then. */
const handOverMs = 10_000;

/** Not through `Disk`, which keeps files open: the agent replaces this one. */
function readLeases(file: string): (done: Done<LeaseBook | undefined>) => void {
  return (done) =>
    readFile(file, (error, bytes) => {
      if (error?.code === "ENOENT") return done(null, undefined);
      if (error) return done(error, undefined);
      try {
        return done(null, decodeState<LeaseBook>(bytes, leaseFileName));
      } catch (caught) {
        return done(IkadaError.from(caught), undefined);
      }
    });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: "string" } } });
  if (values.config === undefined) throw new IkadaError("BadRequest", "usage: guard-main --config FILE");
  const config = readAgentConfig(values.config);
  // Whoever reads the agent's log may be gone.
  process.stderr.on("error", () => undefined);
  const log = hostLog({ level: config.logLevel, fields: { node: config.name, part: "guard" } });
  const env = hostEnv({ dataFolder: config.dataFolder, log });
  let alone = false;
  process.stdin.on("end", () => (alone = true));
  process.stdin.on("error", () => (alone = true));
  process.stdin.resume();
  const { runtime } = openMachine(config, env, () => undefined);
  const guard = new LeaseGuard({
    env,
    runtime,
    bootClock: hostBootClock(),
    read: readLeases(join(config.dataFolder, leaseFileName)),
    isAlone: () => alone,
    onEnd: () => process.exit(0),
  });
  guard.start();
  await untilFollowed(config.dataFolder, () => alone);
  process.exit(0);
}

/** Resolves when the agent has ended and another one has had the data folder for long enough. */
async function untilFollowed(folder: string, isAlone: () => boolean): Promise<void> {
  const everyMs = 1_000;
  for (let followedMs = 0; followedMs < handOverMs;) {
    await sleep(everyMs);
    followedMs = isAlone() && (await isDataFolderLocked(folder)) ? followedMs + everyMs : 0;
  }
}

try {
  await main();
} catch (caught) {
  process.stderr.write(failureText(caught));
  process.exit(1);
}
