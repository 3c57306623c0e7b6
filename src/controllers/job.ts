import { finishedCondition, jobControllerName, trackingFinalizer, type Job } from "../api/kinds/batch.js";
import { sameJson, without } from "../api/json.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { matchesSelector } from "../api/selector.js";
import { updateOrFinish } from "../objects/delete-object.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import { claim } from "./claims.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import { annotationsWith, backoffWith, noBackoff } from "./job-backoff.js";
import { planOf, type JobPlan } from "./job-plan.js";
import { jobPod } from "./job-pods.js";
import { statusAfter, suspensionTold, withStart } from "./job-status.js";
import { deadlineOf, verdictOf, type JobVerdict } from "./job-verdict.js";
import { hasLimitPerIndex, isTracked, viewJob, type JobView } from "./job-view.js";
import { released, workOf, type JobWork } from "./job-work.js";
import { makePods, type MadePods } from "./make-pods.js";
import { podRefusal, refusedLookMs } from "./pod-admission.js";
import { createdPod, deletedPod, failedCreate, podEvents } from "./pod-events.js";
import {
  asObject,
  controllerOf,
  decidedFrom,
  isControlledBy,
  isNamespaceOpen,
  isTerminating,
  namespaceGuard,
} from "./pod-state.js";
import { earliest } from "./set-view.js";

/**
 * Job → Pods: Kubernetes' pkg/controller/job, one decision per log entry. A Pod holds a finalizer until it is counted, and the entry that counts it
 * takes the finalizer away: nothing has to be remembered in between, so uncountedTerminatedPods stays empty. Failures in a row, the start and
 * the end are fields of the Job.
 *
 * A key of kind Pod stands for one that no Job counts any more: it is let go.
 */
export const jobController: Controller = {
  name: "job",
  wakes: concerned,
  keys: (snapshot) => [
    ...snapshot.list("batch/Job").map(keyOfObject),
    ...snapshot
      .list<Pod>("/Pod")
      .filter((pod) => isLeftOver(pod, snapshot))
      .map(keyOfPod),
  ],
  reconcile(key: ObjectKey, world: World): Decision {
    const { snapshot } = world;
    if (key.groupKind === "/Pod") {
      const pod = snapshot.get<Pod>("/Pod", key.namespace, key.name);
      return pod === undefined || !isLeftOver(pod, snapshot)
        ? {}
        : { changes: updateOrFinish(asObject(released(pod))) };
    }
    const job = snapshot.get<Job>("batch/Job", key.namespace, key.name);
    return job === undefined || !isOurs(job) || finishedCondition(job) !== undefined ? {} : decide(job, world);
  },
};

function decide(job: Job, world: World): Decision {
  const { snapshot, now } = world;
  const self = decidedFrom(job);
  const claimed = claimPods(job, snapshot);
  if (claimed.length > 0)
    return { changes: { ...noChanges, updates: claimed.slice(0, objectsPerDecisionMax), unchanged: [self] } };

  const started = withStart(job, now);
  const view = viewJob(started, snapshot);
  const found = verdictOf(view, now);
  const plan = found === undefined ? goOn(view, world) : { deletes: view.active, makes: [] };
  const verdict = found ?? completionOf(view, plan);
  const work = workOf(view, plan.deletes, verdict, now, objectsPerDecisionMax);
  const makesMax = objectsPerDecisionMax - work.changes.updates.length - work.changes.removes.length;
  const made = makeAll(view, plan.makes.slice(0, Math.max(0, makesMax)), world);
  const updated = jobAfter(view, work, made, verdict, now);
  const changed = !sameJson(updated, job);
  const changes = mergeChanges([
    {
      creates: made.pods.map(asObject),
      updates: changed ? [asObject(updated)] : [],
      removes: [],
      unchanged: [
        ...(changed ? [] : [self]),
        ...(made.pods.length > 0 ? namespaceGuard(snapshot, job.metadata.namespace ?? "") : []),
      ],
    },
    work.changes,
  ]);
  const isOver = finishedCondition(updated) !== undefined;
  const lookAgainAt = made.refusal === undefined ? undefined : now + refusedLookMs;
  const wakeAt = isOver
    ? undefined
    : earliest(verdict === undefined ? deadlineOf(updated) : undefined, plan.wakeAt, lookAgainAt);
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    events: [
      ...tellings(job, updated, verdict),
      ...podEvents(job, made.pods, "SuccessfulCreate", createdPod),
      ...podEvents(job, work.deleted, "SuccessfulDelete", deletedPod),
      ...made.events,
    ],
  };
}

/** Another program may have taken it upon itself. */
function isOurs({ spec }: Job): boolean {
  return (spec.managedBy ?? jobControllerName) === jobControllerName;
}

function goOn(view: JobView, { snapshot, now }: World): JobPlan {
  if (isTerminating(view.job)) return { deletes: [], makes: [] };
  return planOf(view, snapshot, now, objectsPerDecisionMax);
}

/** It is done when as many Pods as are wanted have succeeded and no other one is active; a work queue when one has. */
function completionOf({ job, active, succeeded }: JobView, plan: JobPlan): JobVerdict | undefined {
  if (active.length - plan.deletes.length + plan.makes.length > 0) return undefined;
  if (succeeded < (job.spec.completions ?? 1)) return undefined;
  const message = "Reached expected number of succeeded pods";
  return { type: "SuccessCriteriaMet", reason: "CompletionsReached", message };
}

interface Made extends MadePods {
  /** Why none may be made. */
  readonly refusal: string | undefined;
  readonly events: readonly DecisionEvent[];
}

function makeAll({ job, heldBack }: JobView, makes: JobPlan["makes"], { snapshot, now }: World): Made {
  const namespace = job.metadata.namespace ?? "";
  const none: Made = { pods: [], annotations: undefined, refusal: undefined, events: [] };
  if (makes.length === 0 || !isNamespaceOpen(snapshot, namespace)) return none;
  const refusal = podRefusal(job.spec.template, namespace, snapshot);
  if (refusal !== undefined) return { ...none, refusal, events: [failedCreate(job, refusal)] };
  const wanted = makes.map((index) => jobPod(job, index, index === undefined ? undefined : heldBack.get(index)));
  return { ...none, ...makePods(job, wanted, snapshot, now) };
}

function jobAfter(view: JobView, work: JobWork, made: MadePods, verdict: JobVerdict | undefined, now: number): Job {
  const { job } = view;
  const status = statusAfter(view, work, made.pods, verdict, now);
  const annotations = made.annotations ?? job.metadata.annotations;
  const isOver = finishedCondition({ status }) !== undefined;
  // With a limit for each index, each index's Pods carry its failures.
  const backoff =
    isOver || hasLimitPerIndex(job) ? noBackoff : backoffWith(job.metadata.annotations, work.succeeded, work.failures);
  const kept = annotationsWith(annotations, backoff);
  const metadata = without(job.metadata, "annotations");
  return { ...job, metadata: kept === undefined ? metadata : { ...metadata, annotations: kept }, status };
}

function tellings(job: Job, updated: Job, verdict: JobVerdict | undefined): readonly DecisionEvent[] {
  const object = asObject(job);
  const suspension = suspensionTold(job, updated.status ?? {});
  const events: DecisionEvent[] =
    suspension === undefined
      ? []
      : [{ object, type: "Normal", reason: suspension, message: `Job ${suspension.toLowerCase()}` }];
  const ended = finishedCondition(updated);
  if (ended === undefined || verdict === undefined) return events;
  const { succeeded = 0 } = updated.status ?? {};
  if (ended.type === "Failed")
    return [...events, { object, type: "Warning", reason: verdict.reason, message: verdict.message }];
  if (succeeded > (job.spec.completions ?? succeeded)) {
    const message = "Too many succeeded pods running after completion count reached";
    events.push({ object, type: "Warning", reason: "TooManySucceededPods", message });
  }
  return [...events, { object, type: "Normal", reason: "Completed", message: "Job completed" }];
}

/** Adopted Pods are to be counted, released ones no more. */
function claimPods(job: Job, snapshot: Snapshot): readonly AnyObject[] {
  if (job.spec.selector === undefined) return [];
  const changed = claim(job, job.spec.selector, snapshot.list<Pod>("/Pod", job.metadata.namespace));
  return changed.map((object) => {
    const pod = object as unknown as Pod;
    return asObject(isControlledBy(pod, job) ? tracked(pod) : released(pod));
  });
}

function tracked(pod: Pod): Pod {
  const finalizers = [...new Set([...(pod.metadata.finalizers ?? []), trackingFinalizer])];
  return { ...pod, metadata: { ...pod.metadata, finalizers } };
}

/** Waits to be counted, and there is no Job that would: it is gone, has let go of the Pod, or is over. */
function isLeftOver(pod: Pod, snapshot: Snapshot): boolean {
  if (!isTracked(pod)) return false;
  const owner = controllerOf(pod);
  if (owner?.kind !== "Job") return true;
  const job = snapshot.get<Job>("batch/Job", pod.metadata.namespace ?? "", owner.name);
  return job?.metadata.uid !== owner.uid || finishedCondition(job) !== undefined;
}

function concerned(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  const object = now ?? before;
  if (object === undefined) return [];
  switch (groupKindOfObject(object)) {
    case "batch/Job":
      return [keyOfObject(object), ...leftOversOf(object, snapshot)];
    case "/Pod":
      return [before, now].flatMap((pod) => (pod === undefined ? [] : concernedByPod(pod as unknown as Pod, snapshot)));
    default:
      return [];
  }
}

function leftOversOf({ metadata }: AnyObject, snapshot: Snapshot): readonly ObjectKey[] {
  return snapshot
    .ownedBy<Pod>(metadata.uid ?? "", "/Pod")
    .filter((pod) => isLeftOver(pod, snapshot))
    .map(keyOfPod);
}

/** The Job of a Pod, or those that may adopt it. */
function concernedByPod(pod: Pod, snapshot: Snapshot): readonly ObjectKey[] {
  const owner = controllerOf(pod);
  const namespace = pod.metadata.namespace ?? "";
  const leftOver = isLeftOver(pod, snapshot) ? [keyOfPod(pod)] : [];
  if (owner?.kind === "Job") return [{ groupKind: "batch/Job", namespace, name: owner.name }, ...leftOver];
  if (owner !== undefined) return leftOver;
  const jobs = snapshot
    .list<Job>("batch/Job", namespace)
    .filter(({ spec }) => spec.selector !== undefined && matchesSelector(spec.selector, pod.metadata.labels ?? {}));
  return [...jobs.map((job) => keyOfObject(asObject(job))), ...leftOver];
}

function keyOfPod(pod: Pod): ObjectKey {
  return keyOfObject(asObject(pod));
}
