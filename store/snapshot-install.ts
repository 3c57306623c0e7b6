import type { ReceivedSnapshot } from "../raft/consensus.js";
import { examineSnapshot, type SnapshotFile, visitNothing } from "../raft/snapshot/file-reader.js";
import type { Disk, Done, Finished } from "../src/base/env.js";
import { InvariantError } from "../src/base/errors.js";
import type { KeyValue, KeyValuePair } from "./key-value.js";
import { allRows, installKey } from "./layout.js";
import { following } from "./scan.js";
import { decodeRows } from "./snapshot-rows.js";

/** Rows that are compared with the snapshot's at once. */
const rowsPerScan = 128;

/**
 * Makes the rows on disk those of a snapshot. A row says first that this is going on, and is deleted last, so that a crash in between is
 * seen at the next start, which does it again: the file stays until then. Rows that are the same already are not written;
 * most of a member that has only been away are. Durable when `done` is called without an error.
 */
export function installSnapshot(
  disk: Disk,
  keyValue: KeyValue,
  snapshot: Pick<ReceivedSnapshot, "path" | "cluster" | "index">,
  done: Done<SnapshotFile>,
): void {
  const { path, cluster } = snapshot;
  // Whole before the first row is touched.
  examineSnapshot(disk, path, cluster, visitNothing, (error, { file, fault }) => {
    if (error) return done(error, undefined as never);
    if (!file) return done(new SnapshotDamaged(path, fault), undefined as never);
    return new Installation(disk, keyValue, snapshot, file, done).begin();
  });
}

/** The file is not what was made durable. */
export class SnapshotDamaged extends InvariantError {
  constructor(path: string, fault: string) {
    super(`the snapshot ${path} can't be used: ${fault}`);
  }
}

class Installation {
  readonly #disk: Disk;
  readonly #keyValue: KeyValue;
  readonly #snapshot: Pick<ReceivedSnapshot, "path" | "cluster" | "index">;
  readonly #file: SnapshotFile;
  readonly #done: Done<SnapshotFile>;
  /** All rows before it are the snapshot's. */
  #from = allRows().from;

  constructor(
    disk: Disk,
    keyValue: KeyValue,
    snapshot: Pick<ReceivedSnapshot, "path" | "cluster" | "index">,
    file: SnapshotFile,
    done: Done<SnapshotFile>,
  ) {
    this.#disk = disk;
    this.#keyValue = keyValue;
    this.#snapshot = snapshot;
    this.#file = file;
    this.#done = done;
  }

  begin(): void {
    const marker = { key: installKey(), value: new TextEncoder().encode(String(this.#file.index)) };
    this.#write([marker], [], () => this.#replaceRows());
  }

  #replaceRows(): void {
    const { path, cluster } = this.#snapshot;
    examineSnapshot(
      this.#disk,
      path,
      cluster,
      (payload, next) => this.#replace(payload, next),
      (error, { file, fault }) => {
        if (error) return this.#fail(error);
        if (!file) return this.#fail(new SnapshotDamaged(path, fault));
        return this.#replaceUpTo(allRows().to, [], (restError) => (restError ? this.#fail(restError) : this.#end()));
      },
    );
  }

  #replace(payload: Uint8Array, next: Finished): void {
    let rows: KeyValuePair[];
    try {
      rows = decodeRows(payload);
    } catch (caught) {
      return next(caught as Error);
    }
    const last = rows.at(-1);
    if (!last) return next(null);
    return this.#replaceUpTo(following(last.key), rows, next);
  }

  /** What is on disk in [#from, to) becomes `rows`, which are all the snapshot has there. */
  #replaceUpTo(to: Uint8Array, rows: readonly KeyValuePair[], done: Finished): void {
    const wanted = new Map(rows.map((row) => [nameOf(row.key), row]));
    const scan = (from: Uint8Array): void => {
      this.#keyValue.scan({ from, to, limit: rowsPerScan }, (error, present) => {
        if (error) return done(error);
        const deletes: Uint8Array[] = [];
        for (const { key, value } of present) {
          const row = wanted.get(nameOf(key));
          if (row && areEqual(row.value, value)) wanted.delete(nameOf(key));
          if (!row && !areEqual(key, installKey())) deletes.push(key);
        }
        const last = present.at(-1);
        const isEnd = !last || present.length < rowsPerScan;
        return this.#write(isEnd ? [...wanted.values()] : [], deletes, () => {
          if (!isEnd) return scan(following(last.key));
          this.#from = to;
          return done(null);
        });
      });
    };
    scan(this.#from);
  }

  #end(): void {
    this.#write([], [installKey()], () =>
      this.#keyValue.flush((error) => (error ? this.#fail(error) : this.#done(null, this.#file))),
    );
  }

  #write(puts: readonly KeyValuePair[], deletes: readonly Uint8Array[], then: () => void): void {
    if (puts.length + deletes.length === 0) return then();
    this.#keyValue.write({ puts, deletes }, (error) => (error ? this.#fail(error) : then()));
  }

  #fail(error: Error): void {
    this.#done(error, undefined as never);
  }
}

function nameOf(key: Uint8Array): string {
  let name = "";
  for (const byte of key) name += String.fromCharCode(byte);
  return name;
}

function areEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) return false;
  return true;
}
