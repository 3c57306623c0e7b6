/**
 * A digest of a set of things that is cheap to keep while the set changes: each thing is hashed to 2 × 32 bits, and the set's
 * digest is the sum of its members', so order does not matter and a member is taken out by subtraction. It finds
 * divergence between replicas, which is accidental; it is no defence against someone who forges state.
 */
export interface Digest {
  readonly high: number;
  readonly low: number;
}

export class DigestSum {
  #high = 0;
  #low = 0;

  add(member: Digest): void {
    this.#high = (this.#high + member.high) >>> 0;
    this.#low = (this.#low + member.low) >>> 0;
  }

  remove(member: Digest): void {
    this.#high = (this.#high - member.high) >>> 0;
    this.#low = (this.#low - member.low) >>> 0;
  }

  /** 16 hexadecimal digits. */
  text(): string {
    return this.#high.toString(16).padStart(8, "0") + this.#low.toString(16).padStart(8, "0");
  }
}

/** Two multiply-and-xor lanes with different constants and a final mix (the constants are MurmurHash3's and xxHash's). */
export class Hasher {
  #high = 0x9e3779b1 | 0;
  #low = 0x85ebca77 | 0;

  word(value: number): this {
    this.#high = rotate(Math.imul(this.#high ^ value, 0x85ebca6b), 15);
    this.#low = rotate(Math.imul(this.#low + value, 0xc2b2ae35), 13) ^ this.#high;
    return this;
  }

  /** An integer of up to 53 bits. */
  number(value: number): this {
    return this.word((value % 2 ** 32) | 0).word(Math.floor(value / 2 ** 32));
  }

  text(value: string): this {
    this.word(value.length);
    for (let at = 0; at < value.length; at += 1) this.word(value.charCodeAt(at));
    return this;
  }

  bytes(value: Uint8Array): this {
    this.word(value.length);
    const whole = value.length & ~3;
    for (let at = 0; at < whole; at += 4)
      this.word(
        byte(value, at) | (byte(value, at + 1) << 8) | (byte(value, at + 2) << 16) | (byte(value, at + 3) << 24),
      );
    for (let at = whole; at < value.length; at += 1) this.word(byte(value, at));
    return this;
  }

  digest(): Digest {
    return { high: mix(this.#high ^ rotate(this.#low, 7)), low: mix(this.#low) };
  }
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

function mix(word: number): number {
  let mixed = word ^ (word >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
