import type { StringFormat } from "./format.js";

/**
 * What is true of one field of one kind. One table of these per kind drives decoding, defaulting,
 * validation, server-side apply and the printed documentation, so that they cannot disagree.
 */
export type Schema =
  | StringSchema
  | IntegerSchema
  | BooleanSchema
  | IntOrStringSchema
  | QuantitySchema
  | TimeSchema
  | BytesSchema
  | MapSchema
  | ListSchema
  | ObjectSchema
  | AnySchema;

/** A parsed JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [key: string]: Json };

/** True of fields of every type. */
export interface FieldTraits {
  /** Must be there after defaulting; an empty string, list or map counts as missing. */
  readonly required?: true;
  /** Put in when the field is absent and its parent is there. */
  readonly default?: Json;
  /** May not change once the object exists. */
  readonly immutable?: true;
  /** Known to Kubernetes and not acted on by Ikada: kept, and answered with a warning unless the value is one of these (Kubernetes' own default). */
  readonly keptUnless?: readonly Json[];
  /** Ignoring it would break a promise of security or data: refused with this reason, unless the value is empty or false. */
  readonly refused?: string;
}

export interface StringSchema extends FieldTraits {
  readonly type: "string";
  readonly enum?: readonly string[];
  readonly format?: StringFormat;
  /** In UTF-16 code units. */
  readonly lengthMax?: number;
}

export interface IntegerSchema extends FieldTraits {
  readonly type: "integer";
  readonly minimum: number;
  readonly maximum: number;
}

export interface BooleanSchema extends FieldTraits {
  readonly type: "boolean";
}

/** A whole number, or text such as `25%` or a port's name. */
export interface IntOrStringSchema extends FieldTraits {
  readonly type: "intOrString";
}

/** `100m`, `1.5Gi`; decoded to the canonical string. */
export interface QuantitySchema extends FieldTraits {
  readonly type: "quantity";
}

/** RFC 3339; decoded to UTC with whole seconds, or six decimals when `micro`. */
export interface TimeSchema extends FieldTraits {
  readonly type: "time";
  readonly micro?: true;
}

/** Standard base64 with padding. */
export interface BytesSchema extends FieldTraits {
  readonly type: "bytes";
}

export interface MapSchema extends FieldTraits {
  readonly type: "map";
  readonly values: Schema;
  readonly keyFormat?: StringFormat;
  /** Owned and replaced as a whole by server-side apply. */
  readonly atomic?: true;
}

/**
 * `atomic`: owned as a whole. `set`: scalars, each owned by value. `map`: items found by `mapKeys`.
 * `mergeKey` is that of Kubernetes' strategic merge patch, where it differs from the first of `mapKeys`; null: such a patch
 * replaces the list as a whole.
 */
export interface ListSchema extends FieldTraits {
  readonly type: "list";
  readonly items: Schema;
  readonly listType: "atomic" | "set" | "map";
  readonly mapKeys?: readonly string[];
  readonly mergeKey?: string | null;
}

export interface ObjectSchema extends FieldTraits {
  readonly type: "object";
  readonly fields: Readonly<Record<string, Schema>>;
  readonly atomic?: true;
  /** Only the member that the discriminator names may be set; apply drops the others when nobody owns them. */
  readonly union?: { readonly discriminator: string; readonly members: Readonly<Record<string, string>> };
}

/** Any JSON, not looked into, owned as a whole. */
export interface AnySchema extends FieldTraits {
  readonly type: "any";
}

type Options<S extends Schema> = Omit<S, "type">;

export function string(options: Options<StringSchema> = {}): StringSchema {
  return { type: "string", ...options };
}

/** A string with one of these values. */
export function oneOf(values: readonly string[], options: Options<StringSchema> = {}): StringSchema {
  return { type: "string", enum: values, ...options };
}

type Range = Partial<Pick<IntegerSchema, "minimum" | "maximum">> & FieldTraits;

/** A 32-bit integer; not negative unless told otherwise. */
export function int32(options: Range = {}): IntegerSchema {
  return { type: "integer", minimum: 0, maximum: 2 ** 31 - 1, ...options };
}

/** A 64-bit integer as far as JSON carries it exactly; not negative unless told otherwise. */
export function int64(options: Range = {}): IntegerSchema {
  return { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER, ...options };
}

export function boolean(options: FieldTraits = {}): BooleanSchema {
  return { type: "boolean", ...options };
}

export function intOrString(options: FieldTraits = {}): IntOrStringSchema {
  return { type: "intOrString", ...options };
}

export function quantity(options: FieldTraits = {}): QuantitySchema {
  return { type: "quantity", ...options };
}

export function time(options: Options<TimeSchema> = {}): TimeSchema {
  return { type: "time", ...options };
}

export function bytes(options: FieldTraits = {}): BytesSchema {
  return { type: "bytes", ...options };
}

export function mapOf(values: Schema, options: Omit<Options<MapSchema>, "values"> = {}): MapSchema {
  return { type: "map", values, ...options };
}

export function atomicList(items: Schema, options: FieldTraits & { readonly mergeKey?: string } = {}): ListSchema {
  return { type: "list", items, listType: "atomic", ...options };
}

export function setOf(items: Schema, options: FieldTraits = {}): ListSchema {
  return { type: "list", items, listType: "set", ...options };
}

/** A list whose items are found by these fields. */
export function listBy(
  mapKeys: readonly string[],
  items: ObjectSchema,
  options: FieldTraits & { readonly mergeKey?: string | null } = {},
): ListSchema {
  return { type: "list", items, listType: "map", mapKeys, ...options };
}

export function object(
  fields: Readonly<Record<string, Schema>>,
  options: Omit<Options<ObjectSchema>, "fields"> = {},
): ObjectSchema {
  return { type: "object", fields, ...options };
}

export function any(options: FieldTraits = {}): AnySchema {
  return { type: "any", ...options };
}

/** The same field, kept but not acted on; no warning for Kubernetes' default values given here. */
export function kept<S extends Schema>(schema: S, ...unless: readonly Json[]): S {
  return { ...schema, keptUnless: unless };
}

/** The same field, refused for this reason unless empty or false. */
export function refused<S extends Schema>(schema: S, reason: string): S {
  return { ...schema, refused: reason };
}

export function required<S extends Schema>(schema: S): S {
  return { ...schema, required: true };
}

export function immutable<S extends Schema>(schema: S): S {
  return { ...schema, immutable: true };
}
