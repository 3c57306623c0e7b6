import { apiMethods } from "../../host/api-methods.js";
import type { ObjectCache } from "../../objects/cache.js";
import type { Explainers } from "../../objects/explanation.js";
import type { Store } from "../../../store/store.js";
import type { Listener } from "../listener.js";
import { SharedEncoding } from "../shared-encoding.js";
import { applyToObject } from "./apply.js";
import { createObject } from "./create.js";
import { deleteCollection } from "./delete-collection.js";
import { deleteResource } from "./delete.js";
import { evictResource } from "./evict.js";
import { explainObject } from "./explain.js";
import { getObject } from "./get.js";
import { historyOf } from "./history.js";
import { describeKinds } from "./kinds.js";
import { listObjects } from "./list.js";
import { patchObject } from "./patch.js";
import { revisionAtTime } from "./revisions.js";
import { patchScale, scaleObject, updateScale } from "./scale.js";
import { tableOfObjects } from "./table.js";
import { undoChanges } from "./undo.js";
import { updateObject } from "./update.js";
import { bookmarkMsDefault, watchObjects } from "./watch.js";
import { encodeEvent } from "./watch-queue.js";

export interface ResourcesOptions {
  readonly store: Store;
  readonly cache: ObjectCache;
  readonly explainers: Explainers;
  readonly bookmarkMs?: number | undefined;
}

/** ikada.api.v1.Resources: each verb has a file of its own in this folder. */
export function addResourcesService(listener: Listener, options: ResourcesOptions): void {
  const { store, bookmarkMs = bookmarkMsDefault } = options;
  listener.unary(apiMethods.get, (request, call) => getObject(store, request, call));
  listener.unary(apiMethods.list, (request, call) => listObjects(store, request, call));
  const encoding = new SharedEncoding(encodeEvent);
  listener.stream(apiMethods.watch, (stream, call) => watchObjects(store, stream, call, encoding, bookmarkMs));
  listener.unary(apiMethods.create, (request, call) => createObject(store, request, call));
  listener.unary(apiMethods.update, (request, call) =>
    request.subresource === "scale" ? updateScale(store, request, call) : updateObject(store, request, call),
  );
  listener.unary(apiMethods.apply, (request, call) => applyToObject(store, request, call));
  listener.unary(apiMethods.patch, (request, call) =>
    request.subresource === "scale" ? patchScale(store, request, call) : patchObject(store, request, call),
  );
  listener.unary(apiMethods.delete, (request, call) => deleteResource(store, request, call));
  listener.unary(apiMethods.deleteCollection, (request, call) => deleteCollection(store, request, call));
  listener.unary(apiMethods.evict, (request, call) => evictResource(store, request, call));
  listener.unary(apiMethods.explain, (request, call) => explainObject(options, request, call));
  listener.unary(apiMethods.scale, (request, call) => scaleObject(store, request, call));
  listener.unary(apiMethods.history, (request, call) => historyOf(store, request, call));
  listener.unary(apiMethods.undo, (request, call) => undoChanges(store, request, call));
  listener.unary(apiMethods.revisionAt, (request, call) => revisionAtTime(store, request, call));
  listener.unary(apiMethods.kinds, () => Promise.resolve(describeKinds()));
  listener.unary(apiMethods.table, (request, call) => tableOfObjects(store, request, call));
}
