/** Fields of a swarm by their dotted paths, and the values that the seed does not draw. */
export type Overrides = Readonly<Record<string, Value>>;
export type Value = string | number | boolean;

/** Sets fields of a drawn world. Throws when there is no such field, or it is of another type. */
export function override(target: object, overrides: Overrides): void {
  for (const [path, value] of Object.entries(overrides)) {
    const names = path.split(".");
    const last = names.pop() ?? "";
    let parent = target as Record<string, unknown>;
    for (const name of names) parent = (parent[name] ?? {}) as Record<string, unknown>;
    if (typeof parent[last] !== typeof value) throw new Error(`a world has no ${typeof value} ${path}`);
    parent[last] = value;
  }
}

/** All fields of a swarm by their dotted paths. */
export function flatten(swarm: object, prefix = ""): Map<string, Value> {
  const fields = new Map<string, Value>();
  for (const [name, value] of Object.entries(swarm)) {
    if (typeof value !== "object") fields.set(prefix + name, value as Value);
    else for (const [path, inner] of flatten(value as object, `${prefix}${name}.`)) fields.set(path, inner);
  }
  return fields;
}

/** `path=value` as on the command line. */
export function parseOverride(text: string): readonly [string, Value] {
  const [path = "", value = ""] = text.split("=", 2);
  if (value === "true" || value === "false") return [path, value === "true"];
  const number = Number(value);
  return [path, value === "" || Number.isNaN(number) ? value : number];
}

export function overridesText(overrides: Overrides): string {
  return Object.entries(overrides)
    .map(([path, value]) => ` --set ${path}=${value}`)
    .join("");
}
