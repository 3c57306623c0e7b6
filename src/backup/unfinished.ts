import type { Disk, Finished } from "../base/env.js";
import { IkadaError } from "../base/errors.js";

/** In a data folder: what is there is not yet a restored state. A server that began with it would begin with nothing. */
const path = "restore.unfinished";

/** When `done` is called without an error the mark is durable. */
export function markUnfinished(disk: Disk, done: Finished): void {
  const bytes = new TextEncoder().encode("a restore was begun here and has not come to its end\n");
  disk.write(path, 0, bytes, (writeError) => {
    if (writeError) return done(writeError);
    return disk.sync(path, (syncError) => (syncError ? done(syncError) : disk.syncFolder("", done)));
  });
}

export function markFinished(disk: Disk, done: Finished): void {
  disk.remove(path, (error) => (error ? done(error) : disk.syncFolder("", done)));
}

/** Tells through `done` whether this folder may be started from. @throws through `done` IkadaError Damaged */
export function checkFinished(disk: Disk, dataFolder: string, done: Finished): void {
  disk.size(path, (error, size) => {
    if (error || size < 0) return done(error);
    return done(
      new IkadaError("Damaged", `in ${dataFolder} a restore was begun and has not come to its end`, {
        hint: "empty the folder, and run 'ikada server restore' again",
      }),
    );
  });
}
