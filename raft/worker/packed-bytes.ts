/**
 * Many byte arrays as one buffer of its own: crosses a MessagePort by transfer instead of one copy per array,
 * and a caller's array, which may be part of a larger buffer, is never taken away from it.
 */
export interface PackedBytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each array ends. */
  readonly ends: readonly number[];
}

export function packBytes(arrays: readonly Uint8Array[]): PackedBytes {
  const bytes = new Uint8Array(arrays.reduce((sum, array) => sum + array.length, 0));
  let end = 0;
  const ends = arrays.map((array) => {
    bytes.set(array, end);
    return (end += array.length);
  });
  return { bytes, ends };
}

/** Views into the one buffer. */
export function unpackBytes({ bytes, ends }: PackedBytes): Uint8Array[] {
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end));
}
