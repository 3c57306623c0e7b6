import type { Taint } from "../api/kinds/core.js";
import { suitsNode } from "../api/node-affinity.js";
import { tolerates } from "../api/toleration.js";
import { conflict } from "./host-ports.js";
import type { PodClass } from "./pod-class.js";
import type { Room } from "./room.js";

/** One reason to refuse a node. */
export interface Filter {
  /** As Kubernetes calls its plugin. */
  readonly name: string;
  /** Whether the node takes a Pod of this class. */
  check(podClass: PodClass, room: Room): boolean;
  /** Why it does not, in Kubernetes' words; only asked after `check` refused. Several when several things are missing. */
  explain(podClass: PodClass, room: Room): readonly string[];
  /** The same with numbers, for people who ask about this one Pod. */
  detail(podClass: PodClass, room: Room): string;
  /** What helps, in a sentence. */
  readonly hint: string;
}

/** Those that depend on the node alone: no Pod that goes changes their verdict. In the order in which they explain a refusal. */
export const nodeFilters: readonly Filter[] = [
  {
    name: "NodeUnschedulable",
    check: ({ tolerations }, { node }) =>
      node?.spec.unschedulable !== true || tolerations.some((one) => tolerates(one, unschedulableTaint)),
    explain: () => ["node(s) were unschedulable"],
    detail: () => "cordoned",
    hint: "let the node take Pods again: ikada uncordon NODE",
  },
  {
    name: "TaintToleration",
    check: (podClass, room) => room.taints.length === 0 || untolerated(podClass, room) === undefined,
    explain: (podClass, room) => {
      const { key = "", value = "" } = untolerated(podClass, room) ?? {};
      return [`node(s) had untolerated taint {${key}: ${value}}`];
    },
    detail: (podClass, room) => {
      const { key = "", value = "", effect = "" } = untolerated(podClass, room) ?? {};
      return `taint ${key}${value === "" ? "" : `=${value}`}:${effect}`;
    },
    hint: "give the Pod a toleration of the taint, or take the taint off the node",
  },
  {
    name: "NodeReady",
    check: (_podClass, room) => room.isReady,
    explain: () => ["node(s) were not ready"],
    detail: (_podClass, { node }) => {
      if (node?.metadata.deletionTimestamp !== undefined) return "is being deleted";
      const ready = node?.status?.conditions?.find((one) => one.type === "Ready");
      return `Ready is ${ready?.status ?? "not told"}${ready?.reason === undefined ? "" : ` (${ready.reason})`}`;
    },
    hint: "see why the node's agent is away or unwell: ikada describe node NODE",
  },
  {
    name: "NodeAffinity",
    check: (podClass, { node }) => node !== undefined && suitsNode(podClass, node),
    explain: () => ["node(s) didn't match Pod's node affinity/selector"],
    detail: ({ nodeSelector }, { labels }) => {
      const missing = Object.keys(nodeSelector).filter((key) => labels[key] !== nodeSelector[key]);
      return missing.length === 0
        ? "no term of the required node affinity holds"
        : missing.map((key) => `wants ${key}=${nodeSelector[key]}, has ${labels[key] ?? "none"}`).join(", ");
    },
    hint: "label a node as the Pod wants it (ikada label node NODE KEY=VALUE), or change nodeSelector or affinity",
  },
];

/** What is left on the node: asked for every Pod, since each binding takes some. In the order in which they explain. */
export const roomFilters: readonly Filter[] = [
  {
    name: "NodePorts",
    check: ({ hostPorts }, room) =>
      hostPorts.length === 0 || !hostPorts.some((wanted) => room.hostPorts.some((one) => conflict(wanted, one))),
    explain: () => ["node(s) didn't have free ports for the requested pod ports"],
    detail: ({ hostPorts }, room) =>
      `taken: ${hostPorts
        .filter((wanted) => room.hostPorts.some((one) => conflict(wanted, one)))
        .map(({ port, protocol }) => `${port}/${protocol}`)
        .join(", ")}`,
    hint: "use another hostPort, or a node where no Pod has it",
  },
  {
    name: "NodeResourcesFit",
    check: fits,
    explain: (podClass, room) => missing(podClass, room).map(({ reason }) => reason),
    detail: (podClass, room) =>
      missing(podClass, room)
        .map(({ name, wanted, free, unit }) => `${name}: wants ${shown(wanted, unit)}, ${shown(free, unit)} free`)
        .join("; "),
    hint: "ask for less (resources.requests), free room, or add a node",
  },
];

/** Whether a Pod of the class could be on this node at all. */
export function isSuitable(podClass: PodClass, room: Room): boolean {
  for (const filter of nodeFilters) if (!filter.check(podClass, room)) return false;
  return true;
}

/** Whether there is room for one more. */
export function hasRoomFor(podClass: PodClass, room: Room): boolean {
  for (const filter of roomFilters) if (!filter.check(podClass, room)) return false;
  return true;
}

const unschedulableTaint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" } as const;

/** True while nothing is missing: `missing` without its words. */
function fits({ requests }: PodClass, room: Room): boolean {
  const { offered } = room;
  if (room.pods + 1 > offered.pods) return false;
  if (requests.cpuMilli > 0 && room.cpuMilli + requests.cpuMilli > offered.cpuMilli) return false;
  if (requests.memoryBytes > 0 && room.memoryBytes + requests.memoryBytes > offered.memoryBytes) return false;
  if (requests.storageBytes > 0 && room.storageBytes + requests.storageBytes > offered.storageBytes) return false;
  for (const name in requests.extended)
    if (room.extended(name) + (requests.extended[name] ?? 0) > (offered.extended[name] ?? 0)) return false;
  return true;
}

/** Whether the empty node would be large enough: if not, no eviction helps. */
export function couldFit({ requests }: PodClass, { offered }: Room): boolean {
  if (offered.pods < 1 || requests.cpuMilli > offered.cpuMilli || requests.memoryBytes > offered.memoryBytes)
    return false;
  if (requests.storageBytes > offered.storageBytes) return false;
  return Object.entries(requests.extended).every(([name, amount]) => amount <= (offered.extended[name] ?? 0));
}

interface Missing {
  readonly reason: string;
  readonly name: string;
  readonly wanted: number;
  readonly free: number;
  readonly unit: "pods" | "cores" | "bytes" | "count";
}

function missing({ requests }: PodClass, room: Room): readonly Missing[] {
  const { offered } = room;
  const found: Missing[] = [];
  const look = (name: string, wanted: number, taken: number, of: number, unit: Missing["unit"]): void => {
    if (wanted > 0 && taken + wanted > of)
      found.push({ reason: `Insufficient ${name}`, name, wanted, free: Math.max(0, of - taken), unit });
  };
  if (room.pods + 1 > offered.pods)
    found.push({ reason: "Too many pods", name: "pods", wanted: 1, free: 0, unit: "pods" });
  look("cpu", requests.cpuMilli, room.cpuMilli, offered.cpuMilli, "cores");
  look("memory", requests.memoryBytes, room.memoryBytes, offered.memoryBytes, "bytes");
  look("ephemeral-storage", requests.storageBytes, room.storageBytes, offered.storageBytes, "bytes");
  for (const [name, wanted] of Object.entries(requests.extended))
    look(name, wanted, room.extended(name), offered.extended[name] ?? 0, "count");
  return found;
}

/** As people write it: `250m`, `1.5Gi`. */
function shown(amount: number, unit: Missing["unit"]): string {
  if (unit === "cores") return amount % 1000 === 0 ? String(amount / 1000) : `${amount}m`;
  if (unit !== "bytes") return String(amount);
  const step = amount === 0 ? 0 : Math.min(4, Math.floor(Math.log2(amount) / 10));
  return `${Number((amount / 1024 ** step).toFixed(1))}${["", "Ki", "Mi", "Gi", "Ti"][step]}`;
}

function untolerated({ tolerations }: PodClass, { taints }: Room): Taint | undefined {
  return taints.find((taint) => !tolerations.some((toleration) => tolerates(toleration, taint)));
}

/** Whether the class tolerates all taints that keep Pods off. */
export function toleratesAll(podClass: PodClass, room: Room): boolean {
  return room.taints.length === 0 || untolerated(podClass, room) === undefined;
}
