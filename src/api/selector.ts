import { IkadaError } from "../base/errors.js";
import { formats } from "./format.js";
import type { LabelSelector, LabelSelectorRequirement } from "./object.js";

export type Labels = Readonly<Record<string, string>>;

/** True when the selector selects these labels. An empty one selects everything; all its parts must hold. */
export function matchesSelector(selector: LabelSelector, labels: Labels | undefined): boolean {
  return requirementsOf(selector).every((requirement) => matchesRequirement(requirement, labels ?? {}));
}

/** Both forms of a selector as one list of requirements. */
export function requirementsOf(selector: LabelSelector): readonly LabelSelectorRequirement[] {
  const equal = Object.entries(selector.matchLabels ?? {}).map(([key, value]): LabelSelectorRequirement => ({
    key,
    operator: "In",
    values: [value],
  }));
  return [...equal, ...(selector.matchExpressions ?? [])];
}

export function matchesRequirement(requirement: LabelSelectorRequirement, labels: Labels): boolean {
  const { key, operator, values = [] } = requirement;
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    default:
      return value === undefined;
  }
}

/**
 * Reads `app=web,tier!=db,zone in (a,b),env notin (dev),canary,!legacy`, as `kubectl -l` takes it.
 * @throws IkadaError BadRequest with the place of the fault
 */
export function parseLabelSelector(text: string): LabelSelector {
  const parser = new SelectorParser(text);
  return { matchExpressions: parser.requirements() };
}

/** The text form that parseLabelSelector reads; `<none>` for a selector without requirements. */
export function formatLabelSelector(selector: LabelSelector): string {
  const parts = requirementsOf(selector).map(({ key, operator, values = [] }) => {
    const only = values[0];
    switch (operator) {
      case "In":
        return values.length === 1 && only !== undefined ? `${key}=${only}` : `${key} in (${values.join(",")})`;
      case "NotIn":
        return values.length === 1 && only !== undefined ? `${key}!=${only}` : `${key} notin (${values.join(",")})`;
      case "Exists":
        return key;
      default:
        return `!${key}`;
    }
  });
  return parts.length === 0 ? "<none>" : parts.join(",");
}

class SelectorParser {
  readonly #text: string;
  readonly #tokens: readonly { readonly text: string; readonly at: number }[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = [...text.matchAll(/==|!=|[=!(),]|[^\s=!(),]+/g)].map((match) => ({
      text: match[0],
      at: match.index,
    }));
  }

  requirements(): readonly LabelSelectorRequirement[] {
    const found: LabelSelectorRequirement[] = [];
    while (this.#next < this.#tokens.length) {
      if (found.length > 0) this.#expect(",");
      found.push(this.#requirement());
    }
    return found;
  }

  #requirement(): LabelSelectorRequirement {
    if (this.#peek() === "!") {
      this.#take();
      return { key: this.#key(), operator: "DoesNotExist" };
    }
    const key = this.#key();
    switch (this.#peek()) {
      case "=":
      case "==":
        this.#take();
        return { key, operator: "In", values: [this.#value()] };
      case "!=":
        this.#take();
        return { key, operator: "NotIn", values: [this.#value()] };
      case "in":
        this.#take();
        return { key, operator: "In", values: this.#values() };
      case "notin":
        this.#take();
        return { key, operator: "NotIn", values: this.#values() };
      default:
        return { key, operator: "Exists" };
    }
  }

  #values(): readonly string[] {
    const values: string[] = [];
    this.#expect("(");
    do values.push(this.#value());
    while (this.#take() === ",");
    if (this.#tokens[this.#next - 1]?.text !== ")") this.#fail("expected ',' or ')'", this.#next - 1);
    return values;
  }

  #key(): string {
    const key = this.#take() ?? "";
    const fault = formats.qualifiedName(key);
    if (fault !== undefined) this.#fail(`"${key}" is no label key: ${fault}`, this.#next - 1);
    return key;
  }

  /** The empty value is what stands before `,`, `)` or the end. */
  #value(): string {
    const next = this.#peek();
    if (next === undefined || next === "," || next === ")") return "";
    this.#take();
    const fault = formats.labelValue(next);
    if (fault !== undefined) this.#fail(`"${next}" is no label value: ${fault}`, this.#next - 1);
    return next;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#next]?.text;
  }

  #take(): string | undefined {
    const token = this.#peek();
    this.#next += 1;
    return token;
  }

  #expect(token: string): void {
    if (this.#take() !== token) this.#fail(`expected '${token}'`, this.#next - 1);
  }

  #fail(what: string, token: number): never {
    const at = this.#tokens[token]?.at ?? this.#text.length;
    throw new IkadaError("BadRequest", `label selector "${this.#text}": ${what} at character ${at + 1}`, {
      hint: "write it as in: app=web,tier!=db,zone in (a,b),!legacy",
    });
  }
}
