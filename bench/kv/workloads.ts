import type { etcdserverpb as pb } from "#proto/etcd.js";
import { etcdMethods } from "../../src/host/etcd-methods.js";

const value = Buffer.alloc(256, "v");
const txnPuts = 32;

/** One call that is made again and again. */
export interface Workload {
  readonly label: string;
  readonly path: string;
  readonly message: Buffer;
  readonly inFlights: readonly number[];
  /** The last of the keys that each call writes; undefined when it only reads. */
  readonly written: Buffer | undefined;
  /** What the ratio to etcd shall be at least, by calls in flight. */
  readonly aims: Readonly<Record<number, number>>;
}

export const rangedKey = Buffer.from("bench/range");

export const workloads: readonly Workload[] = [
  {
    label: "put",
    path: etcdMethods.put.path,
    message: etcdMethods.put.serializeRequest(putOf("bench/put")),
    inFlights: [1, 16, 128],
    written: Buffer.from("bench/put"),
    aims: { 1: 1, 128: 0.8 },
  },
  {
    label: "linearizable range of one key",
    path: etcdMethods.range.path,
    message: etcdMethods.range.serializeRequest({ key: rangedKey }),
    inFlights: [1, 16, 128],
    written: undefined,
    aims: { 1: 1, 128: 0.8 },
  },
  {
    label: `transaction of ${txnPuts} puts`,
    path: etcdMethods.txn.path,
    message: etcdMethods.txn.serializeRequest({
      success: Array.from({ length: txnPuts }, (_, at) => ({ requestPut: putOf(`bench/txn/${at}`) })),
    }),
    inFlights: [1, 16, 128],
    written: Buffer.from(`bench/txn/${txnPuts - 1}`),
    aims: { 16: 3, 128: 3 },
  },
];

export function putOf(key: string): pb.IPutRequest {
  return { key: Buffer.from(key), value };
}
