import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import { etcdserverpb as pb, type mvccpb } from "#proto/etcd.js";
import { callBidi, callUnary, type Method } from "../../src/host/grpc.js";
import { createClient } from "../../src/host/tls.js";
import {
  bytesOf,
  type EtcdCompare,
  type EtcdOperation,
  type EtcdRange,
  type EtcdResponse,
  type EtcdTxn,
  textOf,
} from "../../store/etcd.js";
import type { KeyRecord } from "../../store/store.js";
import type { LocalCluster } from "../../deploy/local/cluster.js";

/** A connection to the services under etcd's names of one server. */
export class EtcdConnection {
  readonly name: string;
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();

  constructor({ folder, servers }: LocalCluster, name: string) {
    const read = (file: string): Buffer => readFileSync(join(folder, "pki", file));
    const address = servers.find((server) => server.name === name)!.api;
    this.name = name;
    this.#client = createClient(address, { authority: read("ca.pem").toString() });
    this.#metadata.set("authorization", `Bearer ${read("admin.token").toString().trim()}`);
  }

  /** @throws IkadaError */
  ask<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
    request: NoInfer<RequestInput>,
    deadlineMs: number,
  ): Promise<Response> {
    return callUnary(this.#client, method, request, { deadlineMs, metadata: this.#metadata });
  }

  stream<RequestInput, Request, ResponseInput, Response>(
    method: Method<RequestInput, Request, ResponseInput, Response>,
  ): grpc.ClientDuplexStream<RequestInput, Response> {
    return callBidi(this.#client, method, { metadata: this.#metadata });
  }

  close(): void {
    this.#client.close();
  }
}

export function rangeToWire({ key, end }: EtcdRange): { readonly key: Uint8Array; readonly rangeEnd: Uint8Array } {
  return { key: bytesOf(key), rangeEnd: bytesOf(end) };
}

export function recordFromWire(record: mvccpb.IKeyValue): KeyRecord {
  const lease = record.lease ?? 0;
  return {
    key: textOf(record.key ?? new Uint8Array(0)),
    value: record.value ?? new Uint8Array(0),
    createRevision: record.createRevision ?? 0,
    modRevision: record.modRevision ?? 0,
    version: record.version ?? 0,
    ...(lease !== 0 && { lease }),
  };
}

export function txnToWire({ compares, success, failure }: EtcdTxn): pb.ITxnRequest {
  return {
    compare: compares.map(compareToWire),
    success: success.map(operationToWire),
    failure: failure.map(operationToWire),
  };
}

export function txnFromWire({ succeeded, responses }: pb.ITxnResponse): EtcdResponse {
  return { type: "txn", succeeded: succeeded ?? false, responses: (responses ?? []).map(responseFromWire) };
}

function compareToWire({ range, operator, target, operand }: EtcdCompare): pb.ICompare {
  const { EQUAL, GREATER, LESS, NOT_EQUAL } = pb.Compare.CompareResult;
  const { VERSION, CREATE, MOD, VALUE, LEASE } = pb.Compare.CompareTarget;
  const result = { "=": EQUAL, ">": GREATER, "<": LESS, "!=": NOT_EQUAL }[operator];
  const common = { result, ...rangeToWire(range) };
  if (target === "value") return { ...common, target: VALUE, value: operand };
  const targets = { version: VERSION, createRevision: CREATE, modRevision: MOD, lease: LEASE };
  return { ...common, target: targets[target], [target]: operand };
}

/** What was there before is always asked for: the more an answer tells, the more can be wrong with it. */
function operationToWire(operation: EtcdOperation): pb.IRequestOp {
  switch (operation.type) {
    case "put":
      return { requestPut: putToWire(operation) };
    case "delete":
      return { requestDeleteRange: { ...rangeToWire(operation.range), prevKv: true } };
    case "range": {
      const { range, limit, countOnly } = operation;
      return { requestRange: { ...rangeToWire(range), limit, countOnly } };
    }
    default:
      return { requestTxn: txnToWire(operation.txn) };
  }
}

export function putToWire({ key, value, lease }: EtcdOperation & { type: "put" }): pb.IPutRequest {
  return {
    key: bytesOf(key),
    prevKv: true,
    ...(value === undefined ? { ignoreValue: true } : { value }),
    ...(lease === undefined ? { ignoreLease: true } : { lease }),
  };
}

function responseFromWire({
  responsePut,
  responseDeleteRange,
  responseRange,
  responseTxn,
}: pb.IResponseOp): EtcdResponse {
  if (responsePut)
    return { type: "put", previous: responsePut.prevKv ? recordFromWire(responsePut.prevKv) : undefined };
  if (responseDeleteRange) return { type: "delete", previous: (responseDeleteRange.prevKvs ?? []).map(recordFromWire) };
  if (responseRange)
    return {
      type: "range",
      records: (responseRange.kvs ?? []).map(recordFromWire),
      count: responseRange.count ?? 0,
    };
  return txnFromWire(responseTxn ?? {});
}
