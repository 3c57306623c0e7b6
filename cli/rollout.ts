import { IkadaError } from "../src/base/errors.js";
import type { Deployment, ReplicaSet } from "../src/api/kinds/apps.js";

/** Kubernetes' annotation on a ReplicaSet (and its Deployment): which revision of the template it is. */
export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const changeCauseAnnotation = "kubernetes.io/change-cause";

export interface RolloutState {
  readonly done: boolean;
  readonly message: string;
}

/**
 * Where a Deployment's rollout stands, in kubectl's words.
 * @throws IkadaError Deadline when the controller has given the rollout up (ProgressDeadlineExceeded)
 */
export function rolloutState({ metadata, spec, status }: Deployment): RolloutState {
  const name = metadata.name;
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 1)) {
    return { done: false, message: "Waiting for deployment spec update to be observed..." };
  }
  const progressing = status?.conditions?.find((condition) => condition.type === "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") {
    throw new IkadaError("Deadline", `deployment "${name}" exceeded its progress deadline`, {
      hint: `see 'ikada describe deployment ${name}' and 'ikada rollout undo deployment/${name}'`,
    });
  }
  const desired = spec.replicas ?? 1;
  const updated = status?.updatedReplicas ?? 0;
  const total = status?.replicas ?? 0;
  const available = status?.availableReplicas ?? 0;
  const waiting = `Waiting for deployment "${name}" rollout to finish: `;
  if (updated < desired)
    return { done: false, message: `${waiting}${updated} out of ${desired} new replicas have been updated...` };
  if (total > updated)
    return { done: false, message: `${waiting}${total - updated} old replicas are pending termination...` };
  if (available < updated)
    return { done: false, message: `${waiting}${available} of ${updated} updated replicas are available...` };
  return { done: true, message: `deployment "${name}" successfully rolled out` };
}

export interface Revision {
  readonly number: number;
  readonly replicaSet: ReplicaSet;
  readonly changeCause: string;
}

/** The revisions of a Deployment that its ReplicaSets still remember, oldest first. */
export function revisionsOf(deployment: Deployment, replicaSets: readonly ReplicaSet[]): Revision[] {
  return replicaSets
    .filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === deployment.metadata.uid),
    )
    .map((replicaSet) => ({
      number: Number(replicaSet.metadata.annotations?.[revisionAnnotation] ?? 0),
      replicaSet,
      changeCause: replicaSet.metadata.annotations?.[changeCauseAnnotation] ?? "<none>",
    }))
    .sort((a, b) => a.number - b.number);
}

/**
 * The Deployment with the Pod template of an earlier revision (0: the one before the present).
 * @throws IkadaError NotFound when there is no such revision; Invalid when the Deployment is paused
 */
export function undoTo(
  deployment: Deployment,
  revisions: readonly Revision[],
  number: number,
): { readonly object: Deployment; readonly revision: number } {
  const name = deployment.metadata.name;
  if (deployment.spec.paused === true) {
    throw new IkadaError(
      "Invalid",
      `you cannot rollback a paused deployment; resume it first with 'ikada rollout resume deployment/${name}' and try again`,
    );
  }
  const present = revisions.at(-1)?.number ?? 0;
  const target =
    number > 0
      ? revisions.find((revision) => revision.number === number)
      : revisions.findLast((revision) => revision.number < present);
  if (!target) {
    const known = revisions.map((revision) => revision.number).join(", ") || "none";
    throw new IkadaError(
      "NotFound",
      number > 0
        ? `unable to find revision ${number} of deployment "${name}" (known: ${known})`
        : `no rollout history found for deployment "${name}"`,
    );
  }
  const { template } = target.replicaSet.spec;
  const { "pod-template-hash": _hash, ...labels } = template.metadata?.labels ?? {};
  return {
    object: {
      ...deployment,
      spec: { ...deployment.spec, template: { ...template, metadata: { ...template.metadata, labels } } },
    },
    revision: target.number,
  };
}
