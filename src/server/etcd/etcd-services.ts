import { createHash } from "node:crypto";
import type { etcdserverpb as pb } from "#proto/etcd.js";
import type { EtcdCommand, EtcdKeyspace, EtcdOutcome } from "../../../store/etcd.js";
import type { Revision, Store, WaitOptions } from "../../../store/store.js";
import type { User } from "../authentication.js";
import type { Call, Listener } from "../listener.js";
import type { AddressBook } from "../members/address-book.js";
import type { ReplicaControl } from "../replica-status.js";
import { addClusterServices } from "./cluster-services.js";
import { etcdError, inEtcdWords } from "./etcd-error.js";
import { addKvService } from "./kv-service.js";
import { addLeaseService } from "./lease-service.js";
import type { LeaseClock } from "./lease-clock.js";
import { addWatchService } from "./watch-service.js";

export interface EtcdServicesOptions {
  readonly clusterId: string;
  readonly version: string;
  readonly etcd: EtcdKeyspace;
  readonly store: Store;
  readonly members: AddressBook;
  readonly replica: ReplicaControl;
  readonly leases: LeaseClock;
  readonly users: readonly User[];
  /** Ids of replicas whose state differs from this one's. */
  readonly diverged: () => readonly number[];
}

/** What the services under etcd's names share. */
export interface EtcdServices extends EtcdServicesOptions {
  /** Of an answer as of this revision, or the present one. */
  header(revision?: Revision): pb.IResponseHeader;
  /** @throws IkadaError in etcd's words */
  barrier(wait: WaitOptions): Promise<unknown>;
  /** What a command did that was not refused. @throws IkadaError in etcd's words */
  execute(command: EtcdCommand, call: Call): Promise<EtcdDone>;
}

export interface EtcdDone {
  readonly revision: Revision;
  readonly result: Exclude<EtcdOutcome["result"], { type: "refused" }>;
}

/** KV, Watch, Lease, Cluster, Maintenance and Auth of etcd 3.5, on any replica, over a keyspace of their own. */
export function addEtcdServices(listener: Listener, options: EtcdServicesOptions): void {
  const { etcd, replica, store } = options;
  const clusterId = numberOf(options.clusterId);
  const services: EtcdServices = {
    ...options,
    header: (revision = etcd.revision()) => {
      const { id, term } = replica.status();
      return { clusterId, memberId: id, revision, raftTerm: term };
    },
    barrier: (wait) => inEtcdWords(store.barrier(wait)),
    execute: async (command, call) => {
      const { revision, result } = await inEtcdWords(etcd.execute(command, call.caller.name, call.wait));
      if (result.type === "refused") throw etcdError(result.reason);
      return { revision, result };
    },
  };
  addKvService(listener, services);
  addWatchService(listener, services);
  addLeaseService(listener, services);
  addClusterServices(listener, services);
}

/** A name as a number of 48 bits, which etcd's clients compare only. */
function numberOf(name: string): number {
  return createHash("sha256").update(name).digest().readUIntBE(0, 6);
}
