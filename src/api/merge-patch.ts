import { IkadaError } from "../base/errors.js";

/**
 * The target with a JSON merge patch (RFC 7386) done to it: objects merge, null removes, everything else replaces.
 * Neither argument is changed. @throws IkadaError BadRequest for a patch that is no object or nested too deep
 */
export function mergePatch(target: object, patch: unknown, depthMax = 64): object {
  if (!isRecord(patch)) throw new IkadaError("BadRequest", "a merge patch of an object is a JSON object");
  return merge(target, patch, depthMax);
}

function merge(target: unknown, patch: Readonly<Record<string, unknown>>, depthLeft: number): Record<string, unknown> {
  if (depthLeft === 0) throw new IkadaError("BadRequest", "the merge patch is nested too deep");
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (name === "__proto__") throw new IkadaError("BadRequest", `a merge patch may not name "${name}"`);
    if (value === null) delete result[name];
    else if (isRecord(value))
      result[name] = merge(Object.hasOwn(result, name) ? result[name] : undefined, value, depthLeft - 1);
    else result[name] = value;
  }
  return result;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
