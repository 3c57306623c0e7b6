import { IkadaError } from "../../src/base/errors.js";
import type { Operand, Operator, Part, Path, Step } from "./parse.js";

/** Steps into values; a template such as `$..*..*..*` on a large object would go on for ever. */
const visitsMax = 1_000_000;

/**
 * The template's text for one value. Several values of one path are separated by spaces, texts stand bare, and lists and
 * objects as JSON, as kubectl prints them. Fields that are not there are nothing.
 * `escape` makes values (not the template's own text) fit for where they are printed.
 * @throws IkadaError NotFound for an index beyond a list, BadRequest for what cannot be compared, TooLarge
 */
export function formatTemplate(
  parts: readonly Part[],
  value: unknown,
  escape: (text: string) => string = (text) => text,
): string {
  return new Evaluation().format(parts, value, escape);
}

/** The values at a path. @throws as formatTemplate */
export function valuesAt(path: Path, value: unknown): unknown[] {
  return new Evaluation().walk([value], path);
}

/** One value as text: bare, or as JSON. */
export function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

class Evaluation {
  #visits = 0;

  format(parts: readonly Part[], value: unknown, escape: (text: string) => string): string {
    let text = "";
    for (const part of parts) {
      if (part.type === "text") text += part.text;
      else if (part.type === "values")
        text += this.walk([value], part.path)
          .map((found) => escape(valueText(found)))
          .join(" ");
      else for (const item of this.walk([value], part.path)) text += this.format(part.body, item, escape);
    }
    return text;
  }

  walk(values: readonly unknown[], path: Path): unknown[] {
    let found = [...values];
    for (const step of path) found = this.#step(found, step);
    return found;
  }

  #step(values: readonly unknown[], step: Step): unknown[] {
    this.#visit(values.length);
    switch (step.type) {
      case "field":
        return values.flatMap((value) =>
          isRecord(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [],
        );
      case "wildcard":
        return values.flatMap(below);
      case "recursive":
        return this.#recursive(values);
      case "index":
        return values.flatMap((value) => item(listOf(value, step), step.index, step));
      case "slice":
        return values.flatMap((value) => slice(listOf(value, step), step));
      case "union":
        return values.flatMap((value) => step.paths.flatMap((path) => this.walk([value], path)));
      default:
        return values.flatMap((value) => below(value).filter((one) => this.#passes(one, step)));
    }
  }

  /** Each value that has something below it, before those below it. */
  #recursive(values: readonly unknown[], found: unknown[] = []): unknown[] {
    for (const value of values) {
      const inner = below(value);
      this.#visit(inner.length);
      if (inner.length === 0) continue;
      found.push(value);
      this.#recursive(inner, found);
    }
    return found;
  }

  #passes(value: unknown, { left, comparison, at }: Extract<Step, { type: "filter" }>): boolean {
    const found = this.#operand(value, left, at);
    if (comparison === undefined) return found.length > 0;
    const other = this.#operand(value, comparison.right, at);
    if (found.length === 0 || other.length === 0) return false;
    return compare(found[0], comparison.operator, other[0], at);
  }

  #operand(value: unknown, operand: Operand, at: number): unknown[] {
    if ("literal" in operand) return [operand.literal];
    const found = this.walk([value], operand.path);
    if (found.length > 1)
      throw new IkadaError(
        "BadRequest",
        `JSONPath, at character ${at + 1}: only one value can be compared, not several`,
      );
    return found;
  }

  #visit(count: number): void {
    this.#visits += count;
    if (this.#visits > visitsMax)
      throw new IkadaError("TooLarge", `the JSONPath visits more than ${visitsMax} values`, {
        hint: "name the fields instead of searching at every depth",
      });
  }
}

/** The values directly below one, in their order. */
function below(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  return isRecord(value) ? Object.values(value) : [];
}

/** Nothing for what is not there; a value that is no list is a mistake. */
function listOf(value: unknown, { at }: Step): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value)) return value;
  throw new IkadaError(
    "BadRequest",
    `JSONPath, at character ${at + 1}: a number in brackets needs a list, not ${isRecord(value) ? "an object" : JSON.stringify(value)}`,
    { hint: isRecord(value) ? "name a field: ['name'], or take all with [*]" : "take the brackets away" },
  );
}

function item(list: readonly unknown[] | undefined, index: number, { at }: Step): unknown[] {
  if (list === undefined) return [];
  const place = index < 0 ? list.length + index : index;
  if (place >= 0 && place < list.length) return [list[place]];
  throw outOfBounds(index, list.length, at);
}

function slice(
  list: readonly unknown[] | undefined,
  { from = 0, to, step = 1, at }: Extract<Step, { type: "slice" }>,
): unknown[] {
  if (list === undefined) return [];
  const start = from < 0 ? list.length + from : from;
  const end = to === undefined ? list.length : to < 0 ? list.length + to : to;
  if (start === end) return [];
  if (start < 0 || start >= list.length) throw outOfBounds(from, list.length, at);
  if (end < 0 || end > list.length) throw outOfBounds(to ?? end, list.length, at);
  return list.slice(start, end).filter((_value, index) => index % step === 0);
}

function outOfBounds(index: number, length: number, at: number): IkadaError {
  return new IkadaError(
    "NotFound",
    `JSONPath, at character ${at + 1}: array index out of bounds: index ${index}, length ${length}`,
  );
}

function compare(left: unknown, operator: Operator, right: unknown, at: number): boolean {
  const comparable =
    typeof left === typeof right && (typeof left === "number" || typeof left === "string" || typeof left === "boolean");
  if (operator === "==" || operator === "!=") {
    const same = comparable ? left === right : JSON.stringify(left) === JSON.stringify(right);
    return same === (operator === "==");
  }
  if (!comparable || typeof left === "boolean")
    throw new IkadaError(
      "BadRequest",
      `JSONPath, at character ${at + 1}: ${JSON.stringify(left)} and ${JSON.stringify(right)} have no order`,
      { hint: "compare two numbers or two texts" },
    );
  const [a, b] = [left as number | string, right as number | string];
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
