/**
 * The only way to the outside world for code that decides.
 *
 * Production builds one `Env` from the machine (`src/host`), the simulator builds one per simulated
 * process (`test/sim`). All completions are callbacks, never promises, so that the simulator alone
 * chooses when each one runs. Callbacks are never called before the requesting call has returned.
 */
export interface Env {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
  readonly log: Log;
  readonly failpoint: Failpoint;
}

/** Two clocks, because they differ: wall time may jump, monotonic time may not. */
export interface Clock {
  /** Wall time in milliseconds since 1970-01-01 UTC. May jump in both directions. For people and for fields in the log, never for timeouts. */
  now(): number;
  /** Milliseconds (with fraction) since an arbitrary start. Never goes back. For timeouts. */
  monotonic(): number;
}

export interface Timers {
  /** Calls `run` once, `delayMs` (>= 0) of monotonic time from now at the earliest. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  /** Idempotent; after it the callback does not run. */
  cancel(): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). `bound` is at least 1 and at most 2^32. */
  int(bound: number): number;
  bytes(length: number): Uint8Array;
}

/** `error` is null on success; `result` is valid only then. */
export type Done<T> = (error: Error | null, result: T) => void;
export type Finished = (error: Error | null) => void;

/**
 * Files by path relative to the process's data folder, `/` as separator. A path never leaves the folder.
 * Completions of different calls may come in any order; callers that need order chain their calls.
 * A write is durable only after a later `sync` of the same file has succeeded (and, for the existence
 * of a new or renamed file, a `syncFolder` of its folder). After a failed `sync` the file's state is unknown:
 * the caller ends the process and never retries.
 */
export interface Disk {
  /** File names in a folder in code-unit order, without folders. A missing folder is an empty list. */
  list(folder: string, done: Done<string[]>): void;
  /** Creates the folder and its parents; no error when it is there. */
  makeFolder(folder: string, done: Finished): void;
  /** Size in bytes; -1 when the file is missing. */
  size(path: string, done: Done<number>): void;
  /** Reads up to `length` bytes at `offset`; fewer only at the end of the file. A missing file is an error. */
  read(path: string, offset: number, length: number, done: Done<Uint8Array>): void;
  /** Writes all bytes at `offset`, creating the file when missing. Bytes must not change until `done`. */
  write(path: string, offset: number, bytes: Uint8Array, done: Finished): void;
  /** fdatasync: when it succeeds, all writes of this file that had completed before the call are durable. */
  sync(path: string, done: Finished): void;
  /**
   * `write` and then `sync`, as one request; absent where two cost no more. `isWritten` tells which of them has failed: after a failed
   * write there was no sync.
   */
  writeDurably?(
    path: string,
    offset: number,
    bytes: Uint8Array,
    done: (error: Error | null, isWritten: boolean) => void,
  ): void;
  /** Makes creations, renames and removals inside the folder durable. */
  syncFolder(folder: string, done: Finished): void;
  truncate(path: string, length: number, done: Finished): void;
  /** Atomic; replaces an existing target. */
  rename(from: string, to: string, done: Finished): void;
  /** No error when the file is missing. */
  remove(path: string, done: Finished): void;
}

/** Messages among the numbered members of one cluster. Unordered, lossy, duplicating in the worst case. */
export interface Network<M> {
  /** Never blocks and never throws; drops when the peer's bounded queue is full. */
  send(to: number, messages: readonly M[]): void;
  /** Sets the single receiver. `from` is authenticated by the real transport. */
  onReceive(receive: (from: number, messages: readonly M[]) => void): void;
  /** A hint that a connection to a peer was lost (its process may be dead) or found again. */
  onPeer(changed: (peer: number, connected: boolean) => void): void;
  /** How long a message to a peer and its answer took together, now and then; absent where nobody measures. */
  onRoundTrip?(measured: (peer: number, ms: number) => void): void;
}

/** Constant message, variable parts as fields. Never pass secrets. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to each line. */
  with(fields: LogFields): Log;
}

export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Names a point in the code at which a test may crash, stop or delay this process. Does nothing in
 * production unless the process was started with `IKADA_FAILPOINTS`.
 */
export type Failpoint = (name: string) => void;
