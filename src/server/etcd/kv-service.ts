import type { etcdserverpb as pb } from "#proto/etcd.js";
import { invariant } from "../../base/errors.js";
import { etcdMethods } from "../../host/etcd-methods.js";
import type { EtcdOperation, EtcdResponse } from "../../../store/etcd.js";
import type { Call, Listener } from "../listener.js";
import { etcdError, inEtcdWords } from "./etcd-error.js";
import { rangeOf, rangeResponse, recordsNeeded, toKeyValue } from "./etcd-records.js";
import type { EtcdServices } from "./etcd-services.js";
import { putOf, txnOf, txnResponse, writes } from "./etcd-txn.js";

/** etcdserverpb.KV, on any replica. */
export function addKvService(listener: Listener, services: EtcdServices): void {
  listener.unary(etcdMethods.range, (request, call) => range(services, request, call));
  listener.unary(etcdMethods.put, (request, call) => put(services, request, call));
  listener.unary(etcdMethods.deleteRange, (request, call) => deleteRange(services, request, call));
  listener.unary(etcdMethods.txn, (request, call) => txn(services, request, call));
  listener.unary(etcdMethods.compact, (request, call) => compact(services, request, call));
}

async function range(services: EtcdServices, request: pb.RangeRequest, call: Call): Promise<pb.IRangeResponse> {
  const wanted = rangeOf(request);
  const { etcd } = services;
  if (!request.serializable) await services.barrier(call.wait);
  if (request.revision > etcd.revision()) throw etcdError("FutureRevision");
  const header = services.header();
  const { revision, countOnly } = request;
  const found = await inEtcdWords(etcd.range({ ...wanted, revision, limit: recordsNeeded(request), countOnly }));
  return { header, ...rangeResponse(request, found) };
}

async function put(services: EtcdServices, request: pb.PutRequest, call: Call): Promise<pb.IPutResponse> {
  const { response, revision } = await one(services, putOf(request), call);
  const previous = response.type === "put" ? response.previous : undefined;
  return { header: services.header(revision), prevKv: request.prevKv && previous ? toKeyValue(previous) : null };
}

async function deleteRange(
  services: EtcdServices,
  request: pb.DeleteRangeRequest,
  call: Call,
): Promise<pb.IDeleteRangeResponse> {
  const { response, revision } = await one(services, { type: "delete", range: rangeOf(request) }, call);
  const previous = response.type === "delete" ? response.previous : [];
  const prevKvs = request.prevKv ? previous.map((record) => toKeyValue(record)) : [];
  return { header: services.header(revision), deleted: previous.length, prevKvs };
}

async function txn(services: EtcdServices, request: pb.TxnRequest, call: Call): Promise<pb.ITxnResponse> {
  const wanted = txnOf(request);
  if (!writes(wanted)) {
    await services.barrier(call.wait);
    const { revision, result } = services.etcd.read(wanted);
    return txnResponse(request, asTxn(result), services.header(revision));
  }
  const { revision, result } = await services.execute({ type: "txn", txn: wanted }, call);
  return txnResponse(request, asTxn(result), services.header(revision));
}

async function compact(
  services: EtcdServices,
  { revision }: pb.CompactionRequest,
  call: Call,
): Promise<pb.ICompactionResponse> {
  const { etcd } = services;
  await services.barrier(call.wait);
  if (revision <= etcd.compactRevision()) throw etcdError("Compacted");
  if (revision > etcd.revision()) throw etcdError("FutureRevision");
  await etcd.compact(revision, call.wait);
  return { header: services.header() };
}

async function one(
  services: EtcdServices,
  operation: EtcdOperation,
  call: Call,
): Promise<{ readonly revision: number; readonly response: EtcdResponse }> {
  const txn = { compares: [], success: [operation], failure: [] };
  const { revision, result } = await services.execute({ type: "txn", txn }, call);
  const [first] = asTxn(result).responses;
  invariant(first !== undefined, "an operation has a response");
  return { revision, response: first };
}

function asTxn(response: EtcdResponse | { readonly type: "done" | "refused" }): EtcdResponse & { type: "txn" } {
  invariant(response.type === "txn" && "responses" in response, "a transaction has a transaction's response");
  return response;
}
