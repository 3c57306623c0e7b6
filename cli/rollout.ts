import { valueAt } from "../src/api/path.js";
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../src/api/kinds/apps.js";
import type { PodTemplateSpec } from "../src/api/kinds/pod.js";
import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { daemonSetState, statefulSetState } from "./rollout-of-sets.js";

/** Kubernetes' annotation on a ReplicaSet (and its Deployment): which revision of the template it is. */
export const revisionAnnotation = "deployment.kubernetes.io/revision";
export const changeCauseAnnotation = "kubernetes.io/change-cause";

/** What replaces its Pods step by step when its template changes. */
export type RolledOut = Deployment | StatefulSet | DaemonSet;

export interface RolloutState {
  readonly done: boolean;
  readonly message: string;
}

/**
 * Where a rollout stands, in kubectl's words.
 * @throws IkadaError Deadline when the controller has given the rollout up (ProgressDeadlineExceeded), Unsupported when nothing rolls out by itself
 */
export function rolloutState(object: RolledOut): RolloutState {
  switch (object.kind) {
    case "StatefulSet":
      return statefulSetState(object as StatefulSet);
    case "DaemonSet":
      return daemonSetState(object as DaemonSet);
    default:
      return deploymentState(object as Deployment);
  }
}

function deploymentState({ metadata, spec, status }: Deployment): RolloutState {
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
  readonly template: PodTemplateSpec;
  readonly changeCause: string;
}

/** The kind of the objects that remember the templates of a kind. */
export function keeperOf(kind: string): "replicasets" | "controllerrevisions" {
  return kind === "Deployment" ? "replicasets" : "controllerrevisions";
}

/** The revisions that `keepers`, as far as they are the object's own, still remember; oldest first. */
export function revisionsOf(object: RolledOut, keepers: readonly AnyObject[]): Revision[] {
  return keepers
    .filter(({ metadata }) =>
      metadata.ownerReferences?.some(({ uid, controller }) => controller === true && uid === object.metadata.uid),
    )
    .flatMap((keeper) => {
      const template = object.kind === "Deployment" ? templateOfSet(keeper) : templateOfRevision(keeper);
      if (template === undefined) return [];
      const changeCause = keeper.metadata.annotations?.[changeCauseAnnotation] ?? "<none>";
      return [{ number: numberOf(keeper), template, changeCause }];
    })
    .sort((a, b) => a.number - b.number);
}

function numberOf(keeper: AnyObject): number {
  return keeper.kind === "ControllerRevision"
    ? (keeper as unknown as ControllerRevision).revision
    : Number(keeper.metadata.annotations?.[revisionAnnotation] ?? 0);
}

/** Without the label that its controller has put in. */
function templateOfSet(keeper: AnyObject): PodTemplateSpec {
  const { template } = (keeper as unknown as ReplicaSet).spec;
  const { "pod-template-hash": _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** Undefined when somebody has put something else in it. */
function templateOfRevision(keeper: AnyObject): PodTemplateSpec | undefined {
  const template = valueAt(keeper, "data", "spec", "template");
  if (typeof template !== "object" || template === null) return undefined;
  const { $patch: _patch, ...kept } = template as PodTemplateSpec & { readonly $patch?: string };
  return kept;
}

/**
 * The object with the Pod template of an earlier revision (0: the one before the present).
 * @throws IkadaError NotFound when there is no such revision; Invalid when a Deployment is paused
 */
export function undoTo<T extends RolledOut>(
  object: T,
  revisions: readonly Revision[],
  number: number,
): { readonly object: T; readonly revision: number } {
  const name = object.metadata.name;
  const kind = object.kind.toLowerCase();
  if (object.kind === "Deployment" && (object as Deployment).spec.paused === true) {
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
        ? `unable to find revision ${number} of ${kind} "${name}" (known: ${known})`
        : `no rollout history found for ${kind} "${name}"`,
    );
  }
  const { template, number: revision } = target;
  return { object: { ...object, spec: { ...object.spec, template } }, revision };
}
