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
 * Changes a copy of what was read, or gives what is to take its place, at once or later. It may be called several times, each time with what the object is
 * by then, so it should do nothing else.
 */
export type ChangeFunction<T = AnyObject> = (
  copy: Mutable<T>,
) => Mutable<T> | T | void | Promise<Mutable<T> | T | void>;

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
      const copy = cloneJson(before);
      const given: unknown = await deadline.wait(Promise.resolve(change(copy)));
      const after = (given ?? copy) as AnyObject;
      checkIdentity(before, after);
      if (sameJson(before, after)) return { object: before, created: false, changed: false, warnings: [] };
      return await client.update(after, { ...write, ...deadline.rest() });
    } catch (caught) {
      // The function's own errors come as they are.
      if (!(caught instanceof IkadaError)) throw caught;
      if (caught.reason !== "Conflict" || tries >= triesMax) throw tried(caught, tries);
      await deadline.pause(pauseMsAfter(tries, backoff), tried(caught, tries));
    }
  }
}

/** @throws IkadaError BadRequest when a change makes another object of it */
function checkIdentity(before: AnyObject, after: AnyObject): void {
  const faults = identity(before).flatMap(([field, value], at): FieldFault[] => {
    const now = identity(after)[at]?.[1];
    if (now === value) return [];
    return [{ field, reason: "Immutable", message: `was ${String(value)}, and would be ${String(now)}` }];
  });
  if (faults.length === 0) return;
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
