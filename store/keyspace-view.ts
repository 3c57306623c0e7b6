import type { Done, Env } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { Compactor } from "./compactor.js";
import type { KeyValue } from "./key-value.js";
import type { Keyspace } from "./keyspace.js";
import type { Stamp } from "./layout.js";
import { Past } from "./past.js";
import { rangeNow } from "./range.js";
import { RecentBatches, type RecentBounds } from "./recent.js";
import type {
  ChangesQuery,
  ChangesResult,
  RangeQuery,
  RangeResult,
  Revision,
  WatchBatch,
  WatchObserver,
} from "./store.js";
import { Watches } from "./watches.js";

/** What a view needs of its replica. */
export interface ViewHost {
  readonly env: Env;
  readonly keyValue: KeyValue;
  readonly recent: RecentBounds | undefined;
  /** Deletes rows behind all that was written before. */
  remove(rows: readonly Uint8Array[], done: () => void): void;
  /** Nothing may be answered any more. */
  stopped(): IkadaError | undefined;
  fail(error: Error): void;
}

/** All that is read of one keyspace on one replica: the present, the past in memory and on disk, and what changes. */
export class KeyspaceView {
  readonly #host: ViewHost;
  #keyspace: Keyspace;
  #recent: RecentBatches;
  readonly #watches: Watches;
  readonly #past: Past;
  readonly #compactor: Compactor;
  /** Rows of history that were removed since the state was loaded. */
  #removedBytes = 0;
  #isReplacing = false;
  /** Counts installed snapshots; a read of the disk that spans one is void. */
  #installations = 0;

  constructor(host: ViewHost, keyspace: Keyspace) {
    const { env, keyValue } = host;
    this.#host = host;
    this.#keyspace = keyspace;
    this.#recent = new RecentBatches(keyspace.revision, host.recent);
    this.#watches = new Watches(env, keyValue, keyspace, this.#recent);
    this.#past = new Past(keyValue, () => ({
      keyspace: this.#keyspace,
      recent: this.#recent,
      stopped: host.stopped(),
      installation: this.#isReplacing ? undefined : this.#installations,
    }));
    this.#compactor = new Compactor(env, keyValue, keyspace.number, {
      remove: (rows, done) => host.remove(rows, done),
      onRemoved: (bytes) => (this.#removedBytes += bytes),
      onDamage: (error) => host.fail(error),
    });
    this.#compactor.compactTo(keyspace.compactRevision);
  }

  get keyspace(): Keyspace {
    return this.#keyspace;
  }

  get watches(): number {
    return this.#watches.size;
  }

  /** Live records in memory, about, and all rows of them and of history on disk, before the disk's compression. */
  usage(): { readonly liveBytes: number; readonly rowBytes: number } {
    const { liveBytes, writtenBytes } = this.#keyspace;
    return { liveBytes, rowBytes: writtenBytes - this.#removedBytes };
  }

  /** To be called with all that an entry did, in order. */
  publish(batches: readonly WatchBatch[], stamp: Stamp): void {
    for (const batch of batches) this.#recent.push(batch, stamp);
    for (const batch of batches) this.#watches.publish(batch);
  }

  /** The disk has everything up to here. */
  written({ revision, compactRevision }: { readonly revision: Revision; readonly compactRevision: Revision }): void {
    this.#recent.written(revision);
    if (!this.#isReplacing) this.#compactor.compactTo(compactRevision);
  }

  /** From now until `replaced` rows on disk mean nothing. */
  replacing(): void {
    this.#isReplacing = true;
    this.#watches.replacing();
    this.#compactor.reset();
  }

  /** In one turn for all who look: caches read anew before anybody who waited goes on. */
  replaced(keyspace: Keyspace): void {
    this.#isReplacing = false;
    this.#installations += 1;
    this.#keyspace = keyspace;
    this.#removedBytes = 0;
    this.#recent = new RecentBatches(keyspace.revision, this.#host.recent);
    this.#compactor.compactTo(keyspace.compactRevision);
    this.#watches.replaced(keyspace, this.#recent);
  }

  close(reason: Error): void {
    this.#compactor.stop();
    this.#watches.closeAll(reason);
  }

  /** The query's revision is one that was applied. */
  range(query: RangeQuery, done: Done<RangeResult>): void {
    const { revision } = query;
    if (revision !== undefined) return this.#past.range({ ...query, revision }, done);
    const stopped = this.#host.stopped();
    return stopped
      ? done(stopped, { records: [], revision: 0, more: false })
      : done(null, rangeNow(this.#keyspace, query));
  }

  revisionAt(timeMs: number, done: Done<Revision>): void {
    this.#past.revisionAt(timeMs, done);
  }

  changes(query: ChangesQuery, done: Done<ChangesResult>): void {
    this.#past.changes(query, done);
  }

  watch(prefix: string, from: Revision, observer: WatchObserver): { close(): void } {
    const stopped = this.#host.stopped();
    if (stopped) throw stopped;
    return this.#watches.open(prefix, from, observer);
  }
}
