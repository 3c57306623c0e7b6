import type { Node, Taint } from "../api/kinds/core.js";
import type { Pod, Toleration } from "../api/kinds/pod.js";
import { sameJson } from "../api/json.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { tolerates } from "../api/toleration.js";
import { fromTimestamp } from "../api/time.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import type { Controller, Decision, World } from "./controller.js";
import { deletion } from "./deletion.js";
import { asObject, disrupted, isActive, notReadyTaint, unreachableTaint } from "./pod-state.js";
import { earliest } from "./set-view.js";
import type { ControllerSettings } from "./settings.js";

/**
 * Deletes Pods from nodes with NoExecute taints that they do not tolerate, or not for longer: Kubernetes'
 * pkg/controller/tainteviction. Tolerations of a Pod's own count; for the two taints of a lost node there is a default.
 */
export function taintEvictionController(settings: ControllerSettings): Controller {
  return {
    name: "taint-eviction",
    wakes: nodesConcerned,
    keys: (snapshot) => snapshot.list("/Node").map(keyOfObject),
    reconcile(key: ObjectKey, world: World): Decision {
      const node = world.snapshot.get<Node>("/Node", "", key.name);
      const taints = (node?.spec.taints ?? []).filter((taint) => taint.effect === "NoExecute");
      return node === undefined || taints.length === 0 ? {} : evict(node, taints, world, settings);
    },
  };
}

const toleratesNot = "Taint manager: deleting due to NoExecute taint";

/** Each with its event. */
const podsPerDecisionMax = objectsPerDecisionMax / 2;

function evict(node: Node, taints: readonly Taint[], world: World, settings: ControllerSettings): Decision {
  const { snapshot, now } = world;
  const due: Pod[] = [];
  let wakeAt: number | undefined;
  for (const pod of snapshot.podsOnNode<Pod>(node.metadata.name)) {
    if (!isActive(pod)) continue;
    const at = evictionAt(pod, taints, now, settings);
    if (at === undefined) continue;
    if (at <= now && due.length < podsPerDecisionMax) due.push(pod);
    else wakeAt = earliest(wakeAt, at);
  }
  const self = { ...keyOfObject(asObject(node)), resourceVersion: node.metadata.resourceVersion ?? "" };
  const changes = mergeChanges([
    { ...noChanges, unchanged: [self] },
    ...due.map((pod) => deletion(asObject(disrupted(pod, "DeletionByTaintManager", toleratesNot, now)), now)),
  ]);
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    events: due.map((pod) => ({
      object: asObject(pod),
      type: "Normal",
      reason: "TaintManagerEviction",
      message: `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}`,
    })),
  };
}

/** When the Pod has to go; undefined when it may stay. */
function evictionAt(pod: Pod, taints: readonly Taint[], now: number, settings: ControllerSettings): number | undefined {
  let at: number | undefined;
  const tolerations = [...(pod.spec.tolerations ?? []), ...defaultTolerations(pod, settings)];
  for (const taint of taints) {
    const used = tolerations.filter((toleration) => tolerates(toleration, taint));
    if (used.length === 0) return now;
    // As in Kubernetes, the shortest of the tolerations in use counts; one without a time is for ever.
    const seconds = used.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
    if (seconds.length === 0) continue;
    const since = fromTimestamp(taint.timeAdded ?? "") ?? now;
    at = earliest(at, since + Math.max(0, Math.min(...seconds)) * 1000);
  }
  return at;
}

/** What admission adds to every Pod in Kubernetes, unless it says something about the taint itself. */
function defaultTolerations(pod: Pod, settings: ControllerSettings): readonly Toleration[] {
  const own = pod.spec.tolerations ?? [];
  const add = (key: string, tolerationSeconds: number): readonly Toleration[] =>
    own.some((toleration) => tolerates(toleration, { key, effect: "NoExecute" }))
      ? []
      : [{ key, operator: "Exists", effect: "NoExecute", tolerationSeconds }];
  return [
    ...add(notReadyTaint, settings.defaultNotReadyTolerationSeconds),
    ...add(unreachableTaint, settings.defaultUnreachableTolerationSeconds),
  ];
}

function nodesConcerned(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  if (now === undefined) return [];
  if (groupKindOfObject(now) === "/Node") {
    const taints = (object: AnyObject | undefined): unknown => (object as Node | undefined)?.spec.taints ?? [];
    return sameJson(taints(before), taints(now)) ? [] : [keyOfObject(now)];
  }
  if (groupKindOfObject(now) !== "/Pod" || isSettled(before, now)) return [];
  const node = snapshot.get<Node>("/Node", "", (now as unknown as Pod).spec.nodeName ?? "");
  return node === undefined ? [] : [keyOfObject(asObject(node))];
}

/** Nothing of the Pod that evictions depend on has changed. */
function isSettled(before: AnyObject | undefined, now: AnyObject): boolean {
  if (before === undefined) return false;
  const [was, is] = [(before as unknown as Pod).spec, (now as unknown as Pod).spec];
  return was.nodeName === is.nodeName && sameJson(was.tolerations ?? [], is.tolerations ?? []);
}
