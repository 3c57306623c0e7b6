import { imagePins } from "../src/api/image-pins.js";
import type { DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../src/api/kinds/apps.js";
import type { AnyObject, ObjectMeta } from "../src/api/object.js";
import type { CronJob, Job } from "../src/api/kinds/batch.js";
import type { ConfigMap, Event, Node, Secret } from "../src/api/kinds/core.js";
import type { Container, ContainerStatus, Pod, Volume } from "../src/api/kinds/pod.js";
import { qosClassOf } from "../src/api/kinds/pod-resources.js";
import type { PodDisruptionBudget } from "../src/api/kinds/policy.js";
import { formatAge } from "../src/api/time.js";
import { cronJobLines, jobLines } from "./describe-batch.js";
import { conditionLines, containerLines, pairs, selectorText, templateLines, type Line } from "./describe-lines.js";
import { formatTable, harmless } from "./output.js";

/** What belongs to the described object: its events, and for a Node its Pods. */
export interface Surroundings {
  readonly events: readonly Event[];
  readonly pods: readonly Pod[];
  /** Wall time, milliseconds since 1970, for ages. */
  readonly now: number;
}

/** The long form of one object, laid out as `kubectl describe` users expect. */
export function describeObject(object: AnyObject, around: Surroundings): string {
  const lines = [...head(object), ...body(object, around)];
  return harmless(render(lines, 0)) + describeEvents(around);
}

function body(object: AnyObject, around: Surroundings): Line[] {
  switch (object.kind) {
    case "Pod":
      return podLines(object as unknown as Pod);
    case "Deployment":
      return deploymentLines(object as unknown as Deployment);
    case "ReplicaSet":
      return replicaSetLines(object as unknown as ReplicaSet);
    case "StatefulSet":
      return statefulSetLines(object as unknown as StatefulSet);
    case "DaemonSet":
      return daemonSetLines(object as unknown as DaemonSet);
    case "Job":
      return jobLines(object as unknown as Job);
    case "CronJob":
      return cronJobLines(object as unknown as CronJob);
    case "PodDisruptionBudget":
      return budgetLines(object as unknown as PodDisruptionBudget);
    case "Node":
      return nodeLines(object as unknown as Node, around.pods);
    case "ConfigMap":
      return configMapLines(object as unknown as ConfigMap);
    case "Secret":
      return secretLines(object as unknown as Secret);
    default:
      return restLines(object);
  }
}

function head({ metadata, kind }: AnyObject): Line[] {
  const lines: Line[] = [["Name", metadata.name]];
  if (metadata.namespace !== undefined) lines.push(["Namespace", metadata.namespace]);
  lines.push(["Kind", kind], ["Labels", pairs(metadata.labels)], ["Annotations", pairs(metadata.annotations)]);
  lines.push(["Created", metadata.creationTimestamp ?? "<unknown>"]);
  if (metadata.deletionTimestamp !== undefined) lines.push(["Terminating since", metadata.deletionTimestamp]);
  const owner = controllerOf(metadata);
  if (owner !== undefined) lines.push(["Controlled By", owner]);
  return lines;
}

function controllerOf(metadata: ObjectMeta): string | undefined {
  const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
  return owner && `${owner.kind}/${owner.name}`;
}

function podLines(pod: Pod): Line[] {
  const containers = (specs: readonly Container[], statuses: readonly ContainerStatus[] = []): Line[] =>
    specs.map((container) => [
      container.name,
      containerLines(
        container,
        statuses.find(({ name }) => name === container.name),
      ),
    ]);
  const init = pod.spec.initContainers ?? [];
  const reason: Line[] = pod.status?.reason === undefined ? [] : [["Reason", pod.status.reason]];
  const message: Line[] = pod.status?.message === undefined ? [] : [["Message", pod.status.message]];
  return [
    ["Node", pod.spec.nodeName ?? "<none>"],
    ...(pod.spec.priority === undefined
      ? []
      : ([
          ["Priority Class Name", pod.spec.priorityClassName ?? "<none>"],
          ["Priority", String(pod.spec.priority)],
        ] as const)),
    ...(pod.status?.nominatedNodeName === undefined ? [] : [["Nominated node", pod.status.nominatedNodeName] as const]),
    ["Status", pod.metadata.deletionTimestamp === undefined ? (pod.status?.phase ?? "Pending") : "Terminating"],
    ...reason,
    ...message,
    ["IP", pod.status?.podIP ?? "<none>"],
    ...(init.length > 0 ? [["Init Containers", containers(init, pod.status?.initContainerStatuses)] as const] : []),
    ["Containers", containers(pod.spec.containers, pod.status?.containerStatuses)],
    conditionLines(pod.status?.conditions),
    ["Volumes", (pod.spec.volumes ?? []).map((volume): Line => [volume.name, volumeText(volume)])],
    ["QoS Class", qosClassOf(pod.spec)],
    ["Node-Selectors", pairs(pod.spec.nodeSelector)],
    [
      "Tolerations",
      (pod.spec.tolerations ?? [])
        .map(
          (t) =>
            `${t.key ?? "*"}:${t.effect ?? "*"} op=${t.operator ?? "Equal"}${t.tolerationSeconds === undefined ? "" : ` for ${t.tolerationSeconds}s`}`,
        )
        .join(", ") || "<none>",
    ],
  ];
}

/** The source and what is special about it; a Secret's name, never what is in it. */
function volumeText(volume: Volume): string {
  const { name: _name, ...sources } = volume;
  const source = Object.keys(sources).find((key) => sources[key] !== undefined) ?? "emptyDir";
  const settings = Object.entries((sources[source] ?? {}) as Record<string, unknown>)
    .filter(([, value]) => value !== undefined && value !== "")
    .map(([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`);
  return [source, ...settings].join(" ");
}

function deploymentLines({ spec, status }: Deployment): Line[] {
  const rolling = spec.strategy?.rollingUpdate;
  const counts = `${spec.replicas ?? 1} desired | ${status?.updatedReplicas ?? 0} updated | ${status?.replicas ?? 0} total | ${status?.availableReplicas ?? 0} available | ${status?.unavailableReplicas ?? 0} unavailable`;
  return [
    ["Selector", selectorText(spec.selector)],
    ["Replicas", counts],
    ["StrategyType", spec.strategy?.type ?? "RollingUpdate"],
    ...(rolling
      ? ([["RollingUpdate", `${rolling.maxUnavailable} max unavailable, ${rolling.maxSurge} max surge`]] as Line[])
      : []),
    ["Pod Template", templateLines(spec.template)],
    conditionLines(status?.conditions),
  ];
}

function replicaSetLines({ metadata, spec, status }: ReplicaSet): Line[] {
  return [
    ["Selector", selectorText(spec.selector)],
    ["Replicas", `${status?.replicas ?? 0} current / ${spec.replicas ?? 1} desired`],
    ["Ready", String(status?.readyReplicas ?? 0)],
    ["Images", [...imagePins(metadata.annotations)].map(([image, pin]) => `${image} is ${pin}`).join(", ") || "<none>"],
    ["Pod Template", templateLines(spec.template)],
  ];
}

function statefulSetLines({ spec, status }: StatefulSet): Line[] {
  const rolling = spec.updateStrategy?.rollingUpdate;
  const lines: Line[] = [
    ["Selector", selectorText(spec.selector)],
    [
      "Replicas",
      `${spec.replicas ?? 1} desired | ${status?.replicas ?? 0} total | ${status?.readyReplicas ?? 0} ready | ${status?.availableReplicas ?? 0} available`,
    ],
    ["Revision", revisionText(status?.currentReplicas, status?.currentRevision)],
  ];
  if (status?.updateRevision !== status?.currentRevision)
    lines.push(["Updated To", revisionText(status?.updatedReplicas, status?.updateRevision)]);
  if (spec.serviceName) lines.push(["Service", spec.serviceName]);
  if (spec.ordinals?.start) lines.push(["First Ordinal", String(spec.ordinals.start)]);
  lines.push(["Pod Management", spec.podManagementPolicy ?? "OrderedReady"]);
  lines.push(["Update Strategy", spec.updateStrategy?.type ?? "RollingUpdate"]);
  if (rolling)
    lines.push([
      "RollingUpdate",
      `partition ${rolling.partition ?? 0}, ${rolling.maxUnavailable ?? 1} max unavailable`,
    ]);
  return [...lines, ["Pod Template", templateLines(spec.template)], conditionLines(status?.conditions)];
}

function revisionText(count = 0, name = "<none>"): string {
  return `${count} of ${name}`;
}

function daemonSetLines({ spec, status }: DaemonSet): Line[] {
  const rolling = spec.updateStrategy?.rollingUpdate;
  return [
    ["Selector", selectorText(spec.selector)],
    ["Node-Selectors", pairs(spec.template.spec.nodeSelector)],
    [
      "Nodes",
      `${status?.desiredNumberScheduled ?? 0} desired | ${status?.currentNumberScheduled ?? 0} have one | ${status?.updatedNumberScheduled ?? 0} updated | ${status?.numberAvailable ?? 0} available | ${status?.numberMisscheduled ?? 0} misscheduled`,
    ],
    ["Update Strategy", spec.updateStrategy?.type ?? "RollingUpdate"],
    ...(rolling
      ? ([["RollingUpdate", `${rolling.maxUnavailable} max unavailable, ${rolling.maxSurge} max surge`]] as Line[])
      : []),
    ["Pod Template", templateLines(spec.template)],
    conditionLines(status?.conditions),
  ];
}

function budgetLines({ spec, status = {} }: PodDisruptionBudget): Line[] {
  const {
    disruptionsAllowed = 0,
    currentHealthy = 0,
    desiredHealthy = 0,
    expectedPods = 0,
    disruptedPods = {},
  } = status;
  return [
    ["Selector", spec.selector === undefined ? "<none>" : selectorText(spec.selector) || "<all Pods of the namespace>"],
    ...(spec.minAvailable === undefined ? [] : [["Min available", String(spec.minAvailable)] as const]),
    ...(spec.maxUnavailable === undefined ? [] : [["Max unavailable", String(spec.maxUnavailable)] as const]),
    ["Unhealthy Pods", spec.unhealthyPodEvictionPolicy ?? "IfHealthyBudget"],
    ["Allowed disruptions", String(disruptionsAllowed)],
    ["Current", `${currentHealthy} healthy of ${expectedPods}`],
    ["Desired", `${desiredHealthy} healthy`],
    ["Being evicted", Object.keys(disruptedPods).join(", ") || "<none>"],
    conditionLines(status.conditions),
  ];
}

function nodeLines(node: Node, pods: readonly Pod[]): Line[] {
  const taints = node.spec.taints
    ?.map((taint) => `${taint.key}${taint.value ? `=${taint.value}` : ""}:${taint.effect}`)
    .join(", ");
  return [
    ["Taints", taints || "<none>"],
    ["Unschedulable", String(node.spec.unschedulable ?? false)],
    ["PodCIDR", node.spec.podCIDR ?? "<none>"],
    conditionLines(node.status?.conditions),
    ["Addresses", (node.status?.addresses ?? []).map(({ type, address }): Line => [type, address])],
    ["Capacity", pairs(node.status?.capacity)],
    ["Allocatable", pairs(node.status?.allocatable)],
    ["System Info", Object.entries(node.status?.nodeInfo ?? {}).map(([key, value]): Line => [key, value])],
    [
      "Non-terminated Pods",
      pods
        .filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed")
        .map(({ metadata, status }): Line => [`${metadata.namespace}/${metadata.name}`, status?.phase ?? "Pending"]),
    ],
  ];
}

function configMapLines({ data = {}, binaryData = {} }: ConfigMap): Line[] {
  const binary = Object.entries(binaryData).map(([key, value]): Line => [key, sizeText(value)]);
  return [["Data", [...Object.entries(data), ...binary]]];
}

/** Sizes only: a description is pasted into tickets. */
function secretLines(secret: Secret): Line[] {
  return [
    ["Type", secret.type ?? "Opaque"],
    ["Data", Object.entries(secret.data ?? {}).map(([key, value]): Line => [key, sizeText(value)])],
  ];
}

function sizeText(base64: string): string {
  return `${Math.floor((base64.replace(/=+$/, "").length * 3) / 4)} bytes`;
}

function restLines(object: AnyObject): Line[] {
  return Object.entries(object)
    .filter(([field]) => !["apiVersion", "kind", "metadata"].includes(field))
    .map(([field, value]): Line => [field, JSON.stringify(value)]);
}

function render(lines: readonly Line[], indent: number): string {
  const width = Math.max(0, ...lines.filter(([, value]) => typeof value === "string").map(([name]) => name.length)) + 2;
  const space = " ".repeat(indent);
  return lines
    .map(([name, value]) => {
      if (typeof value !== "string")
        return value.length === 0 ? `${space}${name}: <none>\n` : `${space}${name}:\n${render(value, indent + 2)}`;
      const [first, ...more] = value.replace(/\n$/, "").split("\n");
      const continued = more.map((line) => `${`${" ".repeat(indent + width)}${line}`.trimEnd()}\n`).join("");
      return `${`${space}${`${name}:`.padEnd(width)}${first}`.trimEnd()}\n${continued}`;
    })
    .join("");
}

function describeEvents({ events, now }: Surroundings): string {
  if (events.length === 0) return "Events: <none>\n";
  const rows = [...events]
    .sort((a, b) => (lastSeen(a) < lastSeen(b) ? -1 : 1))
    .map((event) => {
      const age = formatAge(now - Date.parse(lastSeen(event)));
      const count = event.count ?? 1;
      return [
        "",
        event.type ?? "Normal",
        event.reason ?? "",
        count > 1 ? `${age} (x${count})` : age,
        event.source?.component ?? "",
        event.message ?? "",
      ].map(harmless);
    });
  return `Events:\n${formatTable([["", "TYPE", "REASON", "AGE", "FROM", "MESSAGE"], ...rows])}`;
}

function lastSeen(event: Event): string {
  return event.lastTimestamp ?? event.firstTimestamp ?? event.metadata.creationTimestamp ?? "";
}
