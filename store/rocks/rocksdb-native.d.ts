/** The part of rocksdb-native 3.18 that is used here; the package has no types of its own. */
declare module "rocksdb-native" {
  interface Options {
    readonly createIfMissing?: boolean;
    readonly maxBackgroundJobs?: number;
    readonly bytesPerSync?: number;
    readonly walRecoveryMode?: number;
    readonly writeBufferSize?: number;
    readonly tableBlockSize?: number;
  }

  interface Range {
    readonly gte: Uint8Array;
    readonly lt: Uint8Array;
  }

  interface Pair {
    readonly key: Uint8Array;
    readonly value: Uint8Array;
  }

  /** Operations take effect in the order of the calls, all or none. Bytes must not change until `flush` resolves. */
  interface WriteBatch {
    tryPut(key: Uint8Array, value: Uint8Array): void;
    tryDelete(key: Uint8Array): void;
    /** Writes to the write-ahead log in the page cache and to the memtable; nothing is synced. */
    flush(): Promise<void>;
  }

  class RocksDB {
    static readonly constants: { readonly walRecoveryMode: { readonly POINT_IN_TIME: number } };
    constructor(path: string, options?: Options);
    ready(): Promise<void>;
    close(): Promise<void>;
    get(key: Uint8Array): Promise<Uint8Array | null>;
    write(options: { readonly capacity: number; readonly autoDestroy: true }): WriteBatch;
    iterator(
      range: Range,
      options: { readonly limit: number; readonly reverse: boolean; readonly capacity: number },
    ): AsyncIterable<Pair>;
    /** Memtable to a synced table file: what was written before is durable. */
    flush(): Promise<void>;
    /** A session whose reads see what is there now; to be closed on its own. */
    snapshot(): RocksDB;
  }

  export default RocksDB;
}
