import type { ikada } from "#proto/api.js";
import { IkadaError } from "../src/base/errors.js";
import type { OpenCall } from "./input-queue.js";
import { endOfStream } from "./lost-server.js";

/** A terminal's size in characters. */
export interface TerminalSize {
  /** Its width. */
  readonly columns: number;
  /** Its height. */
  readonly rows: number;
}

/** A piece of what a process wrote. */
export interface ProcessOutput {
  /** Where it wrote it; with a terminal all is stdout. */
  readonly stream: "stdout" | "stderr";
  /** What it wrote. */
  readonly data: Uint8Array;
}

const messageBytesMax = 64 * 1024;

/**
 * A process in a container. Its output is read by iterating, once; what is not read is not fetched, and a process that writes waits for its reader.
 * Leaving the loop, and `close`, end a command that was run; what was attached to runs on.
 *
 * @example
 * const process = await client.access.exec("web-1", ["sort"], { namespace: "default", stdin: true });
 * await process.write(new TextEncoder().encode("b\na\n"));
 * process.end();
 * for await (const { data } of process) console.log(new TextDecoder().decode(data));
 * console.log(await process.exitCode);
 */
export class RemoteProcess implements AsyncIterable<ProcessOutput> {
  readonly #call: OpenCall<ikada.api.v1.IExecInput, ikada.api.v1.IExecOutput>;
  #isRead = false;
  #settle!: { resolve(code: number | undefined): void; reject(error: Error): void };

  /** Known when the output was read to its end; undefined when that was closed before, or an attached container runs on. */
  readonly exitCode: Promise<number | undefined>;

  /** @internal */
  constructor(call: OpenCall<ikada.api.v1.IExecInput, ikada.api.v1.IExecOutput>) {
    this.#call = call;
    this.exitCode = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Who reads the output is told too.
    this.exitCode.catch(() => undefined);
  }

  /** Gives it input, and resolves when the server has taken that. @throws IkadaError Cancelled when the process has ended, BadRequest after `end` */
  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += messageBytesMax)
      await this.#call.input.put({ stdin: data.subarray(at, at + messageBytesMax) });
  }

  /** No more input comes: the process reads the end of it. */
  end(): void {
    this.#call.input.put({ stdinEnd: true }).catch(() => undefined);
  }

  /** The size of the terminal has changed. */
  resize(size: TerminalSize): void {
    this.#call.input.put({ resize: { ...size } }).catch(() => undefined);
  }

  /** Gives it up. */
  close(): void {
    const error = new IkadaError("Cancelled", "the process was given up");
    this.#call.input.close(error);
    this.#settle.resolve(undefined);
    this.#call.cancel();
  }

  /** What it writes. @throws IkadaError Unavailable when the server or the node is lost, BadRequest when it is read a second time */
  async *[Symbol.asyncIterator](): AsyncGenerator<ProcessOutput, void, undefined> {
    if (this.#isRead) throw new IkadaError("BadRequest", "the output of a process is read once");
    this.#isRead = true;
    let code: number | undefined;
    try {
      for await (const { stdout, stderr, exit } of this.#call.messages) {
        if (stdout) yield { stream: "stdout", data: stdout };
        if (stderr) yield { stream: "stderr", data: stderr };
        if (exit) code = exit.code ?? 0;
      }
      this.#settle.resolve(code);
    } catch (caught) {
      const error = endOfStream(caught);
      this.#settle.reject(error);
      throw error;
    } finally {
      this.#settle.resolve(undefined);
      this.#call.input.close(new IkadaError("Cancelled", "the process has ended"));
      this.#call.cancel();
    }
  }
}
