import type { Socket } from "node:net";
import { IkadaError } from "../../src/base/errors.js";
import type { ContainerStream, StreamSink, TerminalSize } from "../core/access.js";
import { FrameSplitter } from "./frames.js";

export interface OpenedSocket {
  readonly socket: Socket;
  /** Output as it is, without the engine's frames: that of a terminal. */
  readonly raw: boolean;
  /** The process's exit code once its output has ended; undefined when it lives. */
  readonly exitCode: () => Promise<number | undefined>;
  readonly resize?: (size: TerminalSize) => Promise<void>;
  /** The stream was closed before its process had ended. */
  readonly abandon?: () => void;
}

/** A connection that the engine gave for exec or attach, between a socket and a sink. */
export class HijackedStream implements ContainerStream {
  readonly #sink: StreamSink;
  #opened: OpenedSocket | undefined;
  /** Of a resize under way: the size that is wanted after it. */
  #nextSize: TerminalSize | undefined;
  #resizing = false;
  #closed = false;

  constructor(what: string, opening: Promise<OpenedSocket>, sink: StreamSink) {
    this.#sink = sink;
    opening.then(
      (opened) => this.#attach(what, opened),
      (error: unknown) => this.#end(IkadaError.from(error)),
    );
  }

  write(bytes: Uint8Array): boolean {
    return this.#opened?.socket.write(bytes) ?? true;
  }

  end(): void {
    this.#opened?.socket.end();
  }

  resize(size: TerminalSize): void {
    this.#nextSize = size;
    if (!this.#resizing && this.#opened?.resize) void this.#resizeAll(this.#opened.resize);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink.onResume = undefined;
    this.#opened?.socket.destroy();
    this.#opened?.abandon?.();
  }

  #attach(what: string, opened: OpenedSocket): void {
    const { socket, raw } = opened;
    this.#opened = opened;
    socket.on("error", (error) =>
      this.#end(new IkadaError("Unavailable", `docker: ${what}: ${error.message}`, {}, error)),
    );
    if (this.#closed) {
      socket.destroy();
      opened.abandon?.();
      return;
    }
    const sink = this.#sink;
    sink.onResume = () => socket.resume();
    sink.onOpen();
    const take = (name: "stdout" | "stderr", bytes: Uint8Array): void => {
      if (!this.#closed && !sink.onData(name, bytes)) socket.pause();
    };
    const splitter = new FrameSplitter(take);
    socket.on("data", (chunk: Buffer) => (raw ? take("stdout", chunk) : splitter.push(chunk)));
    socket.on("drain", () => {
      if (!this.#closed) sink.onDrain();
    });
    socket.on("end", () => {
      opened.exitCode().then(
        (code) => this.#end(null, code),
        (error: unknown) => this.#end(IkadaError.from(error)),
      );
    });
    if (this.#nextSize && opened.resize) void this.#resizeAll(opened.resize);
  }

  /** One at a time, and of those that came meanwhile the last. A terminal that can't be resized is no reason to end what runs in it. */
  async #resizeAll(resize: (size: TerminalSize) => Promise<void>): Promise<void> {
    this.#resizing = true;
    for (let size = this.#nextSize; size && !this.#closed; size = this.#nextSize) {
      this.#nextSize = undefined;
      await resize(size).catch(() => undefined);
    }
    this.#resizing = false;
  }

  #end(error: Error | null, exitCode?: number): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink.onResume = undefined;
    this.#opened?.socket.destroy();
    this.#sink.onEnd(error, exitCode);
  }
}
