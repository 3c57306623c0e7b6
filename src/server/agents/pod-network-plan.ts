import { IkadaError } from "../../base/errors.js";
import { storeKey } from "../../objects/keys.js";
import type { Compare, Operation, Store } from "../../../store/store.js";

export interface ChosenRange {
  /** `10.244.3.0/24` */
  readonly cidr: string;
  readonly compare: Compare;
  readonly operation: Operation;
}

const prefix = "/allocations/pod-network/";

/**
 * Cuts the cluster's Pod network (a /16) into a /24 for each node. A range is taken by a key of its own in the same
 * transaction that makes the Node, so two replicas never give the same one; it is free again when its Node is gone.
 */
export class PodNetworkPlan {
  readonly #base: string;

  /** `network`: `a.b.0.0/16`. @throws IkadaError Invalid */
  constructor(network: string) {
    const match = /^(\d{1,3})\.(\d{1,3})\.0\.0\/16$/.exec(network);
    if (!match || Number(match[1]) > 223 || Number(match[2]) > 255) {
      throw new IkadaError("Invalid", `pod network ${network}`, { hint: "write it as a.b.0.0/16" });
    }
    this.#base = `${match[1] ?? ""}.${match[2] ?? ""}`;
  }

  /** @throws IkadaError Overloaded when all are taken */
  choose(store: Pick<Store, "peek">, node: string): ChosenRange {
    for (let third = 0; third < 256; third++) {
      const key = `${prefix}${this.#base}.${third}.0`;
      const taken = store.peek(key);
      if (taken) {
        const holder = new TextDecoder().decode(taken.value);
        if (holder !== node && store.peek(storeKey({ groupKind: "/Node", namespace: "", name: holder }))) continue;
      }
      return {
        cidr: `${this.#base}.${third}.0/24`,
        compare: { key, target: "modRevision", operator: "=", operand: taken?.modRevision ?? 0 },
        operation: { type: "put", key, value: new TextEncoder().encode(node), revisionAt: -1 },
      };
    }
    throw new IkadaError("Overloaded", `the pod network ${this.#base}.0.0/16 has no range left for node ${node}`, {
      hint: "delete Node objects of machines that are gone",
    });
  }
}
