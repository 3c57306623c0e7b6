import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import { milliOf, unitsOf } from "../api/quantity.js";

/** What is counted on a node. */
export interface Resources {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  /** By name: devices and huge pages. Without those that are 0. */
  readonly extended: Readonly<Record<string, number>>;
}

export const noResources: Resources = { cpuMilli: 0, memoryBytes: 0, storageBytes: 0, extended: {} };

/**
 * What a Pod asks for, as Kubernetes counts it (KEP-753): its containers and sidecars together, or what is asked for at the worst
 * moment of its start, whichever is more: an init container runs beside the sidecars that were started before it. The overhead of
 * its runtime comes on top.
 */
export function requestsOf({ spec }: Pod): Resources {
  let running = (spec.containers ?? []).map(requestOf).reduce(plus, noResources);
  let sidecars = noResources;
  let atStart = noResources;
  for (const container of spec.initContainers ?? []) {
    const own = requestOf(container);
    const now = plus(sidecars, own);
    if (container.restartPolicy === "Always") {
      running = plus(running, own);
      sidecars = now;
    }
    atStart = greater(atStart, now);
  }
  const asked = greater(running, atStart);
  return spec.overhead === undefined ? asked : plus(asked, read(spec.overhead));
}

/** As Kubernetes' scoring sees a Pod: one that asks for nothing is taken for a small one, so that such Pods spread too. */
export function weightOf(requests: Resources): { readonly cpuMilli: number; readonly memoryBytes: number } {
  return { cpuMilli: requests.cpuMilli || 100, memoryBytes: requests.memoryBytes || 200 * 1024 * 1024 };
}

/** What a node offers to Pods, and how many it takes. What it does not say it does not offer, but for the number of Pods. */
export function offeredBy(node: Node): Resources & { readonly pods: number } {
  const offered = node.status?.allocatable ?? node.status?.capacity ?? {};
  const pods = offered["pods"] === undefined ? podsDefault : unitsOf(offered["pods"]);
  // A node that says nothing of its disk is not asked about it.
  const storageBytes = offered[storageName] === undefined ? Number.POSITIVE_INFINITY : unitsOf(offered[storageName]);
  return { ...read(offered), storageBytes, pods };
}

/** The kubelet's default. */
const podsDefault = 110;
export const storageName = "ephemeral-storage";

function requestOf(container: { readonly resources?: { readonly requests?: Quantities } }): Resources {
  return read(container.resources?.requests ?? {});
}

type Quantities = Readonly<Record<string, string>>;

function read(quantities: Quantities): Resources {
  const extended: Record<string, number> = {};
  let [cpuMilli, memoryBytes, storageBytes] = [0, 0, 0];
  for (const [name, text] of Object.entries(quantities)) {
    if (name === "cpu") cpuMilli = milliOf(text);
    else if (name === "memory") memoryBytes = unitsOf(text);
    else if (name === storageName) storageBytes = unitsOf(text);
    else if (name !== "pods" && unitsOf(text) > 0) extended[name] = unitsOf(text);
  }
  return { cpuMilli, memoryBytes, storageBytes, extended };
}

function plus(left: Resources, right: Resources): Resources {
  return combine(left, right, (a, b) => a + b);
}

function greater(left: Resources, right: Resources): Resources {
  return combine(left, right, Math.max);
}

function combine(left: Resources, right: Resources, of: (a: number, b: number) => number): Resources {
  const extended: Record<string, number> = { ...left.extended };
  for (const [name, amount] of Object.entries(right.extended)) extended[name] = of(extended[name] ?? 0, amount);
  return {
    cpuMilli: of(left.cpuMilli, right.cpuMilli),
    memoryBytes: of(left.memoryBytes, right.memoryBytes),
    storageBytes: of(left.storageBytes, right.storageBytes),
    extended,
  };
}
