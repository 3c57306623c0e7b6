import type { FieldFault } from "../base/errors.js";
import type { AnyObject } from "./object.js";
import type { ObjectSchema } from "./schema.js";

/** Everything Ikada knows of one kind. To add a kind, write one of these and list it in registry.ts. */
export interface KindDefinition {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** Names for several kinds at once: `all`. */
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  readonly schema: ObjectSchema;
  /** Names of objects of this kind. */
  readonly nameFormat: "dnsLabel" | "dnsSubdomain";
  /** `status` is written apart from the rest, by its own subresource. */
  readonly hasStatus: boolean;
  readonly hasScale: boolean;
  /** Fields that a field selector may name, beside metadata.name and metadata.namespace. */
  readonly selectableFields: readonly string[];
  readonly columns: readonly Column[];
  /** Turns fields that are only written into those that are stored; runs before anything else looks at the object. */
  readonly fold?: (draft: Draft) => void;
  /** Defaults that depend on other fields; runs after those of the table, on a mutable copy. */
  readonly complete?: (draft: Draft) => void;
  /**
   * Sets what follows from a new object's name and uid, once, before it is checked. `givenUid`: the uid in what was sent, when it was made from
   * a stored object.
   */
  readonly prepare?: (draft: Draft, givenUid: string | undefined) => void;
  /** Rules across fields, for an object whose fields each pass the table's rules. */
  readonly rules?: (object: AnyObject, faults: FieldFault[]) => void;
  /** Rules about a change, beside `immutable` in the table. */
  readonly updateRules?: (before: AnyObject, after: AnyObject, faults: FieldFault[]) => void;
}

/** One printed column, as in Kubernetes' Table. */
export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "date";
  /** 0: always shown; above: only with `-o wide`. */
  readonly priority: number;
  readonly description: string;
  /** The printed text. `now` is wall time in milliseconds. Never throws on an object that misses fields. */
  readonly cell: (object: AnyObject, now: number) => string;
}

/** An object under construction. */
export type Draft = { [field: string]: unknown };

/** `apps/v1`, or `v1` in the core group. */
export function apiVersionOf(kind: Pick<KindDefinition, "group" | "version">): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** `apps/Deployment`, `/Pod`: a kind's identity without its version. */
export function groupKindOf(kind: Pick<KindDefinition, "group" | "kind">): string {
  return `${kind.group}/${kind.kind}`;
}

/** `deployments.apps`, `pods`: a kind as users and errors name it. */
export function qualifiedPlural(kind: Pick<KindDefinition, "group" | "plural">): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

/** `deployments.apps "web"`: an object as errors name it. */
export function objectName(kind: Pick<KindDefinition, "group" | "plural">, name: string): string {
  return `${qualifiedPlural(kind)} "${name}"`;
}
