import { IkadaError, type FieldFault } from "../base/errors.js";
import { objectName, type KindDefinition } from "./kind.js";

/** The faults of one object, up to a bound: the rest of a hopeless object helps nobody. */
export class Faults {
  readonly list: FieldFault[] = [];

  /** True when the bound is reached and looking further is of no use. */
  get full(): boolean {
    return this.list.length >= faultsMax;
  }

  add(field: string, reason: FieldFault["reason"], message: string): void {
    if (!this.full) this.list.push({ field, reason, message });
  }
}

/** The error that refuses an object, naming it and its first fault; all faults are in the details. */
export function invalidError(
  kind: Pick<KindDefinition, "group" | "plural">,
  name: string,
  faults: readonly FieldFault[],
): IkadaError {
  const first = faults[0];
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : "";
  const what = first === undefined ? "it is not valid" : `${first.field}: ${first.message}`;
  const object = objectName(kind, name);
  return new IkadaError("Invalid", `${object} is invalid: ${what}${more}`, {
    object,
    faults,
    hint: "correct the fields and send the object again",
  });
}

/** `spec.containers` + `name`; a field at the top has no dot before it. */
export function fieldPath(parent: string, field: string): string {
  return parent === "" ? field : `${parent}.${field}`;
}

const faultsMax = 50;
