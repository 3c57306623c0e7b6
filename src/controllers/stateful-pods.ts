import type { ControllerRevision, StatefulSet } from "../api/kinds/apps.js";
import type { Pod, PodTemplateSpec } from "../api/kinds/pod.js";
import type { WantedPod } from "./make-pods.js";
import { labelOf, revisionLabel } from "./history.js";

/** Who the Pods of a StatefulSet are: one for each ordinal, by its name. */

const podNameLabel = "statefulset.kubernetes.io/pod-name";
const podIndexLabel = "apps.kubernetes.io/pod-index";

export function podName(set: StatefulSet, ordinal: number): string {
  return `${set.metadata.name}-${ordinal}`;
}

/** The set's name and the ordinal in a Pod's name; undefined when no StatefulSet names its Pods so. */
export function splitPodName(name: string): { readonly parent: string; readonly ordinal: number } | undefined {
  const match = /^(.+)-(0|[1-9]\d{0,9})$/.exec(name);
  return match === null ? undefined : { parent: match[1]!, ordinal: Number(match[2]) };
}

/** Whether a Pod could be one of this set's, by its name. */
export function isNamedBy(set: StatefulSet, pod: Pod): boolean {
  return splitPodName(pod.metadata.name)?.parent === set.metadata.name;
}

export function ordinalOf(pod: Pod): number {
  return splitPodName(pod.metadata.name)?.ordinal ?? -1;
}

/** The Pod of an ordinal in a revision's template. */
export function wantedPod(
  set: StatefulSet,
  ordinal: number,
  revision: ControllerRevision,
  template: PodTemplateSpec,
): WantedPod {
  const name = podName(set, ordinal);
  const labels = { ...template.metadata?.labels, ...identityLabels(name, ordinal), [revisionLabel]: labelOf(revision) };
  const { serviceName } = set.spec;
  return {
    name,
    template: {
      metadata: { ...template.metadata, labels },
      spec: {
        ...template.spec,
        hostname: name,
        ...(serviceName === undefined || serviceName === "" ? {} : { subdomain: serviceName }),
      },
    },
  };
}

/** The Pod with the labels of who it is, for one that was adopted; undefined when it has them. */
export function withIdentity(pod: Pod): Pod | undefined {
  const wanted = identityLabels(pod.metadata.name, ordinalOf(pod));
  const { labels } = pod.metadata;
  if (Object.entries(wanted).every(([label, value]) => labels?.[label] === value)) return undefined;
  return { ...pod, metadata: { ...pod.metadata, labels: { ...labels, ...wanted } } };
}

function identityLabels(name: string, ordinal: number): Readonly<Record<string, string>> {
  return { [podNameLabel]: name, [podIndexLabel]: String(ordinal) };
}
