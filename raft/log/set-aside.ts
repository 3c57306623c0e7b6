import type { Finished } from "../../src/base/env.js";
import { segmentPath } from "./format.js";
import type { SegmentFile } from "./segment-reader.js";
import type { LogEnv } from "./segment-writer.js";
import type { LogPosition } from "./segment-writer.js";

/** Files kept of damaged segments, the newest ones: evidence for people, never read again. */
const keptMax = 4;
const damagedName = /^damaged-\d{13}-[0-9a-f]{16}\.seg$/;

/**
 * Takes what is behind `position` out of the log, so that later records can't be mixed up with it, and keeps it under
 * another name. A crash in between leaves a log that is damaged in the same way, or less.
 */
export function setAside(
  env: LogEnv,
  files: readonly SegmentFile[],
  { sequence, end }: LogPosition,
  done: Finished,
): void {
  const stamp = String(Math.max(0, Math.floor(env.clock.now()))).padStart(13, "0");
  const kept = (of: number): string => segmentPath(of).replace("log/", `log/damaged-${stamp}-`);
  const { disk } = env;
  const rename = (): void => {
    // From the last one on: what is left has no gap.
    const behind = files.map((file) => file.sequence).filter((each) => each > sequence);
    const next = (error: Error | null): void => {
      if (error) return done(error);
      const last = behind.pop();
      return last === undefined ? disk.syncFolder("log", done) : disk.rename(segmentPath(last), kept(last), next);
    };
    return next(null);
  };
  const cut = files.find((file) => file.sequence === sequence);
  if (!cut || cut.bytes.length <= end) return rename();
  return disk.write(kept(sequence), 0, cut.bytes, (error) => {
    if (error) return done(error);
    return disk.sync(kept(sequence), (syncError) => (syncError ? done(syncError) : rename()));
  });
}

/** Removes all but the newest of the files that were set aside. */
export function forgetOldDamage(env: LogEnv, done: Finished): void {
  env.disk.list("log", (listError, names) => {
    if (listError) return done(listError);
    const old = names.filter((name) => damagedName.test(name)).sort();
    old.length = Math.max(0, old.length - keptMax);
    const next = (error: Error | null): void => {
      if (error) return done(error);
      const oldest = old.shift();
      return oldest === undefined ? done(null) : env.disk.remove(`log/${oldest}`, next);
    };
    return next(null);
  });
}
