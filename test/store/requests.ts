import type { Compare, KeyRecord, Operation, Txn } from "../../store/store.js";

/** Shorthand of the tests: one transaction with one operation and no condition. */
export function put(key: string, value: string, revisionAt = -1): Txn {
  return txn({ type: "put", key, value: bytes(value), revisionAt });
}

export function remove(key: string): Txn {
  return txn({ type: "delete", key });
}

/** A put that only creates. */
export function create(key: string, value: string): Txn {
  const missing: Compare = { key, target: "version", operator: "=", operand: 0 };
  return { ...put(key, value), compares: [missing] };
}

export function txn(...success: Operation[]): Txn {
  return { compares: [], success, failure: [] };
}

export function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function text(record: KeyRecord | undefined): string | undefined {
  return record && new TextDecoder().decode(record.value);
}
