import type { etcdserverpb as pb } from "#proto/etcd.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import {
  type EtcdCompare,
  type EtcdOperation,
  type EtcdRange,
  type EtcdResponse,
  type EtcdTxn,
  isIn,
  textOf,
} from "../../../store/etcd.js";
import { etcdError } from "./etcd-error.js";
import { rangeOf, rangeResponse, recordsNeeded, toKeyValue } from "./etcd-records.js";

/** As the wire has them; fields that were left out have their defaults. */
type Header = pb.IResponseHeader;

/** @throws IkadaError for what etcd refuses before it is proposed */
export function txnOf(request: pb.TxnRequest): EtcdTxn {
  const { compare, success, failure } = request;
  const most = Math.max(compare.length, success.length, failure.length);
  if (most > limits.etcdTxnOperationsMax) throw etcdError("TooManyOperations");
  const txn = {
    compares: compare.map((one) => compareOf(one as pb.Compare)),
    success: success.map((one) => operationOf(one as pb.RequestOp)),
    failure: failure.map((one) => operationOf(one as pb.RequestOp)),
  };
  checkConflicts(txn.success);
  checkConflicts(txn.failure);
  return txn;
}

export function putOf(request: pb.PutRequest): EtcdOperation & { type: "put" } {
  const { key, value, lease, ignoreValue, ignoreLease } = request;
  if (key.length === 0) throw etcdError("EmptyKey");
  if (ignoreValue && value.length > 0) throw etcdError("ValueProvided");
  if (ignoreLease && lease !== 0) throw etcdError("LeaseProvided");
  checkLeaseId(lease);
  return {
    type: "put",
    key: textOf(key),
    value: ignoreValue ? undefined : value,
    lease: ignoreLease ? undefined : lease,
  };
}

/** @throws IkadaError for a number that can't be kept exactly */
export function checkLeaseId(lease: number): void {
  if (Number.isSafeInteger(lease) && lease >= 0) return;
  throw new IkadaError("BadRequest", `${lease} is no lease id here: ids are 1 to 2^53 - 1`, {
    hint: "let the server choose one (id 0)",
  });
}

/** True when it can change something. */
export function writes({ success, failure }: EtcdTxn): boolean {
  return [...success, ...failure].some((operation) =>
    operation.type === "txn" ? writes(operation.txn) : operation.type !== "range",
  );
}

export function txnResponse(
  request: pb.TxnRequest,
  { succeeded, responses }: EtcdResponse & { type: "txn" },
  header: Header,
): pb.ITxnResponse {
  const requests = succeeded ? request.success : request.failure;
  const made = responses.map((response, at) => operationResponse(requests[at] as pb.RequestOp, response, header));
  return { header, succeeded, responses: made };
}

function operationResponse(request: pb.RequestOp, response: EtcdResponse, header: Header): pb.IResponseOp {
  const inner = { revision: header.revision ?? 0 };
  switch (response.type) {
    case "range": {
      const made = rangeResponse(request.requestRange as pb.RangeRequest, response);
      return { responseRange: { header: inner, ...made } };
    }
    case "put": {
      const wanted = request.requestPut?.prevKv && response.previous;
      return { responsePut: { header: inner, prevKv: wanted ? toKeyValue(wanted) : null } };
    }
    case "delete": {
      const prevKvs = request.requestDeleteRange?.prevKv ? response.previous.map((record) => toKeyValue(record)) : [];
      return { responseDeleteRange: { header: inner, deleted: response.previous.length, prevKvs } };
    }
    default:
      return { responseTxn: txnResponse(request.requestTxn as pb.TxnRequest, response, inner) };
  }
}

function compareOf(compare: pb.Compare): EtcdCompare {
  const operator = operators[compare.result];
  const target = targets[compare.target];
  if (!operator || !target) throw new IkadaError("BadRequest", "a comparison of an unknown kind");
  const common = { range: rangeOf(compare), operator };
  if (target === "value") return { ...common, target, operand: compare.value ?? new Uint8Array(0) };
  const operands = {
    version: compare.version,
    createRevision: compare.createRevision,
    modRevision: compare.modRevision,
    lease: compare.lease,
  };
  return { ...common, target, operand: operands[target] ?? 0 };
}

/** By `CompareResult`. */
const operators = ["=", ">", "<", "!="] as const;
/** By `CompareTarget`. */
const targets = ["version", "createRevision", "modRevision", "value", "lease"] as const;

function operationOf(operation: pb.RequestOp): EtcdOperation {
  const { requestRange, requestPut, requestDeleteRange, requestTxn } = operation;
  if (requestPut) return putOf(requestPut as pb.PutRequest);
  if (requestDeleteRange) return { type: "delete", range: rangeOf(requestDeleteRange as pb.DeleteRangeRequest) };
  if (requestTxn) return { type: "txn", txn: txnOf(requestTxn as pb.TxnRequest) };
  if (!requestRange) throw etcdError("KeyNotFound");
  const request = requestRange as pb.RangeRequest;
  if (request.revision > 0)
    throw new IkadaError("Unsupported", "a range of a past revision inside of a transaction", {
      hint: "ask for it by a range request of its own",
    });
  return {
    type: "range",
    range: rangeOf(request),
    limit: recordsNeeded(request),
    countOnly: request.countOnly,
  };
}

interface Changed {
  readonly puts: Set<string>;
  readonly deletes: EtcdRange[];
}

/** A key may be changed once in a transaction: of a branch's puts no two are of one key, and none lies in a range that it deletes. */
function checkConflicts(operations: readonly EtcdOperation[]): Changed {
  const all: Changed = { puts: new Set(), deletes: [] };
  for (const operation of operations) {
    const own = changedBy(operation);
    for (const key of own.puts)
      if (all.puts.has(key) || all.deletes.some((range) => isIn(range, key))) throw etcdError("DuplicateKey");
    for (const range of own.deletes) for (const key of all.puts) if (isIn(range, key)) throw etcdError("DuplicateKey");
    for (const key of own.puts) all.puts.add(key);
    all.deletes.push(...own.deletes);
  }
  return all;
}

/** Of a transaction inside one branch runs, so its two may change the same. */
function changedBy(operation: EtcdOperation): Changed {
  if (operation.type === "put") return { puts: new Set([operation.key]), deletes: [] };
  if (operation.type === "delete") return { puts: new Set(), deletes: [operation.range] };
  if (operation.type === "range") return { puts: new Set(), deletes: [] };
  const [success, failure] = [checkConflicts(operation.txn.success), checkConflicts(operation.txn.failure)];
  return {
    puts: new Set([...success.puts, ...failure.puts]),
    deletes: [...success.deletes, ...failure.deletes],
  };
}
