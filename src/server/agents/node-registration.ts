import { validateObject } from "../../api/validate.js";
import { invalidError } from "../../api/faults.js";
import { withDefaults } from "../../api/defaults.js";
import type { AnyObject } from "../../api/object.js";
import { kindByGroupKind } from "../../api/registry.js";
import type { Clock, Done, Random } from "../../base/env.js";
import { IkadaError } from "../../base/errors.js";
import { decodeRecord } from "../../objects/encode.js";
import { storeKey } from "../../objects/keys.js";
import { newObject } from "../../objects/new-object.js";
import { changesToTxn, noChanges } from "../../objects/transaction.js";
import type { Txn, WaitOptions } from "../../../store/store.js";
import type { PodNetworkPlan } from "./pod-network-plan.js";
import type { StoreCalls } from "./store-calls.js";

/** Labels that only an administrator may give a node, so that a node can't draw Pods to itself by them. */
const reservedLabel = /^([^/]+\.)?node-restriction\.kubernetes\.io\//;

export interface Registration {
  readonly store: StoreCalls;
  readonly clock: Pick<Clock, "now">;
  readonly random: Random;
  readonly network: PodNetworkPlan;
  readonly wait: WaitOptions;
}

/** Tries to make a Node while others make one of the same name or take the same range. */
const attemptsMax = 8;

/**
 * The Node object of an agent that said hello, made when there is none. Labels are taken at creation only, later they are
 * the administrator's. Each new Node gets an address range of its own. Errors: Invalid, NoLeader, Deadline, Overloaded when no address
 * range is left.
 */
export function registerNode(
  registration: Registration,
  name: string,
  labels: Readonly<Record<string, string>>,
  done: Done<AnyObject>,
): void {
  const { store, wait } = registration;
  const refuse = (error: unknown): void => done(IkadaError.from(error), undefined as never);
  const attempt = (number: number): void => {
    const present = nodeNamed(store, name);
    if (present) return done(null, present);
    if (number > attemptsMax)
      return refuse(
        new IkadaError("Overloaded", `node ${name}: its Node object could not be made among others' changes`),
      );
    return store.barrierThen((error) => {
      if (error) return refuse(error);
      const found = nodeNamed(store, name);
      if (found) return done(null, found);
      let txn: Txn;
      try {
        txn = creation(registration, name, labels);
      } catch (caught) {
        return refuse(caught);
      }
      return store.writeThen(
        { txns: [txn], origin: `node:${name}` },
        (writeError) => (writeError ? refuse(writeError) : attempt(number + 1)),
        wait,
      );
    }, wait);
  };
  attempt(1);
}

function creation(
  { store, clock, random, network }: Registration,
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
  const created = newObject(node, clock.now(), random);
  const faults = validateObject(created);
  if (faults.length > 0) throw invalidError(kindByGroupKind("/Node"), name, faults);
  const txn = changesToTxn({ ...noChanges, creates: [created] });
  return { ...txn, compares: [...txn.compares, range.compare], success: [...txn.success, range.operation] };
}

function nodeNamed(store: StoreCalls, name: string): AnyObject | undefined {
  const record = store.peek(storeKey({ groupKind: "/Node", namespace: "", name }));
  return record && decodeRecord(record);
}
