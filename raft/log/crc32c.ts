/**
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4) of `bytes[from, to)`. `seed` is the result over the bytes
 * before them, so that `crc32c(b, crc32c(a))` equals the CRC of a and b joined. Eight bytes a step
 * ("slicing by 8", Kounavis and Berry 2005).
 */
export function crc32c(bytes: Uint8Array, seed = 0, from = 0, to = bytes.length): number {
  let crc = ~seed;
  let at = from;
  for (const end = to - 7; at < end; at += 8) {
    const low =
      crc ^
      (byteAt(bytes, at) |
        (byteAt(bytes, at + 1) << 8) |
        (byteAt(bytes, at + 2) << 16) |
        (byteAt(bytes, at + 3) << 24));
    crc =
      entry(7, low & 0xff) ^
      entry(6, (low >>> 8) & 0xff) ^
      entry(5, (low >>> 16) & 0xff) ^
      entry(4, low >>> 24) ^
      entry(3, byteAt(bytes, at + 4)) ^
      entry(2, byteAt(bytes, at + 5)) ^
      entry(1, byteAt(bytes, at + 6)) ^
      entry(0, byteAt(bytes, at + 7));
  }
  for (; at < to; at++) crc = entry(0, (crc ^ byteAt(bytes, at)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Reflected form of the Castagnoli polynomial 0x1edc6f41. */
const polynomial = 0x82f63b78;

/** What flipping the last bit does to a CRC; and, of a bit's effect, that of the bit before it. */
export const crcOfLastBit = polynomial;
export function crcBeforeBit(effect: number): number {
  return ((effect & 1) === 0 ? effect >>> 1 : (effect >>> 1) ^ polynomial) >>> 0;
}

/** Eight tables of 256 entries, one after the other: table n holds the CRC of a byte followed by n zero bytes. */
const tables = makeTables();

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ polynomial;
    made[byte] = crc;
  }
  for (let at = 256; at < made.length; at++) {
    const before = made[at - 256] as number;
    made[at] = (made[before & 0xff] as number) ^ (before >>> 8);
  }
  return made;
}

function entry(table: number, byte: number): number {
  return tables[table * 256 + byte] as number;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
