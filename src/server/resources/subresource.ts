import type { KindDefinition } from "../../api/kind.js";
import { IkadaError } from "../../base/errors.js";

/** The part of an object that a request is about. @throws IkadaError Unsupported for a subresource that the kind has not, or that this verb has not */
export function statusOrWhole(kind: KindDefinition, subresource: string): "" | "status" {
  if (subresource === "") return "";
  if (subresource === "status" && kind.hasStatus) return "status";
  throw new IkadaError("Unsupported", `${kind.plural} have no subresource "${subresource}" for this verb`);
}

/** @throws IkadaError Unsupported */
export function requireScale(kind: KindDefinition): void {
  if (!kind.hasScale) throw new IkadaError("Unsupported", `${kind.plural} can't be scaled`);
}
