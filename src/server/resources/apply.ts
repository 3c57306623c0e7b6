import type { ikada } from "#proto/api.js";
import { applyObject, conflictError } from "../../api/apply.js";
import { withDefaults } from "../../api/defaults.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import type { Random } from "../../base/env.js";
import { updateOrFinish } from "../../objects/delete-object.js";
import { newObject } from "../../objects/new-object.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { noChanges } from "../../objects/transaction.js";
import { updatedObject } from "../../objects/update-object.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { admitObject, checkChange, checkNew, keyOfAdmitted, requireNamespace } from "./admission.js";
import type { Admitted } from "./admission.js";
import { commitWrite } from "./commit.js";
import type { Plan } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { checkPodSecurity } from "./pod-security.js";
import { checkGlobalDefault, withPodPriority } from "./priority.js";
import { statusOrWhole } from "./subresource.js";
import { liveObject } from "./update.js";
import { writeResponse } from "./write-response.js";

/**
 * Server-side apply: makes what is applied true of the object, creates it when it is not there; or of its status alone.
 * @throws IkadaError FieldConflict unless forced, Conflict for a failed precondition, Invalid
 */
export async function applyToObject(
  store: Store,
  request: ikada.api.v1.ApplyRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const admitted = admitObject(request.object, "applied");
  const key = keyOfAdmitted(admitted.kind, admitted.object);
  if (!key.name) throw new IkadaError("BadRequest", "metadata.name is required when applying");
  const manager = managerOf(request.options, call);
  const subresource = statusOrWhole(admitted.kind, request.subresource);
  const warnings: string[] = [];
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read, random) =>
      planApply(admitted, key, { manager, store, force: request.force, subresource, read, random, warnings }),
  });
  return writeResponse(written, [...admitted.warnings, ...warnings]);
}

interface ApplyContext {
  readonly manager: string;
  readonly store: Store;
  readonly force: boolean;
  readonly subresource: "" | "status";
  readonly read: (key: ObjectKey) => AnyObject | undefined;
  readonly random: Random;
  /** Filled by the last decision. */
  readonly warnings: string[];
}

function planApply({ kind, object }: Admitted, key: ObjectKey, context: ApplyContext): Plan {
  const { manager, store, force, subresource, read, random, warnings } = context;
  const now = Date.now();
  const live = subresource === "" ? read(key) : liveObject(kind, key, read);
  const applied = applyObject(live, object, { manager, force, now, subresource });
  if (applied.conflicts.length > 0) throw conflictError(kind, key.name, applied.conflicts);
  const wanted = withDefaults(applied.object);
  if (live) {
    const merged = updatedObject(live, wanted, subresource);
    // What a Pod's security is about can't change any more; a template's can.
    if (kind.kind !== "Pod") warnings.splice(0, Infinity, ...checkPodSecurity(kind, merged, read));
    if (merged === live) return { key, object: live, changes: undefined };
    checkChange(kind, live, merged);
    checkGlobalDefault(kind, merged, store);
    return { key, object: merged, changes: updateOrFinish(merged) };
  }
  if (object.metadata.uid || object.metadata.resourceVersion) {
    throw new IkadaError(
      "Conflict",
      `${kind.plural} "${key.name}" is not there, but a uid or resourceVersion was given`,
    );
  }
  const created = withPodPriority(kind, newObject(wanted, now, random), store);
  checkNew(kind, created);
  checkGlobalDefault(kind, created, store);
  const unchanged = requireNamespace(kind, key, read);
  warnings.splice(0, Infinity, ...checkPodSecurity(kind, created, read));
  return { key, object: created, changes: { ...noChanges, creates: [created], unchanged } };
}
