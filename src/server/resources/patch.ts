import { ikada } from "#proto/api.js";
import { jsonDepth } from "../../api/decode.js";
import { jsonPatch } from "../../api/json-patch.js";
import type { KindDefinition } from "../../api/kind.js";
import { mergePatch } from "../../api/merge-patch.js";
import type { AnyObject } from "../../api/object.js";
import { checkPreconditions } from "../../api/preconditions.js";
import { strategicMergePatch } from "../../api/strategic-merge-patch.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { admitValue, keyOfAdmitted } from "./admission.js";
import { commitWrite } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { requestedReference } from "./reference.js";
import { liveObject, planUpdate, statusOrWhole } from "./update.js";
import { storeKey } from "../../objects/keys.js";
import { writeResponse } from "./write-response.js";

const { Type } = ikada.api.v1.PatchRequest;

/** A patch of one of three types on the present object. @throws IkadaError NotFound, Conflict, Invalid, BadRequest, TooLarge */
export async function patchObject(
  store: Store,
  request: ikada.api.v1.PatchRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.reference);
  const subresource = statusOrWhole(kind, request.subresource);
  const patch = parsePatch(request.json);
  const { type } = request;
  const manager = managerOf(request.options, call);
  let warnings: readonly string[] = [];
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read) => {
      const live = liveObject(kind, key, read);
      const admitted = admitValue(patched(kind, live, patch, type), "whole", key.name);
      if (storeKey(keyOfAdmitted(admitted.kind, admitted.object)) !== storeKey(key)) {
        throw new IkadaError("BadRequest", "a patch may not change apiVersion, kind, namespace or name");
      }
      ({ warnings } = admitted);
      checkPreconditions(live, admitted.object.metadata);
      return planUpdate(kind, live, admitted.object, { manager, now: Date.now(), subresource });
    },
  });
  return writeResponse(written, warnings, false);
}

function patched(kind: KindDefinition, live: AnyObject, patch: unknown, type: ikada.api.v1.PatchRequest.Type): object {
  switch (type) {
    case Type.MERGE:
      return mergePatch(live, patch, limits.objectDepthMax);
    case Type.STRATEGIC:
      return strategicMergePatch(live, patch, kind.schema);
    case Type.JSON: {
      const result = jsonPatch(live, patch);
      if (typeof result === "object" && result !== null) return result;
      throw new IkadaError("BadRequest", "the JSON patch leaves no object; to remove one, delete it");
    }
    default:
      throw new IkadaError("Unsupported", `patches of type ${String(type)} are not known to this version`);
  }
}

function parsePatch(bytes: Uint8Array): unknown {
  if (bytes.length > limits.objectBytesMax) {
    throw new IkadaError("TooLarge", `a patch of ${bytes.length} bytes; ${limits.objectBytesMax} are allowed`);
  }
  if (jsonDepth(bytes) > limits.objectDepthMax + envelopeDepth)
    throw new IkadaError("BadRequest", `the patch is nested deeper than ${limits.objectDepthMax} levels`);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new IkadaError("BadRequest", "the patch is not JSON", {}, error);
  }
}

/** A JSON patch has its values in operations in a list. */
const envelopeDepth = 2;
