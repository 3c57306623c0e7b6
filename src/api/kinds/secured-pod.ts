import type { Container, PodSpec } from "./pod.js";

export interface SecuredPod {
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly spec: PodSpec;
  /** Where the spec stands in its object: `spec`, or `spec.template.spec`. */
  readonly path: string;
}

/** Takes a field that a level does not allow, and what it may be. */
export type Forbid = (field: string, message: string) => void;

/** All containers of a spec with where they stand. */
export function containersAt({ spec, path }: SecuredPod): readonly (readonly [Container, string])[] {
  const of = (name: "initContainers" | "containers" | "ephemeralContainers") =>
    ((spec[name] ?? []) as readonly Container[]).map((container, at) => [container, `${path}.${name}[${at}]`] as const);
  return [...of("initContainers"), ...of("containers"), ...of("ephemeralContainers")];
}

/** `CAP_NET_RAW` and `NET_RAW` are the same. */
export function capabilityName(name: string): string {
  const upper = name.toUpperCase();
  return upper.startsWith("CAP_") ? upper.slice(4) : upper;
}
