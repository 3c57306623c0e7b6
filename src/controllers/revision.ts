import type { Deployment, ReplicaSet } from "../api/kinds/apps.js";
import { imagePinsAnnotation } from "../api/image-pins.js";
import type { PodTemplateSpec } from "../api/kinds/pod.js";
import { toTimestamp } from "../api/time.js";
import { derivedUid, safeHash } from "../objects/derived-id.js";
import { canonicalJson, sameJson } from "../api/json.js";
import { controllerReference } from "./claims.js";
import { createdAt } from "./pod-state.js";

/** How a Deployment's ReplicaSets stand for the revisions of its template. */

const templateHashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const revisionHistoryAnnotation = "deployment.kubernetes.io/revision-history";
export const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
export const maxAnnotation = "deployment.kubernetes.io/max-replicas";

export type Annotations = Readonly<Record<string, string>>;

/** 0 when it has none. */
export function revisionOf(object: Deployment | ReplicaSet): number {
  return Number(object.metadata.annotations?.[revisionAnnotation] ?? 0) || 0;
}

/** Oldest first; sets of the same second by revision. */
export function byAge(left: ReplicaSet, right: ReplicaSet): number {
  return (
    createdAt(left) - createdAt(right) ||
    revisionOf(left) - revisionOf(right) ||
    (left.metadata.name < right.metadata.name ? -1 : 1)
  );
}

/** The set of the present template: the oldest with an equal one. */
export function findNewest(deployment: Deployment, oldestFirst: readonly ReplicaSet[]): ReplicaSet | undefined {
  return oldestFirst.find((set) => sameJson(withoutHash(set.spec.template), withoutHash(deployment.spec.template)));
}

export function nameOfNewest(deployment: Deployment): { readonly name: string; readonly hash: string } {
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount);
  return { name: `${deployment.metadata.name}-${hash}`, hash };
}

/** Names a template, in up to ten letters; another count of collisions gives another name. */
export function templateHash(template: PodTemplateSpec, collisionCount: number | undefined): string {
  return safeHash(canonicalJson([template, collisionCount ?? null]));
}

/** A ReplicaSet for the present template, as yet with no Pod. */
export function makeNewest(deployment: Deployment, revision: number, surge: number, now: number): ReplicaSet {
  const { name, hash } = nameOfNewest(deployment);
  const { selector, template } = deployment.spec;
  const withHash = { [templateHashLabel]: hash };
  const uid = deployment.metadata.uid ?? "";
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name,
      ...(deployment.metadata.namespace === undefined ? {} : { namespace: deployment.metadata.namespace }),
      uid: derivedUid(uid, "ReplicaSet", name, revision),
      generation: 1,
      creationTimestamp: toTimestamp(now),
      labels: { ...template.metadata?.labels, ...withHash },
      annotations: {
        ...inherited(deployment),
        ...scaleAnnotations(deployment.spec.replicas ?? 1, surge),
        [revisionAnnotation]: String(revision),
      },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas: 0,
      ...(deployment.spec.minReadySeconds === undefined ? {} : { minReadySeconds: deployment.spec.minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, ...withHash } },
      template: {
        ...template,
        metadata: { ...template.metadata, labels: { ...template.metadata?.labels, ...withHash } },
      },
    },
    status: { replicas: 0 },
  };
}

/** The newest set's annotations: the Deployment's own, its revision (the old ones are remembered), and its present bounds. */
export function newestAnnotations(
  deployment: Deployment,
  newest: ReplicaSet,
  oldMax: number,
  surge: number,
): Annotations {
  const present = newest.metadata.annotations ?? {};
  const next: Record<string, string> = { ...present, ...inherited(deployment) };
  const before = revisionOf(newest);
  if (before < oldMax + 1) {
    next[revisionAnnotation] = String(oldMax + 1);
    if (before > 0) {
      const history = present[revisionHistoryAnnotation];
      next[revisionHistoryAnnotation] = history === undefined ? String(before) : `${history},${before}`;
    }
  }
  const replicas = deployment.spec.replicas ?? 1;
  // A desired-replicas that differs is the sign of a resize in the middle of a rollout and stays until that is dealt with.
  if (present[desiredAnnotation] === String(replicas)) Object.assign(next, scaleAnnotations(replicas, surge));
  return next;
}

export function scaleAnnotations(replicas: number, surge: number): Annotations {
  return { [desiredAnnotation]: String(replicas), [maxAnnotation]: String(replicas + surge) };
}

const ownAnnotations = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredAnnotation,
  maxAnnotation,
  "deprecated.deployment.rollback.to",
  // Each revision has its own.
  imagePinsAnnotation,
]);

/** The annotations that sets take over from their Deployment (`kubernetes.io/change-cause` for one). */
function inherited(deployment: Deployment): Annotations {
  const all = Object.entries(deployment.metadata.annotations ?? {});
  return Object.fromEntries(all.filter(([name]) => !ownAnnotations.has(name)));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [templateHashLabel]: _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}
