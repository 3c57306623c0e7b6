import type { ikada } from "#proto/api.js";
import { objectName } from "../../api/kind.js";
import type { KindDefinition } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { valueAt } from "../../api/path.js";
import { checkPreconditions } from "../../api/preconditions.js";
import { decodeScale, scaleOf, scaleSchema } from "../../api/scale.js";
import type { WantedScale } from "../../api/scale.js";
import { IkadaError } from "../../base/errors.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { commitWrite } from "./commit.js";
import type { Plan, WriteRequest } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { PatchDocument } from "./patch-document.js";
import { requestedReference } from "./reference.js";
import { requireScale } from "./subresource.js";
import { liveObject, planUpdate } from "./update.js";
import { scaleToWire } from "./wire.js";
import { writeResponse } from "./write-response.js";

/** Sets spec.replicas. @throws IkadaError NotFound, Unsupported, Conflict when current_replicas is not the present number */
export async function scaleObject(
  store: Store,
  request: ikada.api.v1.ScaleRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireScale(kind);
  const { replicas, currentReplicas } = request;
  if (replicas < 0) throw new IkadaError("BadRequest", `${replicas} replicas can't be`);
  const manager = managerOf(request.options, call);
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read) => {
      const live = liveObject(kind, key, read);
      const present = valueAt(live, "spec", "replicas");
      if (typeof currentReplicas === "number" && present !== currentReplicas) {
        const object = objectName(kind, key.name);
        throw new IkadaError("Conflict", `${object} has ${String(present)} replicas, not ${currentReplicas}`, {
          object,
        });
      }
      return planScale(kind, live, replicas, manager);
    },
  });
  return writeResponse(written, [], false);
}

/** As Update of the subresource scale: the object's json is a Scale. @throws IkadaError NotFound, Unsupported, Invalid, Conflict */
export async function updateScale(
  store: Store,
  request: ikada.api.v1.UpdateRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.object);
  requireScale(kind);
  const scale = decodeScale(parseScale(request.object?.json ?? new Uint8Array()));
  return writeScale({ store, call, kind, key, options: request.options, wanted: () => scale });
}

/** As Patch of the subresource scale: the patch is one of the Scale. @throws IkadaError NotFound, Unsupported, Invalid, Conflict */
export async function patchScale(
  store: Store,
  request: ikada.api.v1.PatchRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireScale(kind);
  const patch = new PatchDocument(request);
  const wanted = (live: AnyObject): WantedScale => decodeScale(patch.appliedTo(scaleOf(live), scaleSchema));
  return writeScale({ store, call, kind, key, options: request.options, wanted });
}

interface ScaleWrite extends Pick<WriteRequest, "store" | "call" | "options"> {
  readonly kind: KindDefinition;
  readonly key: ObjectKey;
  readonly wanted: (live: AnyObject) => WantedScale;
}

/** Of a Scale only the number of replicas counts, beside what it says of the object's identity. */
async function writeScale({ kind, key, wanted, ...write }: ScaleWrite): Promise<ikada.api.v1.IWriteResponse> {
  const manager = managerOf(write.options, write.call);
  const written = await commitWrite({
    ...write,
    keyOf: () => key,
    decide: (read) => {
      const live = liveObject(kind, key, read);
      const { metadata, replicas } = wanted(live);
      const { name = key.name, namespace = key.namespace } = metadata;
      if (name !== key.name || namespace !== key.namespace) {
        throw new IkadaError(
          "BadRequest",
          `the Scale is of "${namespace}/${name}", not of "${key.namespace}/${key.name}"`,
        );
      }
      checkPreconditions(live, metadata);
      return planScale(kind, live, replicas, manager);
    },
  });
  const { object, ...answer } = writeResponse(written, [], false);
  return { ...answer, ...(object && { object: scaleToWire(object) }) };
}

function planScale(kind: KindDefinition, live: AnyObject, replicas: number, manager: string): Plan {
  const wanted: AnyObject = { ...live, spec: { ...(live["spec"] as object | undefined), replicas } };
  return planUpdate(kind, live, wanted, { manager, now: Date.now(), subresource: "scale" });
}

function parseScale(bytes: Uint8Array): unknown {
  if (bytes.length > scaleBytesMax) {
    throw new IkadaError("TooLarge", `a Scale of ${bytes.length} bytes; ${scaleBytesMax} are allowed`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new IkadaError("BadRequest", "the Scale is not JSON", {}, error);
  }
}

/** A Scale is small; metadata that was copied with it may be not. */
const scaleBytesMax = 64 * 1024;
