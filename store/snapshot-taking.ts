import type { SnapshotRequest } from "../raft/consensus.js";
import { makingPath } from "../raft/snapshot/files.js";
import { SnapshotWriter, type WrittenSnapshot } from "../raft/snapshot/file-writer.js";
import type { Done, Env } from "../src/base/env.js";
import { decodeMeta } from "./codec.js";
import type { KeyValue, KeyValuePair, KeyValueView } from "./key-value.js";
import { installKey, metaKey } from "./layout.js";
import { RowChunks } from "./row-chunks.js";
import { encodeRows } from "./snapshot-rows.js";

/**
 * Writes all rows, as they are on disk at the call, into a new file, while writes go on: the present, the history from the compact revision on,
 * the request table, the applied index. In memory are one page and one chunk; each chunk is a turn of its own, and the rate has
 * a bound, so that it takes neither the thread nor the disk from others. `done` runs once.
 */
export function takeSnapshot(
  env: Pick<Env, "disk" | "timers" | "clock">,
  keyValue: KeyValue,
  request: SnapshotRequest,
  done: Done<WrittenSnapshot>,
): SnapshotTaking {
  return new SnapshotTaking(env, keyValue.view(), request, done);
}

export class SnapshotTaking {
  readonly #env: Pick<Env, "disk" | "timers" | "clock">;
  readonly #view: KeyValueView;
  readonly #request: SnapshotRequest;
  readonly #done: Done<WrittenSnapshot>;
  readonly #startedMs: number;
  readonly #chunks: RowChunks;
  #writer: SnapshotWriter | undefined;
  #isOver = false;

  constructor(
    env: Pick<Env, "disk" | "timers" | "clock">,
    view: KeyValueView,
    request: SnapshotRequest,
    done: Done<WrittenSnapshot>,
  ) {
    this.#env = env;
    this.#view = view;
    this.#request = request;
    this.#done = done;
    this.#chunks = new RowChunks(view, request.chunkBytes);
    this.#startedMs = env.clock.monotonic();
    this.#begin();
  }

  /** `done` is not called after it. */
  cancel(): void {
    this.#isOver = true;
    this.#view.close();
  }

  #begin(): void {
    this.#view.get(installKey(), (installError, installing) => {
      if (installError) return this.#fail(installError);
      if (installing) return this.#fail(new Error("a snapshot is being installed"));
      return this.#view.get(metaKey(), (error, meta) => {
        if (error) return this.#fail(error);
        if (!meta) return this.#fail(new Error("there is no state yet"));
        const { appliedIndex, appliedTerm } = decodeMeta(meta);
        const identity = { cluster: this.#request.cluster, index: appliedIndex, term: appliedTerm };
        this.#writer = new SnapshotWriter(this.#env.disk, identity);
        return this.#writer.open((openError) => (openError ? this.#fail(openError) : this.#next()));
      });
    });
  }

  #next(): void {
    if (this.#isOver) return;
    this.#chunks.next((error, rows) => {
      if (this.#isOver) return;
      if (error) return this.#fail(error);
      return rows.length === 0 ? this.#finish() : this.#write(rows);
    });
  }

  #write(rows: readonly KeyValuePair[]): void {
    this.#writer?.add(encodeRows(rows), (error) => {
      if (error) return this.#fail(error);
      const dueMs = this.#startedMs + ((this.#writer?.written.bytes ?? 0) * 1000) / this.#request.bytesPerSecond;
      this.#env.timers.after(Math.max(0, dueMs - this.#env.clock.monotonic()), () => this.#next());
    });
  }

  #finish(): void {
    if (this.#isOver || !this.#writer) return;
    this.cancel();
    this.#done(null, this.#writer.written);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.cancel();
    // What was written is of no use and may be what filled the disk.
    this.#env.disk.remove(makingPath, () => this.#done(error, undefined as never));
  }
}
