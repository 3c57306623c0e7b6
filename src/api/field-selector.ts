import { IkadaError } from "../base/errors.js";
import { qualifiedPlural, type KindDefinition } from "./kind.js";
import type { AnyObject } from "./object.js";
import { textAt, valueAt } from "./path.js";

/** A parsed field selector: all its parts must hold. */
export type FieldSelector = readonly {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}[];

/**
 * Reads `metadata.name=web,spec.nodeName!=node-1` (`==` is `=`; `\,`, `\=` and `\\` stand for themselves), for a kind.
 * @throws IkadaError BadRequest for a field that the kind can't be selected by
 */
export function parseFieldSelector(text: string, kind: KindDefinition): FieldSelector {
  if (text.trim() === "") return [];
  const known = ["metadata.name", "metadata.namespace", ...kind.selectableFields];
  return splitUnescaped(text).map((term) => {
    const match = /^\s*([^=!\s]+)\s*(!=|==|=)(.*)$/s.exec(term);
    if (match === null)
      throw new IkadaError(
        "BadRequest",
        `field selector "${text}": "${term}" is not of the form field=value or field!=value`,
      );
    const [, field = "", operator, value = ""] = match;
    if (!known.includes(field))
      throw new IkadaError(
        "BadRequest",
        `field selector "${text}": ${qualifiedPlural(kind)} can't be selected by "${field}"`,
        {
          hint: `they can by ${known.join(", ")}`,
        },
      );
    return { field, operator: operator === "!=" ? "!=" : "=", value: value.trim().replaceAll(/\\([\\,=])/g, "$1") };
  });
}

/** A field that is absent has the empty value, a boolean `false`. */
export function matchesFields(selector: FieldSelector, object: AnyObject): boolean {
  return selector.every(({ field, operator, value }) => (fieldText(object, field) === value) === (operator === "="));
}

function fieldText(object: AnyObject, field: string): string {
  if (field === "source") return textAt(object, ["source", "component"], textAt(object, ["reportingComponent"]));
  const path = field.split(".");
  const absent = absentValues[field] ?? "";
  return valueAt(object, ...path) === undefined ? absent : textAt(object, path, absent);
}

const absentValues: Readonly<Record<string, string>> = {
  "spec.unschedulable": "false",
  "spec.hostNetwork": "false",
  "spec.schedulerName": "default-scheduler",
  "status.replicas": "0",
};

function splitUnescaped(text: string): readonly string[] {
  return text.match(/(?:\\.|[^,\\])+/gs) ?? [];
}
