import type { AnyObject, Condition } from "../src/api/object.js";
import { listAt, textAt, valueAt } from "../src/api/path.js";
import { IkadaError } from "../src/base/errors.js";
import { valuesAt, valueText } from "./jsonpath/evaluate.js";
import { parsePath } from "./jsonpath/parse.js";

/** What `wait --for` waits for. */
export type Awaited = { readonly type: "delete" | "create" } | AwaitedState;

/** Something that an object says of itself. */
export interface AwaitedState {
  readonly type: "state";
  readonly holds: (object: AnyObject) => boolean;
  /** How it stands, for those who waited in vain: `condition Ready is False: it has no address`. */
  readonly standing: (object: AnyObject) => string;
}

const hint =
  "write condition=Ready, condition=Ready=False, delete, create, jsonpath='{.status.phase}'=Running or jsonpath='{.status.podIP}'";

/** @throws IkadaError BadRequest with what makes no sense, and where in a JSONPath */
export function parseAwaited(text: string): Awaited {
  const lower = text.toLowerCase();
  if (lower === "delete" || lower === "create") return { type: lower };
  if (lower.startsWith("condition=")) return conditionOf(text.slice("condition=".length));
  if (lower.startsWith("jsonpath=")) return pathOf(text.slice("jsonpath=".length));
  throw new IkadaError("BadRequest", `--for "${text}": there is no such condition`, { hint });
}

/** `Ready` or `Ready=False`. */
function conditionOf(text: string): AwaitedState {
  const equals = text.indexOf("=");
  const type = equals < 0 ? text : text.slice(0, equals);
  const status = equals < 0 ? "True" : text.slice(equals + 1);
  if (type === "" || status === "")
    throw new IkadaError("BadRequest", `--for condition=${text}: a condition is TYPE or TYPE=STATUS`, { hint });
  const find = (object: AnyObject): Condition | undefined =>
    (listAt(object, "status", "conditions") as readonly Condition[]).find(
      (condition) => textAt(condition, ["type"]).toLowerCase() === type.toLowerCase(),
    );
  /** The condition may still be about the object before its last change. */
  const isOld = (object: AnyObject, condition: Condition): boolean => {
    const observed = condition.observedGeneration ?? valueAt(object, "status", "observedGeneration");
    return typeof observed === "number" && observed < (object.metadata.generation ?? 0);
  };
  return {
    type: "state",
    holds: (object) => {
      const condition = find(object);
      return condition?.status.toLowerCase() === status.toLowerCase() && !isOld(object, condition);
    },
    standing: (object) => {
      const condition = find(object);
      if (condition === undefined) return `it has no condition ${type}`;
      const why = [condition.reason, condition.message].filter((part) => part !== undefined && part !== "").join(": ");
      const old = isOld(object, condition) ? ", as of before its last change" : "";
      return `condition ${condition.type} is ${condition.status}${old}${why === "" ? "" : ` (${why})`}`;
    },
  };
}

/** `{.status.phase}=Running`, or a path alone: there has to be something. */
function pathOf(text: string): AwaitedState {
  const equals = equalsOf(text);
  const [template, wanted] = equals < 0 ? [text, undefined] : [text.slice(0, equals), unquoted(text.slice(equals + 1))];
  if (template.trim() === "" || wanted === "")
    throw new IkadaError("BadRequest", `--for jsonpath=${text}: a path, or PATH=VALUE, is expected`, { hint });
  const path = parsePath(unquoted(template));
  const find = (object: AnyObject): unknown[] => {
    let found: unknown[];
    try {
      found = valuesAt(path, object);
    } catch (caught) {
      // An item that a list has not yet.
      if (IkadaError.from(caught).reason === "NotFound") return [];
      throw caught;
    }
    if (wanted === undefined) return found;
    if (found.length > 1)
      throw new IkadaError("BadRequest", `--for jsonpath=${text}: there are ${found.length} values, not one`, {
        hint: "choose one by [index] or by a filter",
      });
    if (typeof found[0] === "object" && found[0] !== null)
      throw new IkadaError("BadRequest", `--for jsonpath=${text}: that is ${valueText(found[0])}, not one value`, {
        hint: "go on with the path to a text, number or boolean",
      });
    return found;
  };
  return {
    type: "state",
    holds: (object) => {
      const found = find(object);
      return wanted === undefined ? found.length > 0 : found.some((value) => valueText(value) === wanted);
    },
    standing: (object) => {
      const found = find(object);
      return found.length === 0 ? `it has nothing at ${template}` : `${template} is ${found.map(valueText).join(" ")}`;
    },
  };
}

/** The `=` outside of all brackets and quotes; -1 for none. */
function equalsOf(text: string): number {
  let [depth, quote] = [0, ""];
  for (let at = 0; at < text.length; at += 1) {
    const next = text[at]!;
    if (next === "\\") at += 1;
    else if (quote !== "") quote = next === quote ? "" : quote;
    else if (next === "'" || next === '"') quote = next;
    else if (next === "[" || next === "{") depth += 1;
    else if (next === "]" || next === "}") depth -= 1;
    else if (next === "=" && depth === 0) return at;
  }
  return -1;
}

/** As it is written where no shell takes the quotes away. */
function unquoted(text: string): string {
  return /^(['"])(.*)\1$/s.exec(text)?.[2] ?? text;
}
