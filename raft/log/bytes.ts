/** Little-endian integers in byte arrays. 64-bit fields hold integers below 2^53; a larger one is read as NaN. */
export function writeU16(to: Uint8Array, at: number, value: number): void {
  to[at] = value;
  to[at + 1] = value >>> 8;
}

export function writeU32(to: Uint8Array, at: number, value: number): void {
  to[at] = value;
  to[at + 1] = value >>> 8;
  to[at + 2] = value >>> 16;
  to[at + 3] = value >>> 24;
}

export function writeU64(to: Uint8Array, at: number, value: number): void {
  writeU32(to, at, value >>> 0);
  writeU32(to, at + 4, Math.floor(value / 0x1_0000_0000));
}

export function readU16(from: Uint8Array, at: number): number {
  return byte(from, at) | (byte(from, at + 1) << 8);
}

export function readU32(from: Uint8Array, at: number): number {
  return (readU16(from, at) | (readU16(from, at + 2) << 16)) >>> 0;
}

export function readU64(from: Uint8Array, at: number): number {
  const high = readU32(from, at + 4);
  return high > 0x1f_ffff ? Number.NaN : high * 0x1_0000_0000 + readU32(from, at);
}

export function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}

function byte(from: Uint8Array, at: number): number {
  return from[at] as number;
}
