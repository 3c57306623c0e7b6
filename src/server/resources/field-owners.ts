import type { ikada } from "#proto/api.js";
import type { Call } from "../listener.js";

/** Who writes which part of an object, and when (wall time in milliseconds). */
export interface Manager {
  readonly manager: string;
  readonly now: number;
  readonly subresource: "" | "status" | "scale";
}

/** Who manages the fields of this write: what the client says, else who the client is. */
export function managerOf(options: ikada.api.v1.IWriteOptions | null | undefined, call: Call): string {
  return (options?.fieldManager || call.caller.name).slice(0, managerLengthMax);
}

/** Kubernetes' bound. */
const managerLengthMax = 128;
