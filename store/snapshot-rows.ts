import { InvariantError } from "../src/base/errors.js";
import type { KeyValuePair } from "./key-value.js";

/** Rows as they are in a snapshot's chunk, one after the other: key length u32, value length u32 (little-endian), key, value. */
const headBytes = 8;

export function rowBytes({ key, value }: KeyValuePair): number {
  return headBytes + key.length + value.length;
}

export function encodeRows(rows: readonly KeyValuePair[]): Uint8Array {
  const bytes = new Uint8Array(rows.reduce((sum, row) => sum + rowBytes(row), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { key, value } of rows) {
    view.setUint32(at, key.length, true);
    view.setUint32(at + 4, value.length, true);
    bytes.set(key, at + headBytes);
    bytes.set(value, at + headBytes + key.length);
    at += headBytes + key.length + value.length;
  }
  return bytes;
}

/** Views into `payload`. @throws InvariantError when it was not made by `encodeRows` */
export function decodeRows(payload: Uint8Array): KeyValuePair[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const rows: KeyValuePair[] = [];
  let at = 0;
  while (at < payload.length) {
    const keyAt = at + headBytes;
    const valueAt = keyAt <= payload.length ? keyAt + view.getUint32(at, true) : Number.NaN;
    const end = keyAt <= payload.length ? valueAt + view.getUint32(at + 4, true) : Number.NaN;
    if (!(end <= payload.length)) throw new InvariantError("a snapshot's chunk ends inside of a row");
    rows.push({ key: payload.subarray(keyAt, valueAt), value: payload.subarray(valueAt, end) });
    at = end;
  }
  return rows;
}
