import { cloneJson, sameJson, type Mutable } from "../src/api/json.js";
import type { AnyObject } from "../src/api/object.js";
import { IkadaError, type FieldFault } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { pauseMsAfter } from "./backoff.js";
import type { Client } from "./client.js";
import { Deadline } from "./deadline.js";
import type { ModifyOptions, Written } from "./options.js";
import type { KindName } from "./wire.js";

/**
 * Changes a copy of what was read, or gives what is to take its place. It may be called several times, each time with what the object is by
 * then, so it should depend on nothing else and do nothing else.
 */
export type ChangeFunction<T = AnyObject> = (copy: Mutable<T>) => Mutable<T> | T | void;

const triesMaxDefault = 10;
const backoff = { msMin: 10, msMax: 500 } as const;

/** @throws IkadaError as `Client.modify` */
export async function modify(
  client: Client,
  kind: KindName,
  name: string,
  change: ChangeFunction,
  options: ModifyOptions,
): Promise<Written> {
  const { namespace = "", uid, triesMax = triesMaxDefault, ...write } = options;
  const deadline = new Deadline(options, limits.requestMsDefault);
  for (let tries = 1; ; tries += 1) {
    try {
      const before = await client.get(kind, name, { namespace, ...deadline.rest() });
      if (uid !== undefined && before.metadata.uid !== uid)
        throw new IkadaError("NotFound", `${describe(before)} with the uid ${uid} is gone; another one has its name`);
      const after = changed(before, change);
      if (sameJson(before, after)) return { object: before, created: false, changed: false, warnings: [] };
      return await client.update(after, { ...write, ...deadline.rest() });
    } catch (caught) {
      const error = IkadaError.from(caught);
      if (error.reason !== "Conflict" || tries >= triesMax) throw tried(error, tries);
      await deadline.pause(pauseMsAfter(tries, backoff), tried(error, tries));
    }
  }
}

/** What the function makes of a copy. @throws IkadaError BadRequest when that is another object, or comes later */
function changed(before: AnyObject, change: ChangeFunction): AnyObject {
  const copy = cloneJson(before);
  const given: unknown = change(copy) ?? copy;
  if (given instanceof Promise || typeof given !== "object" || given === null) {
    if (given instanceof Promise) given.catch(() => undefined);
    throw new IkadaError("BadRequest", `the change of ${describe(before)} gave no object`, {
      hint: "change the copy, or return the object, at once: the function may be called several times and is not waited for",
    });
  }
  const after = given as AnyObject;
  const faults = identity(before).flatMap(([field, value], at): FieldFault[] => {
    const now = identity(after)[at]?.[1];
    if (now === value) return [];
    return [{ field, reason: "Immutable", message: `was ${String(value)}, and would be ${String(now)}` }];
  });
  if (faults.length === 0) return after;
  const fields = faults.map(({ field }) => field).join(", ");
  throw new IkadaError("BadRequest", `the change of ${describe(before)} makes another object of it: ${fields}`, {
    faults,
    hint: "leave what says which object it is as it was, and resourceVersion, by which nothing of others is overwritten",
  });
}

function identity({ apiVersion, kind, metadata }: AnyObject): readonly (readonly [string, unknown])[] {
  const { name, namespace, uid, resourceVersion } = metadata ?? {};
  return [
    ["apiVersion", apiVersion],
    ["kind", kind],
    ["metadata.name", name],
    ["metadata.namespace", namespace],
    ["metadata.uid", uid],
    ["metadata.resourceVersion", resourceVersion],
  ];
}

function describe({ kind, metadata }: AnyObject): string {
  return `${kind} "${metadata.name}"`;
}

/** Says how often, when that was more than once. */
function tried(error: IkadaError, tries: number): IkadaError {
  if (tries === 1) return error;
  return new IkadaError(error.reason, `${error.message} (tried ${tries} times)`, error.details, error);
}
