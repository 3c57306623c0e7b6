const encoder = new TextEncoder();
/** Of an integer below 2^53. */
const varintBytesMax = 8;

/**
 * Many small byte arrays as views into few large ones. An array with memory of its own for each key and value of a row
 * costs several times what filling it does, and the garbage collector as much again.
 *
 * A view stays as it is: its bytes are never written again. It keeps its whole chunk in memory, so what is kept for
 * long is copied.
 */
export class ByteWriter {
  readonly #chunkBytes: number;
  #bytes: Uint8Array;
  /** Where the array begins that is being written. */
  #start = 0;
  #at = 0;

  /** The default suits one array; for many, chunks should hold hundreds. Below 65 bytes V8 would have to move an array to give a view of it. */
  constructor(chunkBytes = 128) {
    this.#chunkBytes = chunkBytes;
    this.#bytes = new Uint8Array(chunkBytes);
  }

  byte(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** As UTF-8. */
  text(value: string): this {
    this.#reserve(value.length);
    let at = this.#at;
    for (let index = 0; index < value.length; index += 1) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) return this.bytes(encoder.encode(value));
      this.#bytes[at++] = unit;
    }
    this.#at = at;
    return this;
  }

  /** 8 bytes, big endian; an integer from 0 to 2^53 - 1. */
  number(value: number): this {
    this.#reserve(8);
    const bytes = this.#bytes;
    const at = this.#at;
    const high = Math.floor(value / 2 ** 32);
    bytes[at] = high >>> 24;
    bytes[at + 1] = high >>> 16;
    bytes[at + 2] = high >>> 8;
    bytes[at + 3] = high;
    bytes[at + 4] = value >>> 24;
    bytes[at + 5] = value >>> 16;
    bytes[at + 6] = value >>> 8;
    bytes[at + 7] = value;
    this.#at += 8;
    return this;
  }

  /** Protocol buffers' variable length form, 7 bits a byte, lowest first; an integer from 0 to 2^53 - 1. */
  varint(value: number): this {
    this.#reserve(varintBytesMax);
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
    this.#bytes[this.#at++] = rest;
    return this;
  }

  /** Bytes of the array that is being written. */
  get length(): number {
    return this.#at - this.#start;
  }

  /** Puts a varint in front of what was written from `from` on: a length that is known only afterwards. */
  insertVarint(from: number, value: number): this {
    let count = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) count += 1;
    this.#reserve(count + varintBytesMax);
    const begin = this.#start + from;
    const end = this.#at;
    this.#bytes.copyWithin(begin + count, begin, end);
    this.#at = begin;
    this.varint(value);
    this.#at = end + count;
    return this;
  }

  /** What was written since the last call. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(this.#start, this.#at);
    this.#start = this.#at;
    return taken;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const begun = this.#bytes.subarray(this.#start, this.#at);
    this.#bytes = new Uint8Array(Math.max(this.#chunkBytes, 2 * (begun.length + count)));
    this.#bytes.set(begun);
    this.#start = 0;
    this.#at = begun.length;
  }
}
