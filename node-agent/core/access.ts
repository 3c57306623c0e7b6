import type { Done } from "../../src/base/env.js";

/**
 * Ways into a container that last, as part of `ContainerRuntime`. Each gives a stream whose two directions pause by themselves: out of the
 * container while the sink is full, into it while `write` has returned false. What is opened begins with `onOpen`, or ends with the error that
 * says why it did not: NotFound, Conflict when it does not run, BadRequest, Unavailable.
 */
export interface ContainerAccess {
  /**
   * Runs a command inside a running container. A command that can't be executed gives an exit code of 126 or more. Closing the stream kills
   * the command: nobody is left to read what it writes.
   */
  openExec(request: ExecStreamRequest, sink: StreamSink): ContainerStream;
  /** The main process of a running container, from now on. Ends with it; closing the stream leaves it as it is. */
  attach(request: AttachRequest, sink: StreamSink): ContainerStream;
  /** A TCP connection to 127.0.0.1 in the network namespace of a running sandbox. */
  connect(request: ConnectRequest, sink: StreamSink): ContainerStream;
  /** A tar of the file or folder at a path; its entries begin with the last part of the path. Closing the stream ends it. */
  readArchive(request: ArchiveRequest, sink: StreamSink): ContainerStream;
  /**
   * Takes a tar of one file or folder and writes that into the folder at the path, or as what the path names. `end` says that it was all; closing
   * the stream before leaves a part.
   */
  writeArchive(request: ArchiveRequest, sink: StreamSink): ContainerStream;
  /** What these containers use, as far as it can be read; those that do not run are left out. */
  usage(containerIds: readonly string[], done: Done<ReadonlyMap<string, ContainerUsage>>): void;
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface ExecStreamRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  /** A terminal of its own; all output is stdout then. */
  readonly tty: boolean;
  readonly size: TerminalSize | undefined;
}

export interface AttachRequest {
  readonly containerId: string;
  readonly stdin: boolean;
  readonly size: TerminalSize | undefined;
}

export interface ConnectRequest {
  readonly sandboxId: string;
  readonly port: number;
}

export interface ArchiveRequest {
  readonly containerId: string;
  readonly path: string;
}

/** Where a stream's output goes. Nothing is called before the opening call has returned, nor after `close` or `onEnd`. */
export interface StreamSink {
  /** Once, before any data. */
  onOpen(): void;
  /** Returns false when the reader is full; the runtime pauses until `onResume` is called. What was read already (64 KiB at most) still comes. */
  onData(stream: "stdout" | "stderr", bytes: Uint8Array): boolean;
  /** There is room again, after a `write` that returned false. */
  onDrain(): void;
  /** All is over. `exitCode`: of what was run, or of the container that has ended. */
  onEnd(error: Error | null, exitCode?: number): void;
  /** Set by the runtime. */
  onResume: (() => void) | undefined;
}

/** The way in. To be written to from `onOpen` on. */
export interface ContainerStream {
  /** False: pause until `onDrain`. The bytes must not change afterwards. */
  write(bytes: Uint8Array): boolean;
  /** No more input comes; output goes on. */
  end(): void;
  /** Of the terminal; without one nothing happens. */
  resize(size: TerminalSize): void;
  close(): void;
}

export interface ContainerUsage {
  /** Processor time since the container's start. */
  readonly cpuNanos: number;
  /** In use, without file pages that can be given back at once. */
  readonly memoryBytes: number;
  /** Processes and threads; absent where the machine does not count them. */
  readonly processes?: number;
  /** Monotonic milliseconds of the measurement. */
  readonly atMs: number;
}
