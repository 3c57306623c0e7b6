import type { DaemonSet } from "../api/kinds/apps.js";
import type { Node, Taint } from "../api/kinds/core.js";
import type { Pod, PodSpec, PodTemplateSpec, Toleration } from "../api/kinds/pod.js";
import { sameJson } from "../api/json.js";
import { onlyNodeOf, pinnedTo, suitsNode } from "../api/node-affinity.js";
import { tolerates } from "../api/toleration.js";
import { revisionLabel } from "./history.js";
import type { WantedPod } from "./make-pods.js";
import { isTerminating, notReadyTaint, unreachableTaint } from "./pod-state.js";

/** The Pods of a DaemonSet and the nodes they are for. */

/** On a Pod: how many before it have failed on its node, one after the other. */
export const failuresAnnotation = "ikada.dev/daemon-failures";

export function failuresOf(pod: Pod): number {
  return Number(pod.metadata.annotations?.[failuresAnnotation] ?? 0) || 0;
}

/** The node that the Pod is on or is for. */
export function nodeOf(pod: Pod): string {
  return onlyNodeOf(pod.spec) ?? "";
}

/** A Pod of the template for a node: kept to it by its affinity, and put there by the scheduler. */
export function wantedPod(template: PodTemplateSpec, revision: string, node: string, failures: number): WantedPod {
  const { metadata, spec } = template;
  const annotations = { ...metadata?.annotations, ...(failures > 0 && { [failuresAnnotation]: String(failures) }) };
  return {
    template: {
      metadata: { labels: { ...metadata?.labels, [revisionLabel]: revision }, annotations },
      spec: pinnedTo({ ...spec, tolerations: tolerationsOf(spec) }, node),
    },
  };
}

/** What becomes of the set's Pod on a node. */
export interface Suits {
  /** It should have one. */
  readonly runs: boolean;
  /** One that is there may stay. */
  readonly stays: boolean;
}

/** Kubernetes' NodeShouldRunDaemonPod: a taint that keeps Pods from coming does not drive away those that are there. */
export function suits({ spec }: DaemonSet, node: Node): Suits {
  const { template } = spec;
  const named = template.spec.nodeName ?? "";
  if ((named !== "" && named !== node.metadata.name) || !suitsNode(template.spec, node))
    return { runs: false, stays: false };
  const tolerations = tolerationsOf(template.spec);
  const open = (node.spec.taints ?? []).filter(
    (taint) => taint.effect !== "PreferNoSchedule" && !tolerations.some((toleration) => tolerates(toleration, taint)),
  );
  return {
    runs: open.length === 0 && !isTerminating(node),
    stays: open.every((taint) => taint.effect !== "NoExecute"),
  };
}

const pressures = ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"];

/** Those of the template, and what every daemon tolerates, as Kubernetes adds it. */
function tolerationsOf(spec: PodSpec): readonly Toleration[] {
  const added = (key: string, effect: Taint["effect"]): Toleration => ({ key, operator: "Exists", effect });
  const all = [
    added(notReadyTaint, "NoExecute"),
    added(unreachableTaint, "NoExecute"),
    ...pressures.map((name) => added(`node.kubernetes.io/${name}`, "NoSchedule")),
    ...(spec.hostNetwork === true ? [added("node.kubernetes.io/network-unavailable", "NoSchedule")] : []),
  ];
  const own = spec.tolerations ?? [];
  return [...own, ...all.filter((one) => !own.some((other) => sameJson(one, other)))];
}
