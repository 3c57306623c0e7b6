import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** A planted fault, loaded in front of a member: syncs that do nothing. */
Object.assign(fs, {
  fdatasync: (_descriptor: number, done: (error: null) => void): void => void setImmediate(done, null),
  fdatasyncSync: (): void => undefined,
});
syncBuiltinESMExports();
