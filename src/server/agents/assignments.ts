import type { ikada } from "#proto/agent.js";
import { sameJson, without } from "../../api/json.js";
import type { AnyObject } from "../../api/object.js";
import { listAt, textAt, valueAt } from "../../api/path.js";
import type { Snapshot } from "../../objects/snapshot.js";

/** What a node is to run: its Pods, and the ConfigMaps and Secrets that they refer to and no others. */
export interface Assigned {
  /** By uid. */
  readonly pods: ReadonlyMap<string, AnyObject>;
  /** By `Kind/namespace/name`. */
  readonly objects: ReadonlyMap<string, AnyObject>;
  /** All that the Pods refer to, also what is not there. */
  readonly references: ReadonlySet<string>;
}

export const nothingAssigned: Assigned = { pods: new Map(), objects: new Map(), references: new Set() };

export function assignedTo(node: string, snapshot: Snapshot): Assigned {
  const pods = new Map<string, AnyObject>();
  const objects = new Map<string, AnyObject>();
  const references = new Set<string>();
  for (const pod of snapshot.podsOnNode(node)) {
    pods.set(pod.metadata.uid ?? "", pod);
    for (const reference of referencesOf(pod)) {
      references.add(reference);
      const [kind = "", namespace = "", name = ""] = reference.split("/");
      const object = snapshot.get(`/${kind}`, namespace, name);
      if (object) objects.set(reference, object);
    }
  }
  return { pods, objects, references };
}

/** True when this object's change may change what is assigned. */
export function concerns(node: string, assigned: Assigned, object: AnyObject): boolean {
  switch (object.kind) {
    case "Pod":
      return textAt(object, ["spec", "nodeName"]) === node;
    case "ConfigMap":
    case "Secret":
      return assigned.references.has(referenceTo(object.kind, object.metadata.namespace ?? "", object.metadata.name));
    default:
      return false;
  }
}

export interface Difference {
  readonly pods: readonly AnyObject[];
  readonly removedUids: readonly string[];
  readonly objects: readonly AnyObject[];
  readonly removedObjects: readonly string[];
}

/** Undefined when the agent has nothing to learn: a status that it reported itself is no news to it. */
export function differenceOf(before: Assigned, after: Assigned): Difference | undefined {
  const pods = [...after.pods].filter(([uid, pod]) => !sameForAgent(before.pods.get(uid), pod)).map(([, pod]) => pod);
  const objects = [...after.objects]
    .filter(([key, object]) => before.objects.get(key)?.metadata.resourceVersion !== object.metadata.resourceVersion)
    .map(([, object]) => object);
  const removedUids = [...before.pods.keys()].filter((uid) => !after.pods.has(uid));
  const removedObjects = [...before.objects.keys()].filter((key) => !after.objects.has(key));
  if (pods.length + objects.length + removedUids.length + removedObjects.length === 0) return undefined;
  return { pods, objects, removedUids, removedObjects };
}

export function encodePod(pod: AnyObject): ikada.agent.v1.IAssignedPod {
  const bytes = encoder.encode(JSON.stringify({ ...pod, metadata: without(pod.metadata, "managedFields") }));
  return { uid: pod.metadata.uid ?? "", revision: Number(pod.metadata.resourceVersion), json: bytes };
}

export function encodeReferenced(object: AnyObject): ikada.agent.v1.IAssignedObject {
  const { namespace = "", name, resourceVersion } = object.metadata;
  const bytes = encoder.encode(JSON.stringify({ ...object, metadata: without(object.metadata, "managedFields") }));
  return { kind: object.kind, namespace, name, revision: Number(resourceVersion), json: bytes };
}

export function encodeRemoved(reference: string): ikada.agent.v1.IRemovedObject {
  const [kind = "", namespace = "", name = ""] = reference.split("/");
  return { kind, namespace, name };
}

function sameForAgent(before: AnyObject | undefined, after: AnyObject): boolean {
  return before !== undefined && (before === after || sameJson(forAgent(before), forAgent(after)));
}

function forAgent(pod: AnyObject): unknown {
  const metadata = without(pod.metadata, "managedFields", "resourceVersion");
  return { ...without(pod, "status"), metadata, gates: gatesOf(pod) };
}

/** What others say of a Pod that its readiness waits for. */
function gatesOf(pod: AnyObject): readonly string[] {
  const gates = new Set(listAt(pod, "spec", "readinessGates").map((gate) => textAt(gate, ["conditionType"])));
  return listAt(pod, "status", "conditions")
    .filter((condition) => gates.has(textAt(condition, ["type"])))
    .map((condition) => `${textAt(condition, ["type"])}=${textAt(condition, ["status"])}`);
}

/** Environment variables and volumes, of init containers too. */
function referencesOf(pod: AnyObject): ReadonlySet<string> {
  const namespace = pod.metadata.namespace ?? "";
  const found = new Set<string>();
  const add = (kind: string, name: unknown) => {
    if (typeof name === "string" && name !== "") found.add(referenceTo(kind, namespace, name));
  };
  for (const field of ["initContainers", "containers"]) {
    for (const container of listAt(pod, "spec", field)) {
      for (const variable of listAt(container, "env")) {
        add("ConfigMap", valueAt(variable, "valueFrom", "configMapKeyRef", "name"));
        add("Secret", valueAt(variable, "valueFrom", "secretKeyRef", "name"));
      }
      for (const source of listAt(container, "envFrom")) {
        add("ConfigMap", valueAt(source, "configMapRef", "name"));
        add("Secret", valueAt(source, "secretRef", "name"));
      }
    }
  }
  for (const volume of listAt(pod, "spec", "volumes")) {
    add("ConfigMap", valueAt(volume, "configMap", "name"));
    add("Secret", valueAt(volume, "secret", "secretName"));
    for (const source of listAt(volume, "projected", "sources")) {
      add("ConfigMap", valueAt(source, "configMap", "name"));
      add("Secret", valueAt(source, "secret", "name"));
    }
  }
  for (const secret of listAt(pod, "spec", "imagePullSecrets")) add("Secret", valueAt(secret, "name"));
  return found;
}

function referenceTo(kind: string, namespace: string, name: string): string {
  return `${kind}/${namespace}/${name}`;
}

const encoder = new TextEncoder();
