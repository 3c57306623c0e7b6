import type { ReplicaSet, ReplicaSetStatus } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import { matchesSelector } from "../api/selector.js";
import { deletion } from "./deletion.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import { claim } from "./claims.js";
import { withReplicaFailure } from "./conditions.js";
import type { Controller, Decision, World } from "./controller.js";
import { sameJson } from "../api/json.js";
import { pinImages, pinnedTemplate } from "./image-pins.js";
import { makePods, type WantedPod } from "./make-pods.js";
import { podRefusal, refusedLookMs } from "./pod-admission.js";
import { createdPod, deletedPod, failedCreate, podEvents, strayedPods } from "./pod-events.js";
import { asObject, decidedFrom, isActive, isNamespaceOpen, isTerminating, namespaceGuard } from "./pod-state.js";
import { allowanceOf, type Allowance } from "./replica-budget.js";
import { earliest, readiness } from "./set-view.js";
import { replicaSetsOf } from "./wakes.js";

/**
 * ReplicaSet → Pods: Kubernetes' pkg/controller/replicaset. All missing Pods are one transaction (up to a bound; Kubernetes' is 500), together with the
 * set's status and its count of Pods made. Its expectations and slow start have no counterpart: the snapshot shows every
 * committed entry, and a create that the store would refuse is refused as a whole.
 */
export const replicaSetController: Controller = {
  name: "replicaset",
  wakes: replicaSetsOf,
  keys: (snapshot) => snapshot.list("apps/ReplicaSet").map(keyOfObject),
  reconcile(key: ObjectKey, world: World): Decision {
    const set = world.snapshot.get<ReplicaSet>("apps/ReplicaSet", key.namespace, key.name);
    return set === undefined ? {} : decide(set, world);
  },
};

/** Pods that are told their images in one decision that does nothing else. */
const toldMax = 100;

function decide(set: ReplicaSet, world: World): Decision {
  const { snapshot, now } = world;
  const self = decidedFrom(set);
  const candidates = snapshot.list<Pod>("/Pod", set.metadata.namespace).filter(isActive);
  const claimed = claim(set, set.spec.selector, candidates);
  if (claimed.length > 0)
    return { changes: { ...noChanges, updates: claimed.slice(0, objectsPerDecisionMax), unchanged: [self] } };

  const allowance = allowanceOf(set, snapshot, now);
  const manages = !isTerminating(set);
  const open = manages && isNamespaceOpen(snapshot, set.metadata.namespace ?? "");
  const refusal =
    open && allowance.creates > 0 ? podRefusal(set.spec.template, set.metadata.namespace ?? "", snapshot) : undefined;
  const victims = manages ? allowance.victims.slice(0, objectsPerDecisionMax) : [];
  const going = new Set(victims);
  const staying = manages ? allowance.view.active.filter((pod) => !going.has(pod)) : [];
  const pinned = pinImages(set, set.spec.template, staying, now);
  const made =
    open && refusal === undefined
      ? makePods(
          pinned.owner,
          wantedPods(pinned.owner, Math.min(allowance.creates, objectsPerDecisionMax)),
          snapshot,
          now,
        )
      : { pods: [], annotations: undefined };
  const told = pinned.pods.slice(0, Math.max(0, toldMax - victims.length - made.pods.length));
  const status = withReplicaFailure(statusAfter(set, allowance, made.pods, victims, now), refusal, now);

  const updated: ReplicaSet = {
    ...set,
    metadata: {
      ...pinned.owner.metadata,
      ...(made.annotations === undefined ? {} : { annotations: made.annotations }),
    },
    status,
  };
  const changed = !sameJson(updated, set);
  const changes = mergeChanges([
    {
      creates: made.pods.map(asObject),
      updates: [...(changed ? [asObject(updated)] : []), ...told.map(asObject)],
      removes: [],
      unchanged: [
        ...(changed ? [] : [self]),
        ...(made.pods.length > 0 || victims.length > 0 ? allowance.rivals.map(decidedFrom) : []),
        ...(made.pods.length > 0 ? namespaceGuard(snapshot, set.metadata.namespace ?? "") : []),
      ],
    },
    ...victims.map((pod) => deletion(asObject(pod), now)),
  ]);
  const lookAgainAt = refusal === undefined ? undefined : now + refusedLookMs;
  const wakeAt = earliest(allowance.view.nextAvailableAt, allowance.wakeAt, lookAgainAt, pinned.wakeAt);
  const isNewRefusal = refusal !== undefined && !sameJson(status.conditions, set.status?.conditions);
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    events: [
      ...podEvents(set, made.pods, "SuccessfulCreate", createdPod),
      ...podEvents(set, victims, "SuccessfulDelete", deletedPod),
      ...strayedPods(pinned.strayed),
      ...(isNewRefusal ? [failedCreate(set, refusal)] : []),
    ],
  };
}

function wantedPods(set: ReplicaSet, count: number): readonly WantedPod[] {
  const template = pinnedTemplate(set, set.spec.template);
  return Array.from({ length: count }, () => ({ template }));
}

/** The counts as they are when this decision is committed. */
function statusAfter(
  set: ReplicaSet,
  { view }: Allowance,
  made: readonly Pod[],
  victims: readonly Pod[],
  now: number,
): ReplicaSetStatus {
  const gone = new Set(victims);
  const left = view.active.filter((pod) => !gone.has(pod));
  const labels = set.spec.template.metadata?.labels ?? {};
  const after = readiness(set, left, now);
  return {
    ...set.status,
    replicas: left.length + made.length,
    fullyLabeledReplicas:
      made.length + left.filter((pod) => matchesSelector({ matchLabels: labels }, pod.metadata.labels)).length,
    readyReplicas: after.ready,
    availableReplicas: after.available,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
  };
}
