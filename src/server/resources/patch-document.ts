import { ikada } from "#proto/api.js";
import { jsonDepth } from "../../api/decode.js";
import { jsonPatch } from "../../api/json-patch.js";
import { mergePatch } from "../../api/merge-patch.js";
import type { ObjectSchema } from "../../api/schema.js";
import { strategicMergePatch } from "../../api/strategic-merge-patch.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";

const { Type } = ikada.api.v1.PatchRequest;

/** A patch of one of three types, as it came. */
export class PatchDocument {
  readonly #type: ikada.api.v1.PatchRequest.Type;
  readonly #patch: unknown;

  /** @throws IkadaError BadRequest, TooLarge */
  constructor({ type, json }: Pick<ikada.api.v1.PatchRequest, "type" | "json">) {
    this.#type = type;
    this.#patch = parse(json);
  }

  /** The target with the patch done to it; the target stays as it is. @throws IkadaError BadRequest, Invalid, Conflict, TooLarge, Unsupported */
  appliedTo(target: object, schema: ObjectSchema): object {
    switch (this.#type) {
      case Type.MERGE:
        return mergePatch(target, this.#patch, limits.objectDepthMax);
      case Type.STRATEGIC:
        return strategicMergePatch(target, this.#patch, schema);
      case Type.JSON: {
        const result = jsonPatch(target, this.#patch);
        if (typeof result === "object" && result !== null) return result;
        throw new IkadaError("BadRequest", "the JSON patch leaves no object; to remove one, delete it");
      }
      default:
        throw new IkadaError("Unsupported", `patches of type ${String(this.#type)} are not known to this version`);
    }
  }
}

function parse(bytes: Uint8Array): unknown {
  if (bytes.length > limits.objectBytesMax) {
    throw new IkadaError("TooLarge", `a patch of ${bytes.length} bytes; ${limits.objectBytesMax} are allowed`);
  }
  if (jsonDepth(bytes) > limits.objectDepthMax + envelopeDepth) {
    throw new IkadaError("BadRequest", `the patch is nested deeper than ${limits.objectDepthMax} levels`);
  }
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw new IkadaError("BadRequest", "the patch is not JSON", {}, error);
  }
}

/** A JSON patch has its values in operations in a list. */
const envelopeDepth = 2;
