import type { Taint } from "../api/kinds/core.js";
import { suitsNode } from "../api/node-affinity.js";
import { tolerates } from "../api/toleration.js";
import { conflict } from "./host-ports.js";
import type { PodClass } from "./pod-class.js";
import type { Room } from "./room.js";

/** What is tolerated by whoever may be put on a cordoned node. */
const unschedulable = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;

/** One reason to refuse a node. */
export interface Filter {
  readonly name: string;
  /** Whether the node takes a Pod of this class. */
  check(podClass: PodClass, room: Room): boolean;
  /** Why it does not, in Kubernetes' words; only asked after `check` refused. Several when several things are missing. */
  explain(podClass: PodClass, room: Room): readonly string[];
}

/** Those that depend on the node alone: asked once per class and pass. In the order in which they explain a refusal. */
export const nodeFilters: readonly Filter[] = [
  {
    name: "NodeUnschedulable",
    check: ({ tolerations }, { node }) =>
      node.spec.unschedulable !== true || tolerations.some((toleration) => tolerates(toleration, unschedulable)),
    explain: () => ["node(s) were unschedulable"],
  },
  {
    name: "TaintToleration",
    check: (podClass, room) => untolerated(podClass, room) === undefined,
    explain: (podClass, room) => {
      const { key = "", value = "" } = untolerated(podClass, room) ?? {};
      return [`node(s) had untolerated taint {${key}: ${value}}`];
    },
  },
  {
    name: "NodeReady",
    check: (_podClass, { node }) =>
      node.metadata.deletionTimestamp === undefined &&
      node.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true,
    explain: () => ["node(s) were not ready"],
  },
  {
    name: "NodeAffinity",
    check: (podClass, { node }) => suitsNode(podClass, node),
    explain: () => ["node(s) didn't match Pod's node affinity/selector"],
  },
];

/** What is left on the node: asked for every Pod, since each binding takes some. In the order in which they explain. */
export const roomFilters: readonly Filter[] = [
  {
    name: "NodePorts",
    check: ({ hostPorts }, room) => !hostPorts.some((wanted) => room.hostPorts.some((one) => conflict(wanted, one))),
    explain: () => ["node(s) didn't have free ports for the requested pod ports"],
  },
  {
    name: "NodeResourcesFit",
    check: (podClass, room) => missing(podClass, room).length === 0,
    explain: missing,
  },
];

function missing({ requests }: PodClass, { offered, taken }: Room): readonly string[] {
  const reasons: string[] = [];
  if (taken.pods + 1 > offered.pods) reasons.push("Too many pods");
  if (requests.cpuMilli > 0 && taken.cpuMilli + requests.cpuMilli > offered.cpuMilli) reasons.push("Insufficient cpu");
  if (requests.memoryBytes > 0 && taken.memoryBytes + requests.memoryBytes > offered.memoryBytes)
    reasons.push("Insufficient memory");
  if (requests.storageBytes > 0 && taken.storageBytes + requests.storageBytes > offered.storageBytes)
    reasons.push("Insufficient ephemeral-storage");
  return reasons;
}

function untolerated({ tolerations }: PodClass, { node }: Room): Taint | undefined {
  return (node.spec.taints ?? []).find(
    (taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
}
