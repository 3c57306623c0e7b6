import { groupKindOf, objectName, type KindDefinition } from "../../api/kind.js";
import type { Pod } from "../../api/kinds/pod.js";
import { priorityClassKind } from "../../api/kinds/priority-class-kind.js";
import { withPriority, type PriorityClass } from "../../api/kinds/priority.js";
import type { AnyObject } from "../../api/object.js";
import { IkadaError } from "../../base/errors.js";
import { decodeRecord } from "../../objects/encode.js";
import { kindPrefix } from "../../objects/keys.js";
import type { Store } from "../../../store/store.js";

/** A new Pod with its priority; other objects as they are. @throws IkadaError Forbidden when it can have none */
export function withPodPriority(kind: KindDefinition, object: AnyObject, store: Pick<Store, "peekPrefix">): AnyObject {
  if (groupKindOf(kind) !== "/Pod") return object;
  const given = (object as unknown as Partial<Pod>).spec;
  // What has none is refused by its schema.
  if (given === undefined) return object;
  const spec = withPriority(given, priorityClasses(store));
  if (typeof spec !== "string") return { ...object, spec };
  const name = objectName(kind, object.metadata.name);
  throw new IkadaError("Forbidden", `${name} is forbidden: spec.${spec}`, {
    object: name,
    hint: "correct the field, or create the PriorityClass first",
  });
}

/** There is one default for all. @throws IkadaError Forbidden when this PriorityClass would be another one */
export function checkGlobalDefault(kind: KindDefinition, object: AnyObject, store: Pick<Store, "peekPrefix">): void {
  if (kind !== priorityClassKind || object["globalDefault"] !== true) return;
  const { name } = object.metadata;
  const other = priorityClasses(store).find((one) => one.globalDefault === true && one.metadata.name !== name);
  if (other === undefined) return;
  throw new IkadaError(
    "Forbidden",
    `${objectName(kind, name)} is forbidden: globalDefault: "${other.metadata.name}" is the default already, and there is only one`,
    { object: objectName(kind, name), hint: `set globalDefault of "${other.metadata.name}" to false first` },
  );
}

function priorityClasses(store: Pick<Store, "peekPrefix">): readonly PriorityClass[] {
  return [...store.peekPrefix(kindPrefix(priorityClassKind))].map(
    (record) => decodeRecord(record) as unknown as PriorityClass,
  );
}
