import type { Disk, Finished } from "../../src/base/env.js";

/** Writes the bytes and syncs the file: in one request where the disk can. `onWritten` runs between the two where they are two. */
export function writeDurably(
  disk: Disk,
  path: string,
  offset: number,
  bytes: Uint8Array,
  done: Finished,
  onWritten: () => void = () => undefined,
): void {
  if (disk.writeDurably) return disk.writeDurably(path, offset, bytes, done);
  return disk.write(path, offset, bytes, (error) => {
    if (error) return done(error);
    onWritten();
    return disk.sync(path, done);
  });
}
