/**
 * Many byte arrays as one buffer of its own: crosses a MessagePort by transfer instead of one copy per array,
 * and a caller's array, which may be part of a larger buffer, is never taken away from it.
 *
 *     count u32, for each array where it ends u32 (both in this machine's byte order), then the arrays
 */
export type PackedBytes = Uint8Array<ArrayBuffer>;

const numberBytes = 4;

export function packBytes(arrays: readonly Uint8Array[]): PackedBytes {
  const from = (1 + arrays.length) * numberBytes;
  let end = from;
  for (const array of arrays) end += array.length;
  const packed = new Uint8Array(end);
  const ends = new Uint32Array(packed.buffer, 0, 1 + arrays.length);
  ends[0] = arrays.length;
  end = from;
  for (let at = 0; at < arrays.length; at += 1) {
    const array = arrays[at] as Uint8Array;
    packed.set(array, end);
    end += array.length;
    ends[at + 1] = end;
  }
  return packed;
}

/** Views into the one buffer. */
export function unpackBytes(packed: PackedBytes): Uint8Array[] {
  const count = new Uint32Array(packed.buffer, 0, 1)[0] as number;
  const ends = new Uint32Array(packed.buffer, 0, 1 + count);
  const arrays: Uint8Array[] = [];
  let from = ends.byteLength;
  for (let at = 1; at <= count; at += 1) {
    const end = ends[at] as number;
    arrays.push(packed.subarray(from, end));
    from = end;
  }
  return arrays;
}
