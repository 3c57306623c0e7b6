import type { FieldsV1 } from "./object.js";

/**
 * A set of field paths in the form that managedFields stores (Kubernetes' FieldsV1): nested path elements, where an
 * element is in the set when it has no children or has `.` among them. The root itself is never in the set.
 * Elements: `f:name` a field or map key, `k:{…}` a list item by its keys, `v:…` a list item by value.
 */
export type FieldSet = FieldsV1;

export function union(left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (inLeft, inRight) => inLeft || inRight);
}

export function intersection(left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (inLeft, inRight) => inLeft && inRight);
}

/** Exactly the paths of `left` that are not in `right`; what lies below a path of `right` stays. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  return combine(left, right, (inLeft, inRight) => inLeft && !inRight);
}

export function isEmptySet(set: FieldSet): boolean {
  return Object.keys(set).length === 0;
}

/** An element with what is below it; undefined when there is nothing to tell. */
export function elementNode(member: boolean, children: FieldSet): FieldSet | undefined {
  if (isEmptySet(children)) return member ? {} : undefined;
  return member ? { ".": {}, ...children } : children;
}

/** The paths as people read them: `.spec.replicas`, `.spec.template.spec.containers[name="web"].image`. */
export function pathsOf(set: FieldSet): readonly string[] {
  return Object.entries(set).flatMap(([element, node]) => {
    if (element === ".") return [];
    const step = stepText(element);
    const below = pathsOf(node).map((path) => `${step}${path}`);
    return isMember(node) ? [step].concat(below) : below;
  });
}

/** As pathsOf, without those that others lie below. */
export function leafPathsOf(set: FieldSet): readonly string[] {
  return Object.entries(set).flatMap(([element, node]) => {
    if (element === ".") return [];
    const step = stepText(element);
    const below = leafPathsOf(node);
    return below.length === 0 ? [step] : below.map((path) => `${step}${path}`);
  });
}

function combine(
  left: FieldSet | undefined,
  right: FieldSet | undefined,
  keep: (inLeft: boolean, inRight: boolean) => boolean,
): FieldSet {
  const result: Record<string, FieldSet> = {};
  const elements = new Set([...Object.keys(left ?? {}), ...Object.keys(right ?? {})]);
  elements.delete(".");
  for (const element of [...elements].sort()) {
    const [a, b] = [left?.[element], right?.[element]];
    const node = elementNode(keep(isMember(a), isMember(b)), combine(a, b, keep));
    if (node !== undefined) result[element] = node;
  }
  return result;
}

function isMember(node: FieldSet | undefined): boolean {
  return node !== undefined && (isEmptySet(node) || Object.hasOwn(node, "."));
}

function stepText(element: string): string {
  const rest = element.slice(2);
  if (element.startsWith("f:")) return /^[A-Za-z0-9_]+$/.test(rest) ? `.${rest}` : `[${JSON.stringify(rest)}]`;
  if (element.startsWith("v:")) return `[=${rest}]`;
  const keys = Object.entries(JSON.parse(rest) as Readonly<Record<string, unknown>>);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
}
