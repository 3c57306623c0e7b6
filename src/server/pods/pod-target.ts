import type { AnyObject } from "../../api/object.js";
import { listAt, textAt } from "../../api/path.js";
import { IkadaError } from "../../base/errors.js";
import { decodeRecord } from "../../objects/encode.js";
import { storeKey } from "../../objects/keys.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requestedKey } from "../resources/requested-kind.js";

/** A Pod that runs on a node. */
export interface PodTarget {
  readonly pod: AnyObject;
  readonly uid: string;
  readonly node: string;
  /** For errors: `pods "web"`. */
  readonly object: string;
}

export interface PodReference {
  readonly namespace: string;
  readonly pod: string;
}

/** @throws IkadaError NotFound, BadRequest when it runs on no node yet */
export async function findTarget(store: Store, { namespace, pod: name }: PodReference, call: Call): Promise<PodTarget> {
  const { key } = requestedKey({ group: "", version: "v1", kind: "Pod", namespace, name });
  const at = storeKey(key);
  const object = `pods "${name}"`;
  // A Pod that is known here needs no leader, so that it can be looked into while there is none.
  if (!store.peek(at)) await store.barrier(call.wait);
  const record = store.peek(at);
  if (!record) throw new IkadaError("NotFound", `${object} not found`, { object });
  const pod = decodeRecord(record);
  const node = textAt(pod, ["spec", "nodeName"]);
  if (node === "") {
    throw new IkadaError("BadRequest", `${object} runs on no node yet`, { object, hint: "wait until it is scheduled" });
  }
  return { pod, node, object, uid: pod.metadata.uid ?? "" };
}

/** The container that is meant; without a name the only one, or that of the annotation `kubectl.kubernetes.io/default-container`. @throws IkadaError BadRequest */
export function chosenContainer(pod: AnyObject, wanted: string): string {
  const [containers = [], initContainers = []] = ["containers", "initContainers"].map((field) =>
    listAt(pod, "spec", field).map((container) => textAt(container, ["name"])),
  );
  const object = `pods "${pod.metadata.name}"`;
  const hint = `choose one of ${[...containers, ...initContainers].join(", ")}`;
  if (wanted !== "") {
    if (containers.includes(wanted) || initContainers.includes(wanted)) return wanted;
    throw new IkadaError("BadRequest", `container "${wanted}" is not in ${object}`, { object, hint });
  }
  const [only, ...others] = containers;
  if (only !== undefined && others.length === 0) return only;
  const preferred = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (preferred !== undefined && containers.includes(preferred)) return preferred;
  throw new IkadaError("BadRequest", `${object} has ${containers.length} containers and none was named`, {
    object,
    hint,
  });
}
