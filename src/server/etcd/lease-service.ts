import { randomInt } from "node:crypto";
import type { ServerDuplexStream } from "@grpc/grpc-js";
import type { etcdserverpb as pb } from "#proto/etcd.js";
import { etcdMethods } from "../../host/etcd-methods.js";
import { readMessages, writeMessage } from "../../host/grpc.js";
import { bytesOf } from "../../../store/etcd.js";
import type { Call, Listener } from "../listener.js";
import { etcdError } from "./etcd-error.js";
import type { EtcdServices } from "./etcd-services.js";
import { checkLeaseId } from "./etcd-txn.js";

/** Below it a change of the leader would end leases of clients that are well. */
const ttlSecondsMin = 2;
/** etcd's own limit. */
const ttlSecondsMax = 9_000_000_000;

/** etcdserverpb.Lease, on any replica. */
export function addLeaseService(listener: Listener, services: EtcdServices): void {
  const { leases, etcd } = services;
  listener.unary(etcdMethods.leaseGrant, (request, call) => grant(services, request, call));
  listener.unary(etcdMethods.leaseRevoke, async (request, call) => {
    checkLeaseId(request.ID);
    const { revision } = await services.execute({ type: "revoke", lease: request.ID }, call);
    return { header: services.header(revision) };
  });
  listener.bidi(etcdMethods.leaseKeepAlive, (stream, call) => keepAlive(services, stream, call));
  listener.unary(etcdMethods.leaseTimeToLive, async ({ ID, keys }, call) => {
    checkLeaseId(ID);
    await services.barrier(call.wait);
    const granted = etcd.leases.ttlSeconds(ID);
    const remaining = granted === undefined ? undefined : await leases.ask(ID, false);
    const header = services.header();
    if (granted === undefined || remaining === undefined) return { header, ID, TTL: -1, grantedTTL: 0, keys: [] };
    const attached = keys ? etcd.leases.keys(ID).map(bytesOf) : [];
    return { header, ID, TTL: remaining, grantedTTL: granted, keys: attached };
  });
  listener.unary(etcdMethods.leaseLeases, async (_request, call) => {
    await services.barrier(call.wait);
    return { header: services.header(), leases: etcd.leases.ids().map((ID) => ({ ID })) };
  });
}

async function grant(
  services: EtcdServices,
  { TTL, ID }: pb.LeaseGrantRequest,
  call: Call,
): Promise<pb.ILeaseGrantResponse> {
  checkLeaseId(ID);
  if (TTL > ttlSecondsMax) throw etcdError("LeaseTooLong");
  const lease = ID === 0 ? 1 + randomInt(2 ** 47) : ID;
  const ttlSeconds = Math.max(ttlSecondsMin, TTL);
  const { revision } = await services.execute({ type: "grant", lease, ttlSeconds }, call);
  return { header: services.header(revision), ID: lease, TTL: ttlSeconds, error: "" };
}

/** A lease that is not there is answered with a time of 0, as etcd does. */
async function keepAlive(
  services: EtcdServices,
  stream: ServerDuplexStream<pb.LeaseKeepAliveRequest, pb.ILeaseKeepAliveResponse>,
  call: Call,
): Promise<void> {
  for await (const { ID } of readMessages<pb.LeaseKeepAliveRequest>(stream, call.signal)) {
    checkLeaseId(ID);
    const seconds = (await services.leases.ask(ID, true)) ?? 0;
    await writeMessage(stream, { header: services.header(), ID, TTL: seconds }, call.signal);
  }
}
