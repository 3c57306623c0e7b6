import { Duplex } from "node:stream";
import type { ikada } from "#proto/api.js";
import { IkadaError } from "../src/base/errors.js";
import type { OpenCall } from "./input-queue.js";
import { endOfStream } from "./lost-server.js";

const messageBytesMax = 64 * 1024;

/** A TCP connection that a node made inside a Pod, as a stream of Node's. */
export class RemoteConnection extends Duplex {
  readonly #call: OpenCall<ikada.api.v1.IPortForwardInput, ikada.api.v1.IPortForwardOutput>;

  constructor(call: OpenCall<ikada.api.v1.IPortForwardInput, ikada.api.v1.IPortForwardOutput>) {
    super({ highWaterMark: messageBytesMax });
    this.#call = call;
  }

  override _read(): void {
    void this.#fetch();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    void this.#send(chunk, done);
  }

  override _final(done: () => void): void {
    this.#call.input.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#call.input.close(new IkadaError("Cancelled", "the connection was closed"));
    this.#call.cancel();
    done(error);
  }

  /** Until something is there to be read. */
  async #fetch(): Promise<void> {
    try {
      for (;;) {
        const { done, value } = await this.#call.messages.next();
        if (!done && !value.data?.length) continue;
        this.push(done ? null : value.data);
        return;
      }
    } catch (caught) {
      this.destroy(endOfStream(caught));
    }
  }

  async #send(chunk: Buffer, done: (error?: Error | null) => void): Promise<void> {
    try {
      for (let at = 0; at < chunk.length; at += messageBytesMax)
        await this.#call.input.put({ data: chunk.subarray(at, at + messageBytesMax) });
    } catch (caught) {
      done(IkadaError.from(caught));
      return;
    }
    done();
  }
}
