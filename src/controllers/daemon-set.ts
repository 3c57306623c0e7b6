import type { DaemonSet, DaemonSetStatus } from "../api/kinds/apps.js";
import type { Node } from "../api/kinds/core.js";
import type { Pod } from "../api/kinds/pod.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey } from "../objects/snapshot.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import { byAge, planDaemonSet, podsByNode, type DaemonPlan } from "./daemon-plan.js";
import { nodeOf, suits, wantedPod } from "./daemon-pods.js";
import { historyOf, labelOf, templateOf } from "./history.js";
import { createdPod, deletedPod } from "./pod-events.js";
import { asObject, availableFrom, isActive, isReady, isTerminating } from "./pod-state.js";
import { claimsOf, collided, finish, first, podsOf, revisionOf } from "./set-step.js";
import { earliest } from "./set-view.js";
import { daemonSetsOf } from "./wakes.js";

/**
 * DaemonSet → a Pod for each node and ControllerRevisions. The scheduler binds the Pods, each to the node that its affinity names, so that
 * they are held to the room there is as all others. Each step is one transaction with the set's status.
 */
export const daemonSetController: Controller = {
  name: "daemonset",
  wakes: daemonSetsOf,
  keys: (snapshot) => snapshot.list("apps/DaemonSet").map(keyOfObject),
  reconcile(key: ObjectKey, world: World): Decision {
    const set = world.snapshot.get<DaemonSet>("apps/DaemonSet", key.namespace, key.name);
    return set === undefined ? {} : decide(set, world);
  },
};

function decide(set: DaemonSet, world: World): Decision {
  const { snapshot, now } = world;
  const claimed = claimsOf(set, snapshot);
  if (claimed.length > 0) return first(set, claimed);
  const history = historyOf(set, snapshot, now);
  if (history === undefined) return collided(set, noStatus);

  const pods = podsOf(set, snapshot);
  const nodes = snapshot.list<Node>("/Node");
  const availableAt = (pod: Pod): number =>
    availableFrom(pod, set.spec.minReadySeconds ?? 0) ?? Number.POSITIVE_INFINITY;
  const isAvailable = (pod: Pod): boolean => availableAt(pod) <= now;
  const update = labelOf(history.update);
  const plan = isTerminating(set) ? nothing : planDaemonSet({ set, nodes, pods, update, isAvailable, now });
  const template = templateOf(history.update) ?? set.spec.template;
  const soon = pods.map(availableAt).filter((at) => at > now && at < Number.POSITIVE_INFINITY);
  return finish(
    {
      set,
      pods,
      history,
      wanted: plan.creates.map(({ node, failures }) => wantedPod(template, update, node, failures)),
      refusal: undefined,
      victims: plan.victims,
      statusWith: (after) => counted(set, nodes, after, update, isAvailable),
      ready: new Set(pods.filter(isAvailable).map(revisionOf)),
      kept: () => undefined,
      created: createdPod,
      deleted: deletedPod,
      events: plan.failed.map((pod) => failed(set, pod)),
      wakeAt: earliest(plan.wakeAt, ...soon),
    },
    world,
  );
}

const nothing: DaemonPlan = { creates: [], victims: [], failed: [], wakeAt: undefined };
const noStatus: DaemonSetStatus = {
  desiredNumberScheduled: 0,
  currentNumberScheduled: 0,
  numberMisscheduled: 0,
  numberReady: 0,
};

/** Of several Pods on a node the oldest one counts. */
function counted(
  set: DaemonSet,
  nodes: readonly Node[],
  pods: readonly Pod[],
  update: string,
  isAvailable: (pod: Pod) => boolean,
): DaemonSetStatus {
  const byNode = podsByNode(pods);
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, updated: 0, available: 0 };
  for (const node of nodes) {
    const [oldest] = (byNode.get(node.metadata.name) ?? []).toSorted(byAge);
    if (!suits(set, node).runs) {
      counts.misscheduled += oldest === undefined ? 0 : 1;
      continue;
    }
    counts.desired += 1;
    if (oldest === undefined) continue;
    counts.current += 1;
    if (isActive(oldest) && isReady(oldest)) counts.ready += 1;
    if (isAvailable(oldest)) counts.available += 1;
    if (revisionOf(oldest) === update) counts.updated += 1;
  }
  return {
    ...set.status,
    ...(set.metadata.generation === undefined ? {} : { observedGeneration: set.metadata.generation }),
    desiredNumberScheduled: counts.desired,
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    numberReady: counts.ready,
    updatedNumberScheduled: counts.updated,
    numberAvailable: counts.available,
    numberUnavailable: counts.desired - counts.available,
    collisionCount: set.status?.collisionCount ?? 0,
  };
}

function failed(set: DaemonSet, pod: Pod): DecisionEvent {
  const { name, namespace = "" } = pod.metadata;
  const message = `Found failed daemon pod ${namespace}/${name} on node ${nodeOf(pod)}, will try to kill it`;
  return { object: asObject(set), type: "Warning", reason: "FailedDaemonPod", message };
}
