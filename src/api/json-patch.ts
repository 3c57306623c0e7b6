import { IkadaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { cloneJson, sameJson } from "./json.js";

/**
 * What a JSON patch (RFC 6902) makes of `target`: all of its operations in order, or an error and nothing. Neither argument is
 * changed. What it copies and moves is bounded, so that a small patch makes nothing huge.
 * @throws IkadaError BadRequest for what is no JSON patch, Invalid for an operation that does not fit the object, Conflict for a
 *   `test` that fails, TooLarge; each but the last names the operation by its place from 0 on and its path
 */
export function jsonPatch(target: object, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw new IkadaError("BadRequest", "a JSON patch is a list of operations");
  if (patch.length > limits.patchOperationsMax)
    throw new IkadaError(
      "TooLarge",
      `a JSON patch of ${patch.length} operations; ${limits.patchOperationsMax} are allowed`,
    );
  const document = new Document(target);
  for (const [at, given] of (patch as readonly unknown[]).entries()) document.run(new Operation(at, given));
  return document.value;
}

type Parent = Record<string, unknown> | unknown[];
/** The steps to a place; the first leads from the document's holder to the document. */
type Pointer = readonly [string, ...string[]];

/** One operation and its place in the patch. */
class Operation {
  readonly name: string;
  readonly #at: number;
  readonly #given: Readonly<Record<string, unknown>>;

  constructor(at: number, given: unknown) {
    this.#at = at;
    this.#given = isRecord(given) ? given : {};
    this.name = typeof this.#given["op"] === "string" ? this.#given["op"] : "";
    if (!isRecord(given)) this.fail("BadRequest", "", `is no operation, but ${given === null ? "null" : typeof given}`);
  }

  /** A member that must be there; null counts as being there. */
  get value(): unknown {
    if (!Object.hasOwn(this.#given, "value") || this.#given["value"] === undefined)
      this.fail("BadRequest", ".value", `"${this.name}" needs a value`);
    return this.#given["value"];
  }

  /** RFC 6901. */
  pointer(member: "path" | "from"): Pointer {
    const text = this.#given[member];
    const field = `.${member}`;
    if (typeof text !== "string") this.fail("BadRequest", field, `"${this.name}" needs a ${member}, as text`);
    if (text !== "" && !text.startsWith("/"))
      this.fail("BadRequest", field, `${member} "${shown(text)}" begins with no /`);
    if (/~(?![01])/.test(text))
      this.fail("BadRequest", field, `${member} "${shown(text)}" has a ~ that is neither ~0 nor ~1`);
    const steps = text.split("/").slice(1);
    const names = steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (names.includes("__proto__")) this.fail("BadRequest", field, `${member} may not name __proto__`);
    return [root, ...names];
  }

  /** `field` is the member of the operation that is at fault: `.path`. */
  fail(reason: "BadRequest" | "Invalid" | "Conflict", field: string, message: string): never {
    const path = this.#given["path"];
    const shownPath = typeof path === "string" ? ` ${shown(path)}` : "";
    const place = `patch[${this.#at}]`;
    const what = this.name === "" ? place : `${place} (${shown(this.name)}${shownPath})`;
    throw new IkadaError(reason, `${what}: ${message}`, {
      faults: [{ field: `${place}${field}`, reason: reason === "Conflict" ? "Conflict" : "Invalid", message }],
    });
  }
}

/** The target as it changes, held so that the whole of it is a member like any other. */
class Document {
  readonly #holder: Record<string, unknown>;
  #bytesLeft: number = limits.objectBytesMax;

  constructor(target: object) {
    this.#holder = { [root]: cloneJson(target) };
  }

  get value(): unknown {
    return this.#holder[root];
  }

  run(operation: Operation): void {
    const path = operation.pointer("path");
    switch (operation.name) {
      case "add":
        return this.#add(operation, path, cloneJson(operation.value));
      case "remove":
        return void this.#remove(operation, path, ".path");
      case "replace":
        return this.#replace(operation, path, cloneJson(operation.value));
      case "move": {
        const from = operation.pointer("from");
        if (from.length < path.length && from.every((step, at) => step === path[at]))
          operation.fail("Invalid", ".from", "nothing can be moved into itself");
        const value = this.#remove(operation, from, ".from");
        this.#spend(value);
        return this.#add(operation, path, value);
      }
      case "copy": {
        const value = this.#find(operation, operation.pointer("from"), ".from");
        this.#spend(value);
        return this.#add(operation, path, cloneJson(value));
      }
      case "test":
        if (!sameJson(this.#find(operation, path, ".path"), operation.value))
          operation.fail("Conflict", ".value", "the present value is another one");
        return;
      default:
        operation.fail("BadRequest", ".op", "op is none of add, remove, replace, move, copy, test");
    }
  }

  #add(operation: Operation, path: Pointer, value: unknown): void {
    this.#checkDepth(operation, path, value);
    const { parent, last } = this.#parentOf(operation, path, ".path");
    if (Array.isArray(parent))
      parent.splice(last === "-" ? parent.length : place(operation, last, parent.length), 0, value);
    else parent[last] = value;
  }

  #replace(operation: Operation, path: Pointer, value: unknown): void {
    this.#checkDepth(operation, path, value);
    this.#find(operation, path, ".path");
    const { parent, last } = this.#parentOf(operation, path, ".path");
    if (Array.isArray(parent)) parent[Number(last)] = value;
    else parent[last] = value;
  }

  #remove(operation: Operation, path: Pointer, member: ".path" | ".from"): unknown {
    const value = this.#find(operation, path, member);
    const { parent, last } = this.#parentOf(operation, path, member);
    if (Array.isArray(parent)) parent.splice(Number(last), 1);
    else delete parent[last];
    return value;
  }

  #find(operation: Operation, path: Pointer, member: ".path" | ".from"): unknown {
    const { parent, last } = this.#parentOf(operation, path, member);
    return valueIn(operation, parent, last, member);
  }

  #parentOf(
    operation: Operation,
    path: Pointer,
    member: ".path" | ".from",
  ): { readonly parent: Parent; readonly last: string } {
    let parent: Parent = this.#holder;
    for (const step of path.slice(0, -1)) {
      const next = valueIn(operation, parent, step, member);
      if (!isRecord(next) && !Array.isArray(next))
        operation.fail("Invalid", member, `"${shown(step)}" holds neither fields nor items`);
      parent = next as Parent;
    }
    return { parent, last: path.at(-1) ?? root };
  }

  #checkDepth(operation: Operation, path: Pointer, value: unknown): void {
    if (isDeeper(value, limits.objectDepthMax - path.length))
      operation.fail("Invalid", ".path", `the object would be nested deeper than ${limits.objectDepthMax} levels`);
  }

  #spend(value: unknown): void {
    this.#bytesLeft -= jsonBytes(value);
    if (this.#bytesLeft >= 0) return;
    throw new IkadaError(
      "TooLarge",
      `the JSON patch copies and moves more than the ${limits.objectBytesMax} bytes that an object may have`,
    );
  }
}

function valueIn(operation: Operation, parent: Parent, step: string, member: ".path" | ".from"): unknown {
  if (Array.isArray(parent)) {
    if (step === "-") operation.fail("Invalid", member, '"-" is the place behind the last item, where nothing is');
    return parent[place(operation, step, parent.length - 1, member)];
  }
  if (Object.hasOwn(parent, step)) return parent[step];
  return operation.fail("Invalid", member, `there is no "${shown(step)}"`);
}

/** An index up to `max`. RFC 6901 allows no sign and no leading zero. */
function place(operation: Operation, step: string, max: number, member: ".path" | ".from" = ".path"): number {
  if (!/^(0|[1-9]\d{0,8})$/.test(step)) operation.fail("Invalid", member, `"${shown(step)}" is no index of a list`);
  if (Number(step) > max) operation.fail("Invalid", member, `index ${step} is behind the end of the list`);
  return Number(step);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels <= 0 || Object.values(value).some((part) => isDeeper(part, levels - 1));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Of its text without spaces, in UTF-8. */
function jsonBytes(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

/** Short, so that no message carries a whole document. */
function shown(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

const root = "";
