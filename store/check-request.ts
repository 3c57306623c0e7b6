import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { keyLengthMax } from "./layout.js";
import type { Operation, WriteRequest } from "./store.js";

const clientIdPattern = /^[\x21-\x7e]{1,128}$/;

/** Refuses what the log must never hold. Everything here depends on the request alone. @throws IkadaError BadRequest, TooLarge */
export function checkRequest(request: WriteRequest): void {
  const { client, txns } = request;
  if (client && !clientIdPattern.test(client.id))
    throw new IkadaError("BadRequest", "a client id is 1 to 128 printable ASCII characters");
  if (client && !isCount(client.sequence))
    throw new IkadaError("BadRequest", `${client.sequence} is no request sequence; use 1, 2, 3, …`);
  if (txns.length > limits.txnBatchMax)
    throw new IkadaError("TooLarge", `${txns.length} transactions in one request; the limit is ${limits.txnBatchMax}`);
  for (const txn of txns) {
    for (const compare of txn.compares) checkKey(compare.key);
    checkOperations(txn.success);
    checkOperations(txn.failure);
    const count = txn.compares.length + txn.success.length + txn.failure.length;
    if (count > limits.txnOperationsMax)
      throw new IkadaError(
        "TooLarge",
        `${count} operations in one transaction; the limit is ${limits.txnOperationsMax}`,
      );
  }
}

/** @throws IkadaError TooLarge */
export function checkEntrySize(bytes: number): void {
  if (bytes > limits.entryBytesMax)
    throw new IkadaError(
      "TooLarge",
      `the request takes ${bytes} bytes in the log; the limit is ${limits.entryBytesMax}`,
      {
        hint: "split it into several requests",
      },
    );
}

function checkOperations(operations: readonly Operation[]): void {
  const keys = new Set<string>();
  for (const operation of operations) {
    checkKey(operation.key);
    if (keys.has(operation.key))
      throw new IkadaError("BadRequest", `two operations on ${JSON.stringify(operation.key)} in one transaction`);
    keys.add(operation.key);
    if (operation.type === "put") checkRevisionAt(operation);
  }
}

function checkRevisionAt({ key, value, revisionAt }: Operation & { type: "put" }): void {
  if (!Number.isInteger(revisionAt) || revisionAt < -1 || revisionAt > value.length)
    throw new IkadaError("BadRequest", `revisionAt ${revisionAt} is outside the value of ${JSON.stringify(key)}`);
}

function checkKey(key: string): void {
  if (key.length === 0 || key.length > keyLengthMax)
    throw new IkadaError("BadRequest", `a key has 1 to ${keyLengthMax} characters, this one has ${key.length}`);
  // The wire carries keys as UTF-8, which has no form for half a surrogate pair.
  for (let at = 0; at < key.length; at += 1) {
    const point = key.codePointAt(at) ?? 0;
    if (point >= 0xd800 && point <= 0xdfff)
      throw new IkadaError("BadRequest", `the key ${JSON.stringify(key)} has half of a surrogate pair`);
    if (point > 0xffff) at += 1;
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}
