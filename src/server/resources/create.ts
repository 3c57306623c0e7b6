import type { ikada } from "#proto/api.js";
import { withDefaults } from "../../api/defaults.js";
import { objectName } from "../../api/kind.js";
import { trackUpdate } from "../../api/managed-fields.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import type { Random } from "../../base/env.js";
import { newObject, randomSuffix } from "../../objects/new-object.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { noChanges } from "../../objects/transaction.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { admitObject, checkNew, keyOfAdmitted, requireNamespace } from "./admission.js";
import type { Admitted } from "./admission.js";
import { commitWrite } from "./commit.js";
import type { Plan } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { checkPodSecurity } from "./pod-security.js";
import { checkGlobalDefault, withPodPriority } from "./priority.js";
import { writeResponse } from "./write-response.js";

/** @throws IkadaError AlreadyExists, Invalid, NotFound or Forbidden for the namespace */
export async function createObject(
  store: Store,
  request: ikada.api.v1.CreateRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const admitted = admitObject(request.object, "whole");
  if (admitted.object.metadata.resourceVersion) {
    throw new IkadaError("BadRequest", "resourceVersion should not be set on objects to be created");
  }
  const manager = managerOf(request.options, call);
  const warnings: string[] = [];
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    decide: (read, random) => planCreation(admitted, { manager, store, read, random, warnings }),
    keyOf: (random) => keyOfAdmitted(admitted.kind, named(admitted.object, random)),
  });
  return writeResponse(written, [...admitted.warnings, ...warnings], true);
}

interface CreationContext {
  readonly manager: string;
  readonly store: Store;
  readonly read: (key: ObjectKey) => AnyObject | undefined;
  readonly random: Random;
  /** Filled by the last decision. */
  readonly warnings: string[];
}

function planCreation(admitted: Admitted, { manager, store, read, random, warnings }: CreationContext): Plan | "again" {
  const { kind } = admitted;
  const given = named(admitted.object, random);
  const now = Date.now();
  const created = withPodPriority(kind, newObject(withDefaults(given), now, random), store);
  checkNew(kind, created);
  checkGlobalDefault(kind, created, store);
  const key = keyOfAdmitted(kind, created);
  const object = trackUpdate(undefined, created, { manager }, now);
  const unchanged = requireNamespace(kind, key, read);
  warnings.splice(0, Infinity, ...checkPodSecurity(kind, created, read));
  if (read(key)) {
    // A generated name that is taken: 27^5 names are few enough for that to happen among some thousand objects.
    if (!admitted.object.metadata.name) return "again";
    const name = objectName(kind, key.name);
    throw new IkadaError("AlreadyExists", `${name} already exists`, { object: name });
  }
  return { key, object, changes: { ...noChanges, creates: [object], unchanged } };
}

/** First of all chance goes to the name, so that a repeat finds it again. */
function named(object: AnyObject, random: Random): AnyObject {
  const { name, generateName } = object.metadata;
  if (name || !generateName) return object;
  const base = generateName.slice(0, generatedBaseMax);
  return { ...object, metadata: { ...object.metadata, name: `${base}${randomSuffix(random)}` } };
}

/** As in Kubernetes, so that a generated name is always a DNS label's length. */
const generatedBaseMax = 63 - 5;
