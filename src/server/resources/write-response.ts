import type { ikada } from "#proto/api.js";
import { toWire, toWireAt } from "./wire.js";
import type { Written } from "./commit.js";

/** `created`: what to say of a write that is known to make objects only; undefined: judged by the record. */
export function writeResponse(
  written: Written,
  warnings: readonly string[],
  created?: boolean,
): ikada.api.v1.IWriteResponse {
  const { plan, record, revision, changed } = written;
  const made = created ?? (plan ? (plan.changes?.creates.length ?? 0) > 0 : record?.version === 1);
  if (record) return { object: toWire(record), warnings: [...warnings], created: made, changed };
  const object = plan && toWireAt(plan.object, Number(plan.object.metadata.resourceVersion ?? revision));
  return { ...(object && { object }), warnings: [...warnings], created: made, changed };
}
