/** What a container's `image` says: `[registry/]path[:tag][@digest]`. */
interface ImageReference {
  /** `docker.io` when none is named. */
  readonly registry: string;
  /** With `library/` before official images of Docker Hub. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

/** Undefined when no engine could take it, as the grammar of distribution/reference has it. */
export function parseImageReference(text: string): ImageReference | undefined {
  const match = /^([^@]+?)(?::(\w[\w.-]{0,127}))?(?:@([a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}))?$/.exec(text);
  const name = match?.[1] ?? "";
  if (match === null || name.length > nameLengthMax || /^[0-9a-f]{64}$/.test(name)) return undefined;
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const named = first.includes(".") || first.includes(":") || first === "localhost" || first !== first.toLowerCase();
  const registry = named ? first : hub;
  const path = named ? name.slice(slash + 1) : slash < 0 ? `library/${name}` : name;
  if (named && !/^(?:\[[0-9a-fA-F:]+\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::\d+)?$/.test(registry))
    return undefined;
  if (!path.split("/").every((part) => /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/.test(part))) return undefined;
  return { registry, path, tag: match[2], digest: match[3] };
}

const hub = "docker.io";
const nameLengthMax = 255;

/** As engines list it: `busybox:latest` for `docker.io/library/busybox`; a digest stands alone, without the tag it came with. */
export function taggedReference(reference: string): string {
  const parsed = parseImageReference(reference);
  // A name of another kind, or none: the engine says what it thinks of it.
  if (parsed === undefined) return reference;
  const { registry, path, tag = "latest", digest } = parsed;
  const name = registry === hub ? path.replace(/^library\/(?!.*\/)/, "") : `${registry}/${path}`;
  return digest === undefined ? `${name}:${tag}` : `${name}@${digest}`;
}
