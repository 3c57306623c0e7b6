import type { ikada } from "#proto/api.js";
import { groupKindOf, objectName } from "../../api/kind.js";
import { IkadaError } from "../../base/errors.js";
import type { ObjectCache } from "../../objects/cache.js";
import type { Explainers } from "../../objects/explanation.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { requestedReference } from "./reference.js";

/** Rows of one table that are sent; the first are those that matter most. */
const rowsMax = 200;

/**
 * Why an object is as it is, decided on this replica's state, which is as new as the call.
 * @throws IkadaError NotFound, Unsupported for a kind that nobody explains
 */
export async function explainObject(
  { store, cache, explainers }: { readonly store: Store; readonly cache: ObjectCache; readonly explainers: Explainers },
  request: ikada.api.v1.ExplainRequest,
  call: Call,
): Promise<ikada.api.v1.IExplainResponse> {
  const { kind, key } = requestedReference(request.reference);
  requireReadable(call.caller, kind);
  const explain = explainers[groupKindOf(kind)];
  if (explain === undefined)
    throw new IkadaError("Unsupported", `${kind.plural} are not explained`, {
      hint: `see 'ikada describe ${kind.singular} ${key.name}'; what is explained: pods`,
    });
  await store.barrier(call.wait);
  const snapshot = cache.snapshot();
  const object = snapshot.get(key.groupKind, key.namespace, key.name);
  if (object === undefined) {
    const name = objectName(kind, key.name);
    throw new IkadaError("NotFound", `${name} not found`, { object: name });
  }
  const { verdict, tables, hints } = explain(object, snapshot, Date.now());
  return {
    verdict,
    hints: [...hints],
    revision: snapshot.revision,
    tables: tables.map(({ title, columns, rows }) => ({
      title,
      columns: [...columns],
      rows: rows.slice(0, rowsMax).map((cells) => ({ cells: [...cells] })),
      leftOff: Math.max(0, rows.length - rowsMax),
    })),
  };
}
