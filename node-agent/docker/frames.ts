export type OutputStream = "stdout" | "stderr";

/**
 * Splits the engine's multiplexed output: frames of an 8 byte header (stream, 0, 0, 0, length as big-endian 32 bit) and their bytes
 * (Docker Engine API, "Stream format"). Payload is passed on as it comes; nothing but a part of a header is kept.
 */
export class FrameSplitter {
  readonly #onData: (stream: OutputStream, bytes: Uint8Array) => void;
  readonly #header = Buffer.alloc(8);
  #headerBytes = 0;
  #left = 0;

  constructor(onData: (stream: OutputStream, bytes: Uint8Array) => void) {
    this.#onData = onData;
  }

  /** The bytes given to `onData` are views into `chunk`. */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left === 0) {
        const taken = chunk.copy(this.#header, this.#headerBytes, at, at + 8 - this.#headerBytes);
        this.#headerBytes += taken;
        at += taken;
        if (this.#headerBytes < 8) return;
        this.#headerBytes = 0;
        this.#left = this.#header.readUInt32BE(4);
        continue;
      }
      const part = chunk.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      this.#onData(this.#header[0] === 2 ? "stderr" : "stdout", part);
    }
  }
}
