import type { ControllerRevision, StatefulSet, StatefulSetStatus } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import { becameReady, historyOf, labelOf, templateOf, type History } from "./history.js";
import type { WantedPod } from "./make-pods.js";
import type { PodSaying } from "./pod-events.js";
import { asObject, availableFrom, isActive, isCrashing, isReady, isTerminating } from "./pod-state.js";
import { claimsOf, collided, finish, first, podsOf, revisionOf } from "./set-step.js";
import { earliest } from "./set-view.js";
import { planStatefulSet, revisionAt, type StatefulPlan } from "./stateful-plan.js";
import { isNamedBy, podName, wantedPod, withIdentity } from "./stateful-pods.js";
import { statefulSetsOf } from "./wakes.js";

/**
 * StatefulSet → Pods and ControllerRevisions. Each step is one transaction: the Pods it makes or deletes, the revision it needs and
 * the set's status. A Pod is made under the condition that no object has its name, and an object goes only when its node
 * has confirmed that its containers are gone: so no two Pods of one name ever run.
 */
export const statefulSetController: Controller = {
  name: "statefulset",
  wakes: statefulSetsOf,
  keys: (snapshot) => snapshot.list("apps/StatefulSet").map(keyOfObject),
  reconcile(key: ObjectKey, world: World): Decision {
    const set = world.snapshot.get<StatefulSet>("apps/StatefulSet", key.namespace, key.name);
    return set === undefined ? {} : decide(set, world);
  },
};

/** With the value "true" on a StatefulSet, Pods that are to be replaced are waited for even when they never were ready: as in Kubernetes. */
export const waitsAnnotation = "ikada.dev/wait-for-unready-revisions";

function decide(set: StatefulSet, world: World): Decision {
  const { snapshot, now } = world;
  const claimed = claimsOf(set, snapshot, (pod) => isNamedBy(set, pod));
  if (claimed.length > 0) return first(set, claimed);
  const pods = podsOf(set, snapshot);
  const nameless = pods.flatMap((pod) => (isTerminating(pod) ? [] : (withIdentity(pod) ?? [])));
  if (nameless.length > 0 && !isTerminating(set)) return first(set, nameless.map(asObject));
  const history = historyOf(set, snapshot, now);
  if (history === undefined) return collided(set, { replicas: 0 });

  const availableAt = (pod: Pod): number =>
    availableFrom(pod, set.spec.minReadySeconds ?? 0) ?? Number.POSITIVE_INFINITY;
  const isAvailable = (pod: Pod): boolean => availableAt(pod) <= now;
  const ready = new Set(pods.filter(isAvailable).map(revisionOf));
  const isHopeless = hopelessness(set, history, ready);
  const update = labelOf(history.update);
  const plan = isTerminating(set) ? nothing : planStatefulSet({ set, pods, update, isAvailable, isHopeless, now });
  const current =
    history.revisions.find(({ metadata }) => metadata.name === set.status?.currentRevision) ?? history.update;
  const statusWith = (after: readonly Pod[]): StatefulSetStatus =>
    completed(set, counted(set, after, { current, update: history.update }, isAvailable));
  const soon = pods.map(availableAt).filter((at) => at > now && at < Number.POSITIVE_INFINITY);
  return finish(
    {
      set,
      pods,
      history,
      ...missing(set, plan, { current, update: history.update }, snapshot),
      victims: plan.victims,
      statusWith,
      ready,
      kept: (status) => status.currentRevision,
      created: saying(set, "create"),
      deleted: saying(set, "delete"),
      events: plan.given.map((pod) => skipped(set, pod)),
      wakeAt: earliest(plan.wakeAt, ...soon),
    },
    world,
  );
}

const nothing: StatefulPlan = { creates: [], victims: [], given: [], wakeAt: undefined };

/** Whether waiting for a Pod gains nothing: no Pod of its revision has ever been available, no node takes it, it can't be started, or it keeps ending. */
function hopelessness(set: StatefulSet, history: History, ready: ReadonlySet<string>): (pod: Pod) => boolean {
  if (set.metadata.annotations?.[waitsAnnotation] === "true") return () => false;
  const unready = new Set(
    history.revisions.filter((one) => !becameReady(one) && !ready.has(labelOf(one))).map(labelOf),
  );
  return (pod) => unready.has(revisionOf(pod)) || (pod.spec.nodeName ?? "") === "" || isCrashing(pod);
}

interface Revisions {
  readonly current: ControllerRevision;
  readonly update: ControllerRevision;
}

/** The Pods that the plan wants made. A name that something else has is not to be had. */
function missing(
  set: StatefulSet,
  plan: StatefulPlan,
  revisions: Revisions,
  snapshot: Snapshot,
): { readonly wanted: readonly WantedPod[]; readonly refusal: string | undefined } {
  const isTaken = (ordinal: number): boolean =>
    snapshot.get("/Pod", set.metadata.namespace ?? "", podName(set, ordinal)) !== undefined;
  const taken = plan.creates.find(isTaken);
  const free = plan.creates.filter((ordinal) => !isTaken(ordinal));
  return {
    wanted: free.map((ordinal) => {
      const revision = revisions[revisionAt(set, ordinal)];
      return wantedPod(set, ordinal, revision, templateOf(revision) ?? set.spec.template);
    }),
    refusal:
      taken === undefined
        ? undefined
        : `pods "${podName(set, taken)}" already exists and is not of this StatefulSet; delete it, or give it labels that match`,
  };
}

function counted(
  set: StatefulSet,
  pods: readonly Pod[],
  { current, update }: Revisions,
  isAvailable: (pod: Pod) => boolean,
): StatefulSetStatus {
  const of = (revision: ControllerRevision): number =>
    pods.filter((pod) => !isTerminating(pod) && revisionOf(pod) === labelOf(revision)).length;
  return {
    ...set.status,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    replicas: pods.length,
    readyReplicas: pods.filter((pod) => isActive(pod) && isReady(pod)).length,
    availableReplicas: pods.filter(isAvailable).length,
    currentReplicas: of(current),
    updatedReplicas: of(update),
    currentRevision: current.metadata.name,
    updateRevision: update.metadata.name,
    collisionCount: set.status?.collisionCount ?? 0,
  };
}

/** When all Pods are of the new template and ready, it is the current one. */
function completed(set: StatefulSet, status: StatefulSetStatus): StatefulSetStatus {
  const replicas = set.spec.replicas ?? 1;
  const { updatedReplicas = 0, updateRevision = "" } = status;
  const counts = [updatedReplicas, status.readyReplicas, status.replicas];
  if (set.spec.updateStrategy?.type === "OnDelete" || counts.some((count) => count !== replicas)) return status;
  return { ...status, currentReplicas: updatedReplicas, currentRevision: updateRevision };
}

function saying(set: StatefulSet, verb: string): PodSaying {
  return (name) => `${verb} Pod ${name} in StatefulSet ${set.metadata.name} successful`;
}

function skipped(set: StatefulSet, pod: Pod): DecisionEvent {
  const message = `Pod ${pod.metadata.name} is replaced and not waited for: its revision ${revisionOf(pod)} was never ready, or it can't run`;
  return { object: asObject(set), type: "Warning", reason: "UnreadyRevisionSkipped", message };
}
