/** Between bytes and the store's own types: the only file here that sees generated code, and where formats are checked. */
import { ikada } from "#proto/store.js";
import type { Index, Term } from "../raft/core/types.js";
import { InvariantError } from "../src/base/errors.js";
import { ByteWriter } from "../src/base/byte-writer.js";
import { bytesField, messageField, numberField, signedField, textField, WireReader } from "../src/base/wire.js";
import { formatVersion as rowFormat } from "./layout.js";
import { readEtcdCommand, writeEtcdCommand } from "./etcd/codec.js";
import type { EtcdCommand } from "./etcd.js";
import type { Compare, Operation, Revision, Txn, TxnResult, WriteRequest } from "./store.js";

const wire = ikada.store.v1;
type WireResult = ikada.store.v1.TxnResult.$Properties;

/** No encryption yet; rows and entries carry the field so that it can come without a new format. */
const plainKeyId = 0;
const noBytes: Uint8Array = new Uint8Array(0);
/** An object of usual size fits; the writer grows for others. */
const commandBytesUsual = 1024;
/** Of a `Record`, all but the value. */
const versionFieldsBytesMax = 64;
/** Of log entries: 2 for those that a version which knows 1 only would apply wrongly. */
const commandFormat = { plain: 1, more: 2 } as const;
/** Lists index the wire's numbers. Append only. */
const targets = ["version", "createRevision", "modRevision"] as const;
const operators = ["=", "!=", "<", ">"] as const;
const operationTypes = ["put", "delete"] as const;

/** A log entry of the store. Values are views into the entry: who keeps one copies it, or it keeps the whole entry in memory. */
export interface Command {
  /** Random; by it the proposer recognises its own entry. */
  readonly proposal: number;
  readonly client: { readonly id: string; readonly sequence: number } | undefined;
  readonly origin: string;
  readonly txns: readonly Txn[];
  /** The proposer's clock, in milliseconds since 1970; 0 in entries of before. */
  readonly timeMs: number;
  /** History of the keyspace below this revision goes; 0 for none. */
  readonly compact: Revision;
  /** Of `compact`. */
  readonly keyspace: number;
  /** For the keyspace of etcd's services. */
  readonly etcd: EtcdCommand | undefined;
}

/** One version of one key as it is on disk; `version` 0 is a deletion. */
export interface VersionRow {
  readonly createRevision: Revision;
  readonly version: number;
  readonly value: Uint8Array;
  /** Revision of the live version before, 0 when there was none. */
  readonly previous: Revision;
  /** 0: none. */
  readonly lease: number;
}

/** What one client was answered, as it is on disk. */
export interface AnswersRow {
  /** Ascending by sequence. */
  readonly answers: readonly { readonly sequence: number; readonly results: readonly TxnResult[] }[];
  readonly lastUsed: Index;
  readonly forgotten: number;
}

export interface MetaRow {
  readonly appliedIndex: Index;
  readonly appliedTerm: Term;
}

export interface KeyspaceRow {
  readonly revision: Revision;
  readonly compactRevision: Revision;
  /** Of the last change, in milliseconds since 1970; never falls. */
  readonly timeMs: number;
}

export function encodeCommand(proposal: number, request: WriteRequest, timeMs = 0): Uint8Array {
  const into = new ByteWriter(commandBytesUsual);
  numberField(into, 1, commandFormat.plain);
  numberField(into, 2, plainKeyId);
  numberField(into, 3, proposal);
  textField(into, 4, request.client?.id ?? "");
  numberField(into, 5, request.client?.sequence ?? 0);
  textField(into, 6, request.origin);
  for (const txn of request.txns) messageField(into, 7, () => writeTxn(into, txn));
  numberField(into, 8, timeMs);
  return into.take();
}

export function encodeCompaction(proposal: number, revision: Revision, keyspace: number): Uint8Array {
  const into = new ByteWriter();
  numberField(into, 1, commandFormat.more);
  numberField(into, 2, plainKeyId);
  numberField(into, 3, proposal);
  numberField(into, 9, revision);
  numberField(into, 10, keyspace);
  return into.take();
}

export function encodeEtcdCommand(
  proposal: number,
  client: { readonly id: string; readonly sequence: number },
  origin: string,
  timeMs: number,
  command: EtcdCommand,
): Uint8Array {
  const into = new ByteWriter(commandBytesUsual);
  numberField(into, 1, commandFormat.more);
  numberField(into, 2, plainKeyId);
  numberField(into, 3, proposal);
  textField(into, 4, client.id);
  numberField(into, 5, client.sequence);
  textField(into, 6, origin);
  numberField(into, 8, timeMs);
  messageField(into, 11, () => writeEtcdCommand(into, command));
  return into.take();
}

export interface LeaseRow {
  readonly ttlSeconds: number;
}

export function encodeLease(row: LeaseRow): Uint8Array {
  return wire.Lease.encode(row).finish();
}

export function decodeLease(row: Uint8Array): LeaseRow {
  return { ttlSeconds: decoded("a lease row", () => wire.Lease.decode(row)).ttlSeconds };
}

/** @throws InvariantError when this version cannot know what the entry means; guessing would make replicas differ. */
export function decodeCommand(index: Index, data: Uint8Array): Command {
  const command = decoded(`log entry ${index}`, () => readCommand(index, data));
  checkFormat(`log entry ${index}`, command, commandFormat.more);
  return command;
}

/** One is written for every change. */
export function encodeVersion(
  row: VersionRow,
  into = new ByteWriter(row.value.length + versionFieldsBytesMax),
): Uint8Array {
  numberField(into, 1, row.createRevision);
  numberField(into, 2, row.version);
  bytesField(into, 3, row.value);
  numberField(into, 4, row.previous);
  numberField(into, 5, plainKeyId);
  numberField(into, 6, row.lease);
  return into.take();
}

export function decodeVersion(row: Uint8Array): VersionRow {
  const record = decoded("a version row", () => wire.Record.decode(row));
  checkFormat("a version row", { format: rowFormat, keyId: record.keyId }, rowFormat);
  return {
    createRevision: record.createRevision,
    version: record.version,
    value: copy(record.value),
    previous: record.previous,
    lease: record.lease,
  };
}

export function encodeAnswers(row: AnswersRow): Uint8Array {
  return wire.Answers.encode({
    answers: row.answers.map((answer) => ({ sequence: answer.sequence, results: [...answer.results] })),
    lastUsed: row.lastUsed,
    forgotten: row.forgotten,
    keyId: plainKeyId,
  }).finish();
}

export function decodeAnswers(row: Uint8Array): AnswersRow {
  const answers = decoded("a client row", () => wire.Answers.decode(row));
  checkFormat("a client row", { format: rowFormat, keyId: answers.keyId }, rowFormat);
  return {
    answers: answers.answers.map((answer) => ({
      sequence: answer.sequence ?? 0,
      results: (answer.results ?? []).map(fromWireResult),
    })),
    lastUsed: answers.lastUsed,
    forgotten: answers.forgotten,
  };
}

export function encodeMeta(row: MetaRow): Uint8Array {
  return wire.Meta.encode({ format: rowFormat, keyId: plainKeyId, ...row }).finish();
}

/** @throws InvariantError when the data folder was written by a version that this one does not understand. */
export function decodeMeta(row: Uint8Array): MetaRow {
  const meta = decoded("the state on disk", () => wire.Meta.decode(row));
  checkFormat("the state on disk", meta, rowFormat);
  return { appliedIndex: meta.appliedIndex, appliedTerm: meta.appliedTerm };
}

export function encodeKeyspace(row: KeyspaceRow): Uint8Array {
  return wire.KeyspaceMeta.encode(row).finish();
}

export function decodeKeyspace(row: Uint8Array): KeyspaceRow {
  const meta = decoded("a keyspace row", () => wire.KeyspaceMeta.decode(row));
  return { revision: meta.revision, compactRevision: meta.compactRevision, timeMs: meta.timeMs };
}

function writeTxn(into: ByteWriter, { compares, success, failure }: Txn): void {
  for (const compare of compares) messageField(into, 1, () => writeCompare(into, compare));
  for (const operation of success) messageField(into, 2, () => writeOperation(into, operation));
  for (const operation of failure) messageField(into, 3, () => writeOperation(into, operation));
}

function writeCompare(into: ByteWriter, { key, target, operator, operand }: Compare): void {
  textField(into, 1, key);
  numberField(into, 2, targets.indexOf(target));
  numberField(into, 3, operators.indexOf(operator));
  numberField(into, 4, operand);
}

function writeOperation(into: ByteWriter, operation: Operation): void {
  numberField(into, 1, operationTypes.indexOf(operation.type));
  textField(into, 2, operation.key);
  if (operation.type === "delete") return;
  bytesField(into, 3, operation.value);
  signedField(into, 4, operation.revisionAt);
}

function readCommand(index: Index, data: Uint8Array): Command & { readonly format: number; readonly keyId: number } {
  const wire = new WireReader(data);
  const txns: Txn[] = [];
  const command = {
    format: 0,
    keyId: 0,
    proposal: 0,
    origin: "",
    txns,
    timeMs: 0,
    compact: 0,
    keyspace: 0,
    etcd: undefined as EtcdCommand | undefined,
  };
  let [id, sequence] = ["", 0];
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) command.format = wire.number();
    else if (field === 2) command.keyId = wire.number();
    else if (field === 3) command.proposal = wire.number();
    else if (field === 4) id = wire.text();
    else if (field === 5) sequence = wire.number();
    else if (field === 6) command.origin = wire.text();
    else if (field === 7) txns.push(readTxn(index, wire.message()));
    else if (field === 8) command.timeMs = wire.number();
    else if (field === 9) command.compact = wire.number();
    else if (field === 10) command.keyspace = wire.number();
    else if (field === 11) command.etcd = readEtcdCommand(index, wire.message());
    else wire.skip();
  return { ...command, client: id === "" ? undefined : { id, sequence } };
}

function readTxn(index: Index, wire: WireReader): Txn {
  const txn = { compares: [] as Compare[], success: [] as Operation[], failure: [] as Operation[] };
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) txn.compares.push(readCompare(index, wire.message()));
    else if (field === 2) txn.success.push(readOperation(index, wire.message()));
    else if (field === 3) txn.failure.push(readOperation(index, wire.message()));
    else wire.skip();
  return txn;
}

function readCompare(index: Index, wire: WireReader): Compare {
  let [key, targetNumber, operatorNumber, operand] = ["", 0, 0, 0];
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) key = wire.text();
    else if (field === 2) targetNumber = wire.number();
    else if (field === 3) operatorNumber = wire.number();
    else if (field === 4) operand = wire.number();
    else wire.skip();
  const target = targets[targetNumber];
  const operator = operators[operatorNumber];
  if (!target || !operator) throw unknownPart(index, "comparison");
  return { key, target, operator, operand };
}

function readOperation(index: Index, wire: WireReader): Operation {
  let [typeNumber, key, revisionAt] = [0, "", 0];
  let value: Uint8Array = noBytes;
  for (let field = wire.next(); field !== 0; field = wire.next())
    if (field === 1) typeNumber = wire.number();
    else if (field === 2) key = wire.text();
    else if (field === 3) value = wire.bytes();
    else if (field === 4) revisionAt = wire.signed();
    else wire.skip();
  const type = operationTypes[typeNumber];
  if (type === "delete") return { type, key };
  if (type !== "put") throw unknownPart(index, "operation");
  return { type, key, value, revisionAt };
}

function fromWireResult(result: WireResult): TxnResult {
  return { succeeded: result.succeeded ?? false, revision: result.revision ?? 0 };
}

/** Not `slice`: on Node's Buffer that is a view. */
function copy(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

function decoded<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    if (cause instanceof InvariantError) throw cause;
    const error = new InvariantError(`${what} cannot be decoded; it is damaged or from another program`);
    error.cause = cause;
    throw error;
  }
}

function checkFormat(
  what: string,
  { format, keyId }: { readonly format: number; readonly keyId: number },
  newest: number,
): void {
  if (format < 1 || format > newest)
    throw new InvariantError(
      `${what} has format ${format}, this version of ikada reads formats 1 to ${newest}: start the version that wrote it`,
    );
  if (keyId !== plainKeyId)
    throw new InvariantError(`${what} is encrypted with key ${keyId}, which this version of ikada cannot do`);
}

function unknownPart(index: Index, part: string): InvariantError {
  return new InvariantError(`log entry ${index} has an unknown ${part}: start the version of ikada that wrote it`);
}
