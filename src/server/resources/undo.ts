import type { ikada } from "#proto/api.js";
import { withDefaults } from "../../api/defaults.js";
import { without } from "../../api/json.js";
import { objectName } from "../../api/kind.js";
import type { KindDefinition } from "../../api/kind.js";
import { trackUpdate } from "../../api/managed-fields.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import type { Random } from "../../base/env.js";
import { storeKey } from "../../objects/keys.js";
import { newObject } from "../../objects/new-object.js";
import type { ObjectKey } from "../../objects/snapshot.js";
import { noChanges } from "../../objects/transaction.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { checkNew, requireNamespace } from "./admission.js";
import { commitWrite } from "./commit.js";
import type { Plan } from "./commit.js";
import { managerOf } from "./field-owners.js";
import { notThereThen, recordAtRevision } from "./get.js";
import { requestedReference } from "./reference.js";
import { hasReached } from "./revisions.js";
import { parsed } from "./selection.js";
import { checkGlobalDefault, withPodPriority } from "./priority.js";
import { planUpdate } from "./update.js";
import { writeResponse } from "./write-response.js";

/**
 * Writes back what an object was at a revision: all but its status, by the rules for updates and as one. When it is gone it is created
 * anew, with another uid. @throws IkadaError NotFound, Compacted, Conflict, Invalid
 */
export async function undoChanges(
  store: Store,
  request: ikada.api.v1.UndoRequest,
  call: Call,
): Promise<ikada.api.v1.IWriteResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireReadable(call.caller, kind);
  const { revision } = request;
  if (revision === 0) throw new IkadaError("BadRequest", "undo needs the revision whose state is to be written back");
  await hasReached(store, revision, call);
  const record = await recordAtRevision(store, storeKey(key), revision, call);
  if (!record) throw notThereThen(kind, key.name, revision);
  const past = parsed(record);
  const manager = managerOf(request.options, call);
  const written = await commitWrite({
    store,
    call,
    options: request.options,
    keyOf: () => key,
    decide: (read, random) => {
      const live = read(key);
      const plan = live
        ? planUpdate(kind, live, restored(kind, live, past), { manager, now: Date.now(), subresource: "" })
        : planRecreation(kind, key, past, { manager, store, read, random });
      checkGlobalDefault(kind, plan.object, store);
      return plan;
    },
  });
  return writeResponse(written, []);
}

/** @throws IkadaError Conflict */
function restored(kind: KindDefinition, live: AnyObject, past: AnyObject): AnyObject {
  const object = objectName(kind, live.metadata.name);
  if (live.metadata.uid !== past.metadata.uid) {
    throw new IkadaError("Conflict", `${object} is another object than the one of that revision`, {
      object,
      hint: "get the object at that revision and apply it, if this one shall become like it",
    });
  }
  if (live.metadata.deletionTimestamp !== undefined) {
    throw new IkadaError("Conflict", `${object} is being deleted, which can't be undone`, {
      object,
      hint: "wait until it is gone: undo creates it anew then",
    });
  }
  const { uid, resourceVersion = "" } = live.metadata;
  return { ...past, metadata: { ...lasting(past), ...(uid !== undefined && { uid }), resourceVersion } };
}

interface Recreation {
  readonly manager: string;
  readonly store: Store;
  readonly read: (key: ObjectKey) => AnyObject | undefined;
  readonly random: Random;
}

function planRecreation(
  kind: KindDefinition,
  key: ObjectKey,
  past: AnyObject,
  { manager, store, read, random }: Recreation,
): Plan {
  const now = Date.now();
  const wanted = kind.hasStatus ? without(past, "status") : past;
  const given = { ...wanted, metadata: without(lasting(past), "managedFields", "generation") } as AnyObject;
  const created = withPodPriority(kind, newObject(withDefaults(given), now, random), store);
  checkNew(kind, created);
  const object = trackUpdate(undefined, created, { manager }, now);
  const unchanged = requireNamespace(kind, key, read);
  return { key, object, changes: { ...noChanges, creates: [object], unchanged } };
}

/** Its metadata without the marks of a deletion that was under way. */
function lasting({ metadata }: AnyObject): AnyObject["metadata"] {
  const { finalizers = [], ...rest } = without(metadata, "deletionTimestamp", "deletionGracePeriodSeconds");
  const kept = finalizers.filter((name) => name !== "orphan" && name !== "foregroundDeletion");
  return kept.length > 0 ? { ...rest, finalizers: kept } : rest;
}
