import type { Namespace } from "../api/kinds/core.js";
import { groupKindOf } from "../api/kind.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject, kinds } from "../api/registry.js";
import { updateOrFinish } from "../objects/delete-object.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { toTimestamp } from "../api/time.js";
import { objectsPerDecisionMax } from "./bounds.js";
import type { Controller, Decision, World } from "./controller.js";
import { deletion } from "./deletion.js";
import { derivedUid } from "../objects/derived-id.js";
import { asObject, isTerminating } from "./pod-state.js";

/** Sees to it that the default Namespace is there, and empties Namespaces that are being deleted before they go. */
export const namespaceController: Controller = {
  name: "namespace",
  wakes: concerned,
  keys: (snapshot) => [keyOfNamespace(defaultName), ...snapshot.list("/Namespace").map(keyOfObject)],
  reconcile(key: ObjectKey, world: World): Decision {
    const namespace = world.snapshot.get<Namespace>("/Namespace", "", key.name);
    if (namespace !== undefined) return isTerminating(namespace) ? empty(namespace, world) : {};
    return key.name === defaultName ? { changes: { ...noChanges, creates: [makeDefault(world)] } } : {};
  },
};

const defaultName = "default";
const ownFinalizer = "kubernetes";

/** What makes other objects goes before what it makes; what only tells of others goes last. */
const order: readonly string[] = [
  "apps/Deployment",
  "apps/StatefulSet",
  "apps/DaemonSet",
  "batch/CronJob",
  "apps/ReplicaSet",
  "batch/Job",
  "/Pod",
];

function empty(namespace: Namespace, { snapshot, now }: World): Decision {
  const contents = contentsOf(namespace.metadata.name, snapshot);
  if (contents.length > 0) {
    const open = contents.filter((object) => !isTerminating(object)).slice(0, objectsPerDecisionMax);
    const changes = mergeChanges(open.map((object) => deletion(object, now)));
    return isEmpty(changes) ? {} : { changes };
  }
  const finalizers = (namespace.spec.finalizers ?? []).filter((name) => name !== ownFinalizer);
  const freed: Namespace = { ...namespace, spec: { ...namespace.spec, finalizers } };
  const changes = updateOrFinish(asObject(freed));
  return (namespace.spec.finalizers ?? []).includes(ownFinalizer) || changes.removes.length > 0 ? { changes } : {};
}

function contentsOf(name: string, snapshot: Snapshot): readonly AnyObject[] {
  const namespaced = kinds.filter((kind) => kind.namespaced).map(groupKindOf);
  const rank = (groupKind: string): number => (order.includes(groupKind) ? order.indexOf(groupKind) : order.length);
  return namespaced
    .sort((left, right) => rank(left) - rank(right))
    .flatMap((groupKind) => snapshot.list(groupKind, name));
}

function makeDefault({ now }: World): AnyObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name: defaultName,
      uid: derivedUid("Namespace", defaultName, now),
      generation: 1,
      creationTimestamp: toTimestamp(now),
      labels: { "kubernetes.io/metadata.name": defaultName },
    },
    spec: { finalizers: [ownFinalizer] },
    status: { phase: "Active" },
  };
}

/** The Namespace itself, and one that is being emptied when something in it changed. */
function concerned(
  before: AnyObject | undefined,
  now: AnyObject | undefined,
  snapshot: Snapshot,
): readonly ObjectKey[] {
  const object = now ?? before;
  if (object === undefined) return [];
  if (groupKindOfObject(object) === "/Namespace") return [keyOfObject(object)];
  const { namespace } = object.metadata;
  if (namespace === undefined) return [];
  const found = snapshot.get<Namespace>("/Namespace", "", namespace);
  return found !== undefined && isTerminating(found) ? [keyOfNamespace(namespace)] : [];
}

function keyOfNamespace(name: string): ObjectKey {
  return { groupKind: "/Namespace", namespace: "", name };
}
