import { InvariantError } from "../../src/base/errors.js";
import type { ByteWriter } from "../../src/base/byte-writer.js";
import { bytesField, messageField, numberField, type WireReader } from "../../src/base/wire.js";
import type { Index } from "../../raft/core/types.js";
import { bytesOf, type EtcdCommand, type EtcdCompare, type EtcdOperation, type EtcdTxn, textOf } from "../etcd.js";

/** Lists index the wire's numbers. Append only. */
const targets = ["version", "createRevision", "modRevision", "lease", "value"] as const;
const operators = ["=", "!=", "<", ">"] as const;
const operationTypes = ["range", "put", "delete", "txn"] as const;
const noBytes = new Uint8Array(0);

export function writeEtcdCommand(into: ByteWriter, command: EtcdCommand): void {
  switch (command.type) {
    case "txn":
      messageField(into, 1, () => writeTxn(into, command.txn));
      return;
    case "grant":
      messageField(into, 2, () => {
        numberField(into, 1, command.lease);
        numberField(into, 2, command.ttlSeconds);
      });
      return;
    // A message and no number: 0 would not be written, and the entry be none.
    case "revoke":
      messageField(into, 3, () => {
        numberField(into, 1, command.lease);
        numberField(into, 3, command.term ?? 0);
      });
  }
}

/** @throws InvariantError when this version cannot know what the entry means */
export function readEtcdCommand(index: Index, wire: WireReader): EtcdCommand {
  let command: EtcdCommand | undefined;
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) command = { type: "txn", txn: readTxn(index, wire.message()) };
    else if (field === 2) command = grant(readLease(wire.message()));
    else if (field === 3) command = revocation(readLease(wire.message()));
    else wire.skip();
  if (!command) throw unknownPart(index, "command of etcd's services");
  return command;
}

function writeTxn(into: ByteWriter, { compares, success, failure }: EtcdTxn): void {
  for (const compare of compares) messageField(into, 1, () => writeCompare(into, compare));
  for (const operation of success) messageField(into, 2, () => writeOperation(into, operation));
  for (const operation of failure) messageField(into, 3, () => writeOperation(into, operation));
}

function writeCompare(into: ByteWriter, compare: EtcdCompare): void {
  bytesField(into, 1, bytesOf(compare.range.key));
  bytesField(into, 2, bytesOf(compare.range.end));
  numberField(into, 3, targets.indexOf(compare.target));
  numberField(into, 4, operators.indexOf(compare.operator));
  if (compare.target === "value") bytesField(into, 6, compare.operand);
  else numberField(into, 5, compare.operand);
}

function writeOperation(into: ByteWriter, operation: EtcdOperation): void {
  numberField(into, 1, operationTypes.indexOf(operation.type));
  switch (operation.type) {
    case "txn":
      messageField(into, 10, () => writeTxn(into, operation.txn));
      return;
    case "put":
      bytesField(into, 2, bytesOf(operation.key));
      bytesField(into, 6, operation.value ?? noBytes);
      numberField(into, 7, operation.lease ?? 0);
      numberField(into, 8, operation.value === undefined ? 1 : 0);
      numberField(into, 9, operation.lease === undefined ? 1 : 0);
      return;
    case "range":
    case "delete":
      bytesField(into, 2, bytesOf(operation.range.key));
      bytesField(into, 3, bytesOf(operation.range.end));
      if (operation.type === "delete") return;
      numberField(into, 4, operation.limit);
      numberField(into, 5, operation.countOnly ? 1 : 0);
  }
}

interface LeaseFields {
  readonly lease: number;
  readonly ttlSeconds: number;
  readonly term: number;
}

function grant({ lease, ttlSeconds }: LeaseFields): EtcdCommand {
  return { type: "grant", lease, ttlSeconds };
}

function revocation({ lease, term }: LeaseFields): EtcdCommand {
  return { type: "revoke", lease, ...(term !== 0 && { term }) };
}

function readLease(wire: WireReader): LeaseFields {
  let [lease, ttlSeconds, term] = [0, 0, 0];
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) lease = wire.number();
    else if (field === 2) ttlSeconds = wire.number();
    else if (field === 3) term = wire.number();
    else wire.skip();
  return { lease, ttlSeconds, term };
}

function readTxn(index: Index, wire: WireReader): EtcdTxn {
  const txn = { compares: [] as EtcdCompare[], success: [] as EtcdOperation[], failure: [] as EtcdOperation[] };
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) txn.compares.push(readCompare(index, wire.message()));
    else if (field === 2) txn.success.push(readOperation(index, wire.message()));
    else if (field === 3) txn.failure.push(readOperation(index, wire.message()));
    else wire.skip();
  return txn;
}

function readCompare(index: Index, wire: WireReader): EtcdCompare {
  let [key, end, targetNumber, operatorNumber, number] = ["", "", 0, 0, 0];
  let value: Uint8Array = noBytes;
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) key = textOf(wire.bytes());
    else if (field === 2) end = textOf(wire.bytes());
    else if (field === 3) targetNumber = wire.number();
    else if (field === 4) operatorNumber = wire.number();
    else if (field === 5) number = wire.number();
    else if (field === 6) value = wire.bytes();
    else wire.skip();
  const target = targets[targetNumber];
  const operator = operators[operatorNumber];
  if (!target || !operator) throw unknownPart(index, "comparison");
  const common = { range: { key, end }, operator };
  return target === "value" ? { ...common, target, operand: value } : { ...common, target, operand: number };
}

function readOperation(index: Index, wire: WireReader): EtcdOperation {
  let [typeNumber, key, end, limit, countOnly, lease, keepValue, keepLease] = [0, "", "", 0, 0, 0, 0, 0];
  let value: Uint8Array = noBytes;
  let txn: EtcdTxn = { compares: [], success: [], failure: [] };
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) typeNumber = wire.number();
    else if (field === 2) key = textOf(wire.bytes());
    else if (field === 3) end = textOf(wire.bytes());
    else if (field === 4) limit = wire.number();
    else if (field === 5) countOnly = wire.number();
    else if (field === 6) value = wire.bytes();
    else if (field === 7) lease = wire.number();
    else if (field === 8) keepValue = wire.number();
    else if (field === 9) keepLease = wire.number();
    else if (field === 10) txn = readTxn(index, wire.message());
    else wire.skip();
  const range = { key, end };
  switch (operationTypes[typeNumber]) {
    case "range":
      return { type: "range", range, limit, countOnly: countOnly === 1 };
    case "put":
      return { type: "put", key, value: keepValue ? undefined : value, lease: keepLease ? undefined : lease };
    case "delete":
      return { type: "delete", range };
    case "txn":
      return { type: "txn", txn };
    default:
      throw unknownPart(index, "operation");
  }
}

function unknownPart(index: Index, part: string): InvariantError {
  return new InvariantError(`log entry ${index} has an unknown ${part}: start the version of ikada that wrote it`);
}
