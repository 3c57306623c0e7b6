/** The value at a path of own fields, or undefined when any of them is missing: for printing and selecting, never for deciding. */
export function valueAt(value: unknown, ...path: readonly (string | number)[]): unknown {
  let at: unknown = value;
  for (const step of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Readonly<Record<string | number, unknown>>)[step];
  }
  return at;
}

/** The list at a path; empty when there is none. */
export function listAt(value: unknown, ...path: readonly (string | number)[]): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The text at a path; numbers and booleans in JSON's form; `otherwise` when there is none or it is empty. */
export function textAt(value: unknown, path: readonly (string | number)[], otherwise = ""): string {
  const found = valueAt(value, ...path);
  if (typeof found === "string") return found === "" ? otherwise : found;
  return typeof found === "number" || typeof found === "boolean" ? String(found) : otherwise;
}

/** The whole number at a path; 0 when there is none. */
export function countAt(value: unknown, ...path: readonly (string | number)[]): number {
  const found = valueAt(value, ...path);
  return typeof found === "number" ? found : 0;
}
