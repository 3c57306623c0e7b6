import type { FieldFault } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { decodeValue } from "./decode-value.js";
import { Faults } from "./faults.js";
import { apiVersionOf, type KindDefinition } from "./kind.js";
import type { AnyObject } from "./object.js";
import { findKindByApiVersion, kinds } from "./registry.js";

/** What came of reading an object: with faults there is none to go on with. */
export interface Decoded {
  readonly object: AnyObject | undefined;
  readonly kind: KindDefinition | undefined;
  readonly faults: readonly FieldFault[];
  /** For people: fields that are kept but not acted on. */
  readonly warnings: readonly string[];
}

export interface DecodeOptions {
  /**
   * `whole`: an object to create or to replace another. `applied`: what a manager wants to be true, for server-side
   * apply; must not carry managedFields.
   */
  readonly mode: "whole" | "applied";
}

/**
 * Reads an object from JSON bytes or a parsed value: bounds on size and depth first, then every field's type against
 * the kind's table. All faults are told, with their paths. Absent and null are one; quantities and times come out
 * in canonical form. Values are judged later, by `validateObject`, after defaulting.
 */
export function decodeObject(input: Uint8Array | object, options: DecodeOptions): Decoded {
  const faults = new Faults();
  const value = input instanceof Uint8Array ? parseBounded(input, faults) : checkDepth(input, faults);
  if (value === undefined) return nothing(faults);
  if (!isRecord(value)) {
    faults.add("", "TypeMismatch", "an object is a JSON object with apiVersion, kind and metadata");
    return nothing(faults);
  }
  const kind = kindOfValue(value, faults);
  if (kind === undefined) return nothing(faults);
  const warnings: string[] = [];
  const object = decodeValue(value, kind.schema, { faults, warnings }) as AnyObject | undefined;
  if (object !== undefined && !isRecord(value["metadata"])) faults.add("metadata", "Required", "names the object");
  if (options.mode === "applied" && object?.metadata?.managedFields !== undefined)
    faults.add("metadata.managedFields", "Invalid", "must be absent in what is applied: it is the server's to write");
  return { object: faults.list.length === 0 ? object : undefined, kind, faults: faults.list, warnings };
}

function nothing(faults: Faults): Decoded {
  return { object: undefined, kind: undefined, faults: faults.list, warnings: [] };
}

function kindOfValue(value: Readonly<Record<string, unknown>>, faults: Faults): KindDefinition | undefined {
  const { apiVersion, kind } = value as { readonly apiVersion?: unknown; readonly kind?: unknown };
  for (const [field, given] of Object.entries({ apiVersion, kind }))
    if (typeof given !== "string" || given === "") faults.add(field, "Required", "says what the object is, as text");
  if (typeof apiVersion !== "string" || typeof kind !== "string" || faults.list.length > 0) return undefined;
  const found = findKindByApiVersion(apiVersion, kind);
  if (found !== undefined) return found;
  const alike = kinds.find((known) => known.kind.toLowerCase() === kind.toLowerCase());
  if (alike === undefined) faults.add("kind", "NotSupported", `there is no kind "${kind}" in Ikada`);
  else if (alike.kind !== kind)
    faults.add("kind", "NotSupported", `there is no kind "${kind}"; did you mean ${alike.kind}?`);
  else faults.add("apiVersion", "NotSupported", `${kind} is in "${apiVersionOf(alike)}", not in "${apiVersion}"`);
  return undefined;
}

function parseBounded(bytes: Uint8Array, faults: Faults): unknown {
  if (bytes.length > limits.objectBytesMax) {
    faults.add(
      "",
      "TooLong",
      `${bytes.length} bytes are more than the ${limits.objectBytesMax} that one object may have`,
    );
    return undefined;
  }
  if (jsonDepth(bytes) > limits.objectDepthMax) {
    tooDeep(faults);
    return undefined;
  }
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (caught) {
    faults.add("", "Invalid", `is no JSON: ${caught instanceof Error ? caught.message : String(caught)}`);
    return undefined;
  }
}

/** Depth of nesting of JSON text, counted without building anything, so that hostile input costs no stack. */
export function jsonDepth(bytes: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  let inText = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inText) {
      if (byte === 0x5c) at += 1;
      else if (byte === 0x22) inText = false;
    } else if (byte === 0x22) inText = true;
    else if (byte === 0x7b || byte === 0x5b) deepest = Math.max(deepest, (depth += 1));
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return deepest;
}

/** For parsed input: levels are walked one by one, so that depth costs no stack either. */
function checkDepth(value: object, faults: Faults): object | undefined {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limits.objectDepthMax) {
      tooDeep(faults);
      return undefined;
    }
    level = level.flatMap((part) =>
      typeof part === "object" && part !== null ? (Object.values(part) as unknown[]) : [],
    );
  }
  return value;
}

function tooDeep(faults: Faults): void {
  faults.add("", "TooLong", `is nested deeper than the ${limits.objectDepthMax} levels that an object may have`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const decoder = new TextDecoder("utf-8", { fatal: true });
