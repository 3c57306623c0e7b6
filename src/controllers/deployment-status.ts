import type { Condition } from "../api/object.js";
import type { Deployment, DeploymentStatus } from "../api/kinds/apps.js";
import { fromTimestamp } from "../api/time.js";
import { withCondition, withoutCondition, type Verdict } from "./conditions.js";
import { condition } from "./pod-state.js";
import type { SetView } from "./set-view.js";

/** A Deployment's status as Kubernetes computes it (pkg/controller/deployment/{sync,progress}.go). */

/** The counts and the Available condition. `sizes` are the sets' sizes after this decision. */
export function countedStatus(
  deployment: Deployment,
  newest: SetView | undefined,
  views: readonly SetView[],
  sizes: ReadonlyMap<SetView, number>,
  unavailable: number,
  now: number,
): DeploymentStatus {
  const present = deployment.status ?? {};
  const replicas = deployment.spec.replicas ?? 1;
  const total = (count: (view: SetView) => number): number => views.reduce((sum, view) => sum + count(view), 0);
  const available = total((view) => view.available);
  const size = total((view) => sizes.get(view) ?? view.size);
  const verdict: Verdict =
    available >= replicas - unavailable
      ? {
          type: "Available",
          status: "True",
          reason: "MinimumReplicasAvailable",
          message: "Deployment has minimum availability.",
        }
      : {
          type: "Available",
          status: "False",
          reason: "MinimumReplicasUnavailable",
          message: "Deployment does not have minimum availability.",
        };
  return {
    ...present,
    ...(deployment.metadata.generation === undefined ? {} : { observedGeneration: deployment.metadata.generation }),
    replicas: total((view) => view.active.length),
    updatedReplicas: newest?.active.length ?? 0,
    readyReplicas: total((view) => view.ready),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, size - available),
    conditions: withCondition(present.conditions ?? [], verdict, now),
  };
}

/** All Pods are of the present template and available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const replicas = deployment.spec.replicas ?? 1;
  return (
    status.updatedReplicas === replicas &&
    status.replicas === replicas &&
    status.availableReplicas === replicas &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

/** The status with the Progressing condition of a rollout, and when its deadline is, if one runs. */
export function withProgress(
  deployment: Deployment,
  status: DeploymentStatus,
  newestName: string | undefined,
  now: number,
): { readonly status: DeploymentStatus; readonly deadlineAt: number | undefined } {
  const conditions = status.conditions ?? [];
  const deadlineSeconds = deployment.spec.progressDeadlineSeconds;
  if (deadlineSeconds === undefined || deadlineSeconds >= noDeadlineSeconds)
    return { status: { ...status, conditions: withoutCondition(conditions, "Progressing") }, deadlineAt: undefined };

  const present = condition(conditions, "Progressing");
  const subject = newestName === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newestName}"`;
  const settled = status.replicas === status.updatedReplicas && present?.reason === "NewReplicaSetAvailable";
  const decide = (verdict: Omit<Verdict, "type">, touch = false): readonly Condition[] =>
    withCondition(conditions, { type: "Progressing", ...verdict }, now, touch);

  let next = conditions;
  const deadlineAt = progressDeadline(present, deadlineSeconds);
  if (!settled) {
    if (isComplete(deployment, status))
      next = decide({
        status: "True",
        reason: "NewReplicaSetAvailable",
        message: `${subject} has successfully progressed.`,
      });
    else if (hasProgressed(deployment.status ?? {}, status))
      next = decide({ status: "True", reason: "ReplicaSetUpdated", message: `${subject} is progressing.` }, true);
    else if (deadlineAt !== undefined && now >= deadlineAt)
      next = decide({ status: "False", reason: deadlineExceeded, message: `${subject} has timed out progressing.` });
  }
  return {
    status: { ...status, conditions: next },
    deadlineAt: progressDeadline(condition(next, "Progressing"), deadlineSeconds),
  };
}

/** The Progressing condition when `paused` was set or taken back; the deadline's clock starts anew on resume. */
export function withPause(deployment: Deployment, status: DeploymentStatus, now: number): DeploymentStatus {
  const conditions = status.conditions ?? [];
  const present = condition(conditions, "Progressing");
  const paused = deployment.spec.paused === true;
  if (deployment.spec.progressDeadlineSeconds === undefined || present?.reason === deadlineExceeded) return status;
  if (paused === (present?.reason === "DeploymentPaused")) return status;
  if (!paused && present === undefined) return status;
  const verdict: Verdict = paused
    ? { type: "Progressing", status: "Unknown", reason: "DeploymentPaused", message: "Deployment is paused" }
    : { type: "Progressing", status: "Unknown", reason: "DeploymentResumed", message: "Deployment is resumed" };
  return { ...status, conditions: withCondition(conditions, verdict, now) };
}

/** The Progressing condition when a set was made, or found for a template that had one before. */
export function withNewest(status: DeploymentStatus, newestName: string, made: boolean, now: number): DeploymentStatus {
  const verdict: Verdict = {
    type: "Progressing",
    status: "True",
    reason: made ? "NewReplicaSetCreated" : "FoundNewReplicaSet",
    message: made ? `Created new replica set "${newestName}"` : `Found new replica set "${newestName}"`,
  };
  return { ...status, conditions: withCondition(status.conditions ?? [], verdict, now, true) };
}

const deadlineExceeded = "ProgressDeadlineExceeded";
/** Kubernetes takes the greatest int32 as "no deadline". */
const noDeadlineSeconds = 2_147_483_647;

function progressDeadline(progressing: Condition | undefined, deadlineSeconds: number): number | undefined {
  const ended = ["NewReplicaSetAvailable", "DeploymentPaused", deadlineExceeded];
  if (progressing === undefined || ended.includes(progressing.reason ?? "")) return undefined;
  const since = fromTimestamp(progressing.lastUpdateTime ?? "");
  return since === undefined ? undefined : since + deadlineSeconds * 1000;
}

/** Something grew, or an old Pod went, since the status was last written. */
function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}
