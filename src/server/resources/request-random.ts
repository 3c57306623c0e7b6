import { createHash, randomBytes } from "node:crypto";
import type { Random } from "../../base/env.js";

/**
 * Chance for one try of a request. With an identity it is derived from it, so that a repeat of the same try (on another
 * server, after a lost answer) makes the same uid and the same generated name; without one it is true chance.
 * Client ids are random themselves, so what is derived from them can't be guessed by others.
 */
export function requestRandom(client: { readonly id: string; readonly sequence: number } | undefined): Random {
  let counter = 0;
  const bytes = (length: number): Uint8Array => {
    if (!client) return randomBytes(length);
    const parts: Buffer[] = [];
    for (let made = 0; made < length; made += 32) {
      const text = `ikada request\0${client.id}\0${client.sequence}\0${counter++}`;
      parts.push(createHash("sha256").update(text).digest());
    }
    return new Uint8Array(Buffer.concat(parts).subarray(0, length));
  };
  /** 48 random bits. */
  const next = () => Buffer.from(bytes(6)).readUIntBE(0, 6) / 2 ** 48;
  return { bytes, next, int: (bound) => Math.floor(next() * bound) };
}
