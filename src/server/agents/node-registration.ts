import { validateObject } from "../../api/validate.js";
import { invalidError } from "../../api/faults.js";
import { withDefaults } from "../../api/defaults.js";
import type { AnyObject } from "../../api/object.js";
import { kindByGroupKind } from "../../api/registry.js";
import type { Random } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import { decodeRecord } from "../../objects/encode.js";
import { storeKey } from "../../objects/keys.js";
import { newObject } from "../../objects/new-object.js";
import { changesToTxn, noChanges } from "../../objects/transaction.js";
import type { Store, Txn, WaitOptions } from "../../../store/store.js";
import { PodNetworkPlan } from "./pod-network-plan.js";

/** Labels that only an administrator may give a node, so that a node can't draw Pods to itself by them. */
const reservedLabel = /^([^/]+\.)?node-restriction\.kubernetes\.io\//;

export interface Registration {
  readonly store: Store;
  readonly random: Random;
  readonly network: PodNetworkPlan;
  readonly wait: WaitOptions;
}

/**
 * The Node object of an agent that said hello, made when there is none. Labels are taken at creation only, later they are
 * the administrator's. Each new Node gets an address range of its own.
 * @throws IkadaError Invalid, NoLeader, Overloaded when no address range is left
 */
export async function registerNode(
  registration: Registration,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<AnyObject> {
  const { store, wait } = registration;
  for (let attempt = 0; attempt < 8; attempt++) {
    const present = nodeNamed(store, name);
    if (present) return present;
    await store.barrier(wait);
    const found = nodeNamed(store, name);
    if (found) return found;
    await store.write({ txns: [creation(registration, name, labels)], origin: `node:${name}` }, wait);
  }
  throw new IkadaError("Overloaded", `node ${name}: its Node object could not be made among others' changes`);
}

function creation(
  { store, random, network }: Registration,
  name: string,
  labels: Readonly<Record<string, string>>,
): Txn {
  const range = network.choose(store, name);
  const own = Object.entries(labels).filter(([key]) => !reservedLabel.test(key));
  const node = withDefaults<AnyObject>({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { ...Object.fromEntries(own), "kubernetes.io/hostname": name } },
    spec: { podCIDR: range.cidr },
  });
  const created = newObject(node, Date.now(), random);
  const faults = validateObject(created);
  if (faults.length > 0) throw invalidError(kindByGroupKind("/Node"), name, faults);
  const txn = changesToTxn({ ...noChanges, creates: [created] });
  return { ...txn, compares: [...txn.compares, range.compare], success: [...txn.success, range.operation] };
}

function nodeNamed(store: Store, name: string): AnyObject | undefined {
  const record = store.peek(storeKey({ groupKind: "/Node", namespace: "", name }));
  return record && decodeRecord(record);
}
