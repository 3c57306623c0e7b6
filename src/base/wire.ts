import type { ByteWriter } from "./byte-writer.js";

/**
 * Protocol buffers' wire format by hand, for the few messages that every write passes through: log
 * entries, rows on disk, appends to peers. The bytes are the generated code's (tests compare the two); without its
 * intermediate objects they are made and read several times faster. Field numbers are below 16, integers below 2^53.
 */

const varintType = 0;
const bytesType = 2;

/** A field that is zero is left out, as proto3 wants it. */
export function numberField(into: ByteWriter, number: number, value: number): void {
  if (value !== 0) into.byte((number << 3) | varintType).varint(value);
}

/** sint64: small negative numbers stay small. */
export function signedField(into: ByteWriter, number: number, value: number): void {
  numberField(into, number, value < 0 ? -2 * value - 1 : 2 * value);
}

export function bytesField(into: ByteWriter, number: number, value: Uint8Array): void {
  if (value.length > 0)
    into
      .byte((number << 3) | bytesType)
      .varint(value.length)
      .bytes(value);
}

export function textField(into: ByteWriter, number: number, value: string): void {
  if (value !== "") messageField(into, number, () => into.text(value));
}

export function messageField(into: ByteWriter, number: number, write: () => void): void {
  into.byte((number << 3) | bytesType);
  const from = into.length;
  write();
  into.insertVarint(from, into.length - from);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads fields one after the other. @throws RangeError or TypeError for bytes that are no message */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #type = 0;

  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** The number of the next field; 0 at the end. Its value has to be read, or skipped, before the next call. */
  next(): number {
    if (this.#at === this.#end) return 0;
    const tag = this.#varint();
    this.#type = tag & 7;
    return tag >>> 3;
  }

  /** Offset of the next field, or of the value that `next` stands before. */
  get position(): number {
    return this.#at;
  }

  number(): number {
    if (this.#type !== varintType) throw new TypeError("a number has the wrong wire type");
    return this.#varint();
  }

  signed(): number {
    const value = this.number();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** A view into what is read. */
  bytes(): Uint8Array {
    const from = this.#skipBytes();
    return this.#bytes.subarray(from, this.#at);
  }

  text(): string {
    const from = this.#skipBytes();
    const length = this.#at - from;
    for (let at = from; at < this.#at; at += 1)
      if ((this.#bytes[at] as number) >= 0x80) return decoder.decode(this.#bytes.subarray(from, this.#at));
    if (length > asciiLengthMax) return decoder.decode(this.#bytes.subarray(from, this.#at));
    return String.fromCharCode.apply(undefined, this.#bytes.subarray(from, this.#at) as unknown as number[]);
  }

  message(): WireReader {
    const from = this.#skipBytes();
    return new WireReader(this.#bytes, from, this.#at);
  }

  /** Passes over a field of a number that is not known. */
  skip(): void {
    if (this.#type === varintType) this.#skipVarint();
    else if (this.#type === bytesType) this.#skipBytes();
    else if (this.#type === 1) this.#advance(8);
    else if (this.#type === 5) this.#advance(4);
    else throw new TypeError(`wire type ${this.#type}`);
  }

  /** Gives where the bytes begin; they end where the reader stands then. */
  #skipBytes(): number {
    if (this.#type !== bytesType) throw new TypeError("bytes have the wrong wire type");
    const length = this.#varint();
    const from = this.#at;
    this.#advance(length);
    return from;
  }

  #advance(count: number): void {
    if (count > this.#end - this.#at) throw new RangeError("the message ends too early");
    this.#at += count;
  }

  /** Of any size: who does not know the field cannot say what is too large for it. */
  #skipVarint(): void {
    for (let byte = 0x80; byte >= 0x80;) {
      if (this.#at >= this.#end) throw new RangeError("the message ends too early");
      byte = this.#bytes[this.#at++] as number;
    }
  }

  #varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      if (this.#at >= this.#end) throw new RangeError("the message ends too early");
      const byte = this.#bytes[this.#at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      if (scale >= 2 ** 49) throw new RangeError("an integer of more than 53 bits");
    }
    if (!Number.isSafeInteger(value)) throw new RangeError("an integer of more than 53 bits");
    return value;
  }
}

/** Arguments of one call; keys are shorter, and longer text gains nothing. */
const asciiLengthMax = 256;
