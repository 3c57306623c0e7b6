import type { Entry } from "./types.js";

export function payloadBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entry.data.length;
  return bytes;
}

/** `entries[from, to)`, as far as its payload stays within `bytesMax`, but at least one entry. */
export function sliceWithinBytes(entries: readonly Entry[], from: number, to: number, bytesMax: number): Entry[] {
  let bytes = 0;
  for (let place = from; place < to; place++) {
    bytes += entries[place]!.data.length;
    if (bytes > bytesMax && place > from) return entries.slice(from, place);
  }
  return entries.slice(from, to);
}
