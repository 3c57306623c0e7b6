/** Between bytes and the store's own types: the only file here that sees generated code, and where formats are checked. */
import { ikada } from "#proto/store.js";
import type { Index, Term } from "../raft/core/types.js";
import { InvariantError } from "../src/base/errors.js";
import { formatVersion } from "./layout.js";
import type { Compare, Operation, Revision, Txn, TxnResult, WriteRequest } from "./store.js";

const wire = ikada.store.v1;
type WireTxn = ikada.store.v1.Txn.$Properties;
type WireOperation = ikada.store.v1.Operation.$Properties;
type WireResult = ikada.store.v1.TxnResult.$Properties;

/** No encryption yet; rows and entries carry the field so that it can come without a new format. */
const plainKeyId = 0;
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
}

/** One version of one key as it is on disk; `version` 0 is a deletion. */
export interface VersionRow {
  readonly createRevision: Revision;
  readonly version: number;
  readonly value: Uint8Array;
  /** Revision of the live version before, 0 when there was none. */
  readonly previous: Revision;
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
}

export function encodeCommand(proposal: number, request: WriteRequest): Uint8Array {
  const encoded = wire.Command.encode({
    format: formatVersion,
    keyId: plainKeyId,
    proposal,
    client: request.client?.id ?? "",
    sequence: request.client?.sequence ?? 0,
    origin: request.origin,
    txns: request.txns.map((txn) => ({
      compares: txn.compares.map((compare) => ({
        key: compare.key,
        target: targets.indexOf(compare.target),
        operator: operators.indexOf(compare.operator),
        operand: compare.operand,
      })),
      success: txn.success.map(toWireOperation),
      failure: txn.failure.map(toWireOperation),
    })),
  }).finish();
  // Small ones are parts of a shared pool, which would travel to another thread as a whole.
  return encoded.buffer.byteLength === encoded.length ? encoded : copy(encoded);
}

/** @throws InvariantError when this version cannot know what the entry means; guessing would make replicas differ. */
export function decodeCommand(index: Index, data: Uint8Array): Command {
  const command = decoded(`log entry ${index}`, () => wire.Command.decode(data));
  checkFormat(`log entry ${index}`, command.format, command.keyId);
  return {
    proposal: command.proposal,
    client: command.client === "" ? undefined : { id: command.client, sequence: command.sequence },
    origin: command.origin,
    txns: command.txns.map((txn) => fromWireTxn(index, txn)),
  };
}

export function encodeVersion(row: VersionRow): Uint8Array {
  return wire.Record.encode({
    createRevision: row.createRevision,
    version: row.version,
    value: row.value,
    previous: row.previous,
    keyId: plainKeyId,
  }).finish();
}

export function decodeVersion(row: Uint8Array): VersionRow {
  const record = decoded("a version row", () => wire.Record.decode(row));
  checkFormat("a version row", formatVersion, record.keyId);
  return {
    createRevision: record.createRevision,
    version: record.version,
    value: copy(record.value),
    previous: record.previous,
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
  checkFormat("a client row", formatVersion, answers.keyId);
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
  return wire.Meta.encode({ format: formatVersion, keyId: plainKeyId, ...row }).finish();
}

/** @throws InvariantError when the data folder was written by a version that this one does not understand. */
export function decodeMeta(row: Uint8Array): MetaRow {
  const meta = decoded("the state on disk", () => wire.Meta.decode(row));
  checkFormat("the state on disk", meta.format, meta.keyId);
  return { appliedIndex: meta.appliedIndex, appliedTerm: meta.appliedTerm };
}

export function encodeKeyspace(row: KeyspaceRow): Uint8Array {
  return wire.KeyspaceMeta.encode(row).finish();
}

export function decodeKeyspace(row: Uint8Array): KeyspaceRow {
  const meta = decoded("a keyspace row", () => wire.KeyspaceMeta.decode(row));
  return { revision: meta.revision, compactRevision: meta.compactRevision };
}

function toWireOperation(operation: Operation): WireOperation {
  const type = operationTypes.indexOf(operation.type);
  if (operation.type === "delete") return { type, key: operation.key };
  return { type, key: operation.key, value: operation.value, revisionAt: operation.revisionAt };
}

function fromWireTxn(index: Index, txn: WireTxn): Txn {
  return {
    compares: (txn.compares ?? []).map((compare): Compare => {
      const target = targets[compare.target ?? 0];
      const operator = operators[compare.operator ?? 0];
      if (!target || !operator) throw unknownPart(index, "comparison");
      return { key: compare.key ?? "", target, operator, operand: compare.operand ?? 0 };
    }),
    success: (txn.success ?? []).map((operation) => fromWireOperation(index, operation)),
    failure: (txn.failure ?? []).map((operation) => fromWireOperation(index, operation)),
  };
}

function fromWireOperation(index: Index, operation: WireOperation): Operation {
  const type = operationTypes[operation.type ?? 0];
  const key = operation.key ?? "";
  if (type === "delete") return { type, key };
  if (type !== "put") throw unknownPart(index, "operation");
  const value = operation.value ?? new Uint8Array(0);
  return { type, key, value, revisionAt: operation.revisionAt ?? 0 };
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
    const error = new InvariantError(`${what} cannot be decoded; it is damaged or from another program`);
    error.cause = cause;
    throw error;
  }
}

function checkFormat(what: string, format: number, keyId: number): void {
  if (format !== formatVersion)
    throw new InvariantError(
      `${what} has format ${format}, this version of ikada reads format ${formatVersion}: start the version that wrote it`,
    );
  if (keyId !== plainKeyId)
    throw new InvariantError(`${what} is encrypted with key ${keyId}, which this version of ikada cannot do`);
}

function unknownPart(index: Index, part: string): InvariantError {
  return new InvariantError(`log entry ${index} has an unknown ${part}: start the version of ikada that wrote it`);
}
