import { IkadaError } from "../../src/base/errors.js";

/** One step from values to the values below them. `at`: where it stands in the template, from 0. */
export type Step = { readonly at: number } & (
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "wildcard" }
  /** All values that have others below them, at every depth. */
  | { readonly type: "recursive" }
  | { readonly type: "index"; readonly index: number }
  | { readonly type: "slice"; readonly from?: number; readonly to?: number; readonly step?: number }
  | { readonly type: "union"; readonly paths: readonly Path[] }
  | { readonly type: "filter"; readonly left: Operand; readonly comparison?: Comparison }
);

export type Path = readonly Step[];

export type Operator = "==" | "!=" | "<" | "<=" | ">" | ">=";

interface Comparison {
  readonly operator: Operator;
  readonly right: Operand;
}

export type Operand = { readonly path: Path } | { readonly literal: string | number | boolean | null };

/** A part of a template, in the order of printing. */
export type Part =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "values"; readonly path: Path }
  | { readonly type: "range"; readonly path: Path; readonly body: readonly Part[] };

/** Brackets in brackets and ranges in ranges. */
const depthMax = 32;

/** Longest template; a longer one is a mistake. */
const lengthMax = 64 * 1024;

/**
 * Parses a template in kubectl's JSONPath dialect: text, and in braces paths, quoted text, `range` and `end`.
 * @throws IkadaError BadRequest with the position of what makes no sense
 */
export function parseTemplate(template: string): readonly Part[] {
  return new Scanner(template).parts(undefined, 0);
}

/**
 * Parses one path as people write it for a column or a condition: `{.a.b}`, `.a.b` or `a.b`.
 * @throws IkadaError BadRequest with the position of what makes no sense
 */
export function parsePath(text: string): Path {
  return new Scanner(text).relaxedPath();
}

/** Text with a place in it: `at character 7` and the template with a mark below. */
function fault(template: string, at: number, message: string): IkadaError {
  // Only the line it is in, and not much of a long one.
  const start = Math.max(template.lastIndexOf("\n", at - 1) + 1, at - 60);
  const newline = template.indexOf("\n", at);
  const line = template.slice(start, Math.min(newline < 0 ? template.length : newline, at + 40)).replaceAll("\t", " ");
  return new IkadaError("BadRequest", `JSONPath, at character ${at + 1}: ${message}`, {
    hint: `${line}\n  ${" ".repeat(at - start)}^`,
  });
}

const operators: readonly Operator[] = ["==", "!=", "<=", ">=", "<", ">"];
const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", "0": "\0" };

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    if (text.length > lengthMax)
      throw new IkadaError("TooLarge", `a JSONPath template of ${text.length} characters; ${lengthMax} are allowed`);
  }

  /** Up to the end, or to the `{end}` of the range that begins at `range`. */
  parts(range: number | undefined, depth: number): Part[] {
    if (depth > depthMax) throw this.#fault("ranges are nested too deep");
    const parts: Part[] = [];
    for (;;) {
      const brace = this.#text.indexOf("{", this.#at);
      const text = this.#text.slice(this.#at, brace < 0 ? undefined : brace);
      if (text !== "") parts.push({ type: "text", text });
      if (brace < 0) {
        if (range !== undefined) throw fault(this.#text, range, "this range has no {end}");
        return parts;
      }
      this.#at = brace + 1;
      this.#space();
      const word = /^[A-Za-z_]\w*/.exec(this.#text.slice(this.#at, this.#at + 80))?.[0];
      if (word === "end") {
        if (range === undefined) throw this.#fault("there is no range that {end} could end");
        this.#at += word.length;
        this.#close(brace);
        return parts;
      }
      if (word === "range") {
        this.#at += word.length;
        this.#space();
        const path = this.#path(0, false);
        if (path.length === 0) throw this.#fault("a path is expected after range, for example {range .items[*]}");
        this.#close(brace);
        parts.push({ type: "range", path, body: this.parts(brace, depth + 1) });
      } else if (word !== undefined) {
        throw this.#fault(`there is no command "${word}"; a path begins with a dot: {.${word}}`);
      } else if (this.#isQuote()) {
        parts.push({ type: "text", text: this.#quoted() });
        this.#close(brace);
      } else {
        const path = this.#path(0, false);
        this.#close(brace);
        parts.push({ type: "values", path });
      }
    }
  }

  relaxedPath(): Path {
    this.#space();
    const braced = this.#text[this.#at] === "{";
    const brace = this.#at;
    if (braced) this.#at += 1;
    this.#space();
    const bare = !/[.$@[]/.test(this.#text[this.#at] ?? ".");
    const path = this.#path(0, false, bare);
    if (braced) this.#close(brace);
    this.#space();
    if (this.#at < this.#text.length) throw this.#fault(`"${this.#text[this.#at]}" is not expected here`);
    return path;
  }

  /** `bare`: it may begin with a name. */
  #path(depth: number, inFilter: boolean, bare = false): Step[] {
    if (depth > depthMax) throw this.#fault("brackets are nested too deep");
    const steps: Step[] = [];
    if (/[$@]/.test(this.#text[this.#at] ?? "")) this.#at += 1;
    else if (bare) steps.push(this.#field(inFilter));
    for (;;) {
      const at = this.#at;
      const next = this.#text[at];
      if (next === ".") {
        this.#at += 1;
        if (this.#text[this.#at] === ".") {
          this.#at += 1;
          steps.push({ type: "recursive", at });
          if (this.#text[this.#at] === "[") continue;
          steps.push(this.#field(inFilter));
        } else if (this.#text[this.#at] !== "[" && !this.#isEndOf(inFilter)) {
          steps.push(this.#field(inFilter));
        }
      } else if (next === "[") {
        this.#at += 1;
        steps.push(...this.#brackets(at, depth));
      } else {
        return steps;
      }
    }
  }

  #isEndOf(inFilter: boolean): boolean {
    const next = this.#text[this.#at];
    return next === undefined || (inFilter ? /[\s})=!<>,]/ : /[\s},]/).test(next);
  }

  #field(inFilter: boolean): Step {
    const at = this.#at;
    let name = "";
    const ends = inFilter ? /[\s.,[\]$@{}()=!<>&|]/ : /[\s.,[\]$@{}]/;
    for (let next = this.#text[this.#at]; next !== undefined && !ends.test(next); next = this.#text[this.#at]) {
      if (next === "\\") {
        this.#at += 1;
        name += this.#text[this.#at] ?? "";
      } else name += next;
      this.#at += 1;
    }
    if (name === "") throw this.#fault("the name of a field is expected here");
    return name === "*" ? { type: "wildcard", at } : { type: "field", name, at };
  }

  /** Behind `[`. */
  #brackets(at: number, depth: number): Step[] {
    this.#space();
    if (this.#text.startsWith("?(", this.#at)) return [this.#filter(at, depth)];
    const paths: Step[][] = [];
    for (;;) {
      this.#space();
      paths.push(this.#inBrackets(at, depth));
      this.#space();
      const next = this.#text[this.#at];
      this.#at += 1;
      if (next === "]") break;
      if (next === ",") continue;
      throw next === undefined
        ? fault(this.#text, at, "this bracket is not closed")
        : fault(this.#text, this.#at - 1, `"${next}" is not expected here: a number, FROM:TO:STEP, * or 'name'`);
    }
    return paths.length === 1 ? paths[0]! : [{ type: "union", paths, at }];
  }

  #inBrackets(at: number, depth: number): Step[] {
    const place = this.#at;
    if (this.#isQuote()) {
      const quoted = this.#quoted(true);
      // As kubectl: what is quoted is a path, so a dot in a name is written \. here too.
      const inner = new Scanner(`.${quoted}`);
      try {
        const path = inner.#path(depth + 1, false);
        if (inner.#at === quoted.length + 1 && path.length > 0)
          return path.map((step) => Object.assign(step, { at: place }));
      } catch (caught) {
        throw fault(this.#text, place, `'${quoted}' is no name of a field: ${IkadaError.from(caught).message}`);
      }
      throw fault(this.#text, place, `'${quoted}' is no name of a field; a dot in one is written \\.`);
    }
    if (this.#text[place] === "*") {
      this.#at += 1;
      return [{ type: "wildcard", at }];
    }
    const match = /^(-?\d{1,9})?(?:(:)(-?\d{1,9})?(?::(-?\d{1,9})?)?)?/.exec(this.#text.slice(place, place + 40))!;
    const [whole, first, colon, second, third] = match;
    if (whole === "") {
      if (this.#text[place] === undefined) throw fault(this.#text, at, "this bracket is not closed");
      throw this.#fault("a number, FROM:TO:STEP, *, 'name' or ?(…) is expected in brackets");
    }
    this.#at += whole.length;
    if (colon === undefined) return [{ type: "index", index: Number(first), at }];
    if (third !== undefined && Number(third) <= 0) throw fault(this.#text, place, "a step must be above 0");
    return [
      {
        type: "slice",
        ...(first === undefined ? {} : { from: Number(first) }),
        ...(second === undefined ? {} : { to: Number(second) }),
        ...(third === undefined ? {} : { step: Number(third) }),
        at,
      },
    ];
  }

  #filter(at: number, depth: number): Step {
    this.#at += 2;
    const left = this.#operand(depth);
    this.#space();
    const operator = operators.find((known) => this.#text.startsWith(known, this.#at));
    let comparison: Comparison | undefined;
    if (operator !== undefined) {
      this.#at += operator.length;
      comparison = { operator, right: this.#operand(depth) };
      this.#space();
    }
    if (this.#text.startsWith("&&", this.#at) || this.#text.startsWith("||", this.#at))
      throw this.#fault("a filter has one comparison; write a second filter behind it: [?(…)][?(…)]");
    if (this.#text[this.#at] !== ")") {
      if (this.#text[this.#at] === "=") throw this.#fault("to compare, write ==");
      throw this.#at >= this.#text.length
        ? fault(this.#text, at, "this filter is not closed: it ends with )]")
        : this.#fault("a comparison (==, !=, <, <=, >, >=) or the filter's end )] is expected here");
    }
    this.#at += 1;
    this.#space();
    if (this.#text[this.#at] !== "]") throw this.#fault("] is expected behind a filter");
    this.#at += 1;
    return { type: "filter", left, at, ...(comparison ? { comparison } : {}) };
  }

  #operand(depth: number): Operand {
    this.#space();
    if (this.#isQuote()) return { literal: this.#quoted() };
    const rest = this.#text.slice(this.#at, this.#at + 60);
    const word = /^(?:true|false|null)(?![\w.])/.exec(rest)?.[0];
    if (word !== undefined) {
      this.#at += word.length;
      return { literal: word === "null" ? null : word === "true" };
    }
    const number = /^[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])/.exec(rest)?.[0];
    if (number !== undefined) {
      this.#at += number.length;
      return { literal: Number(number) };
    }
    if (!/^[@$.[]/.test(rest))
      throw this.#at >= this.#text.length
        ? this.#fault("the filter ends too early: it ends with )]")
        : this.#fault(`a path (@.name), "text", a number, true or false is expected here`);
    return { path: this.#path(depth + 1, true) };
  }

  #isQuote(): boolean {
    const next = this.#text[this.#at];
    return next === '"' || next === "'";
  }

  /** `raw`: backslashes are kept, but for those before the quote. */
  #quoted(raw = false): string {
    const start = this.#at;
    const quote = this.#text[start];
    let value = "";
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const next = this.#text[this.#at]!;
      if (next === quote) {
        this.#at += 1;
        return value;
      }
      if (next !== "\\") {
        value += next;
        continue;
      }
      this.#at += 1;
      const escaped = this.#text[this.#at] ?? "";
      if (raw) value += escaped === quote ? escaped : `\\${escaped}`;
      else value += this.#escape(escaped);
    }
    throw fault(this.#text, start, "this quote is not closed");
  }

  #escape(character: string): string {
    const digits = { x: 2, u: 4 }[character];
    if (digits !== undefined) {
      const hex = this.#text.slice(this.#at + 1, this.#at + 1 + digits);
      if (hex.length < digits || !/^[0-9a-f]+$/i.test(hex))
        throw this.#fault(`\\${character} is followed by ${digits} hexadecimal digits`);
      this.#at += digits;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    return escapes[character] ?? character;
  }

  #close(brace: number): void {
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at += 1;
      return;
    }
    if (this.#at >= this.#text.length) throw fault(this.#text, brace, "this brace is not closed");
    throw this.#fault(`"${this.#text[this.#at]}" is not expected here: the path goes on with . or [, or ends with }`);
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #fault(message: string): IkadaError {
    return fault(this.#text, this.#at, message);
  }
}
