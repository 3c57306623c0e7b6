import { decodeBase64 } from "../../src/api/base64.js";
import type { ConfigMap, Secret } from "../../src/api/kinds/core.js";
import type { Container, EnvFromSource, EnvVar, KeySelector, Pod } from "../../src/api/kinds/pod.js";

import { resourceField } from "./resource-field.js";

/** Where the values of environment variables come from. */
export interface EnvironmentSources {
  readonly pod: Pod;
  readonly podIP: string;
  readonly hostIP: string;
  readonly nodeName: string;
  /** What the node has to give, for limits that are not set. */
  readonly allocatable: Readonly<Record<string, string>>;
  configMap(namespace: string, name: string): ConfigMap | undefined;
  secret(namespace: string, name: string): Secret | undefined;
}

export interface Environment {
  readonly variables: readonly (readonly [string, string])[];
  readonly command: readonly string[];
  readonly args: readonly string[];
}

/**
 * The environment of a container as Kubernetes makes it: envFrom in order, then env, later ones win; `$(NAME)` in values, command and
 * args stands for an earlier variable, `$$(NAME)` for itself. A string is why it can't be made, for the waiting message; it holds no value.
 */
export function resolveEnvironment(container: Container, sources: EnvironmentSources): Environment | string {
  const variables = new Map<string, string>();
  for (const source of container.envFrom ?? []) {
    const data = dataOf(source, sources);
    if (typeof data === "string") return data;
    for (const [key, value] of data) {
      const name = `${source.prefix ?? ""}${key}`;
      if (isVariableName(name)) variables.set(name, value);
    }
  }
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, container, variables, sources);
    if (value === undefined) continue;
    if (typeof value !== "string") return value.error;
    // Set anew, so that the order is that of the last definition.
    variables.delete(variable.name);
    variables.set(variable.name, value);
  }
  return {
    variables: [...variables],
    command: (container.command ?? []).map((word) => expand(word, variables)),
    args: (container.args ?? []).map((word) => expand(word, variables)),
  };
}

/** Replaces `$(NAME)`; names that are not there and lone dollars stay as they are (Kubernetes' third_party/forked/golang/expansion). */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(?:\$|\(([^()]*)\))/g, (match, name: string | undefined) => {
    if (name === undefined) return "$";
    return variables.get(name) ?? match;
  });
}

function isVariableName(name: string): boolean {
  return name !== "" && !name.includes("=") && !name.includes("\0");
}

type Value = string | { readonly error: string } | undefined;

function valueOf(
  variable: EnvVar,
  container: Container,
  variables: ReadonlyMap<string, string>,
  sources: EnvironmentSources,
): Value {
  const { value, valueFrom } = variable;
  if (valueFrom === undefined) return expand(value ?? "", variables);
  const { configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  if (configMapKeyRef) return keyOf("ConfigMap", configMapKeyRef, sources);
  if (secretKeyRef) return keyOf("Secret", secretKeyRef, sources);
  if (fieldRef) return fieldOf(fieldRef.fieldPath, sources);
  if (resourceFieldRef) {
    const amount = resourceField(resourceFieldRef, sources.pod, container, sources.allocatable);
    return amount ?? { error: `environment variable ${variable.name}: there is no ${resourceFieldRef.resource}` };
  }
  return { error: `environment variable ${variable.name}: valueFrom names no source` };
}

function keyOf(kind: "ConfigMap" | "Secret", selector: KeySelector, sources: EnvironmentSources): Value {
  const namespace = sources.pod.metadata.namespace ?? "default";
  const data = dataOfKind(kind, namespace, selector.name, sources);
  const value = data?.get(selector.key);
  if (value !== undefined) return value;
  if (selector.optional) return undefined;
  if (data === undefined) return { error: `${kind.toLowerCase()} "${selector.name}" not found` };
  return { error: `couldn't find key ${selector.key} in ${kind} ${namespace}/${selector.name}` };
}

function dataOf(source: EnvFromSource, sources: EnvironmentSources): ReadonlyMap<string, string> | string {
  const [kind, reference] = source.configMapRef
    ? (["ConfigMap", source.configMapRef] as const)
    : (["Secret", source.secretRef] as const);
  if (reference === undefined) return "envFrom names no source";
  const namespace = sources.pod.metadata.namespace ?? "default";
  const data = dataOfKind(kind, namespace, reference.name, sources);
  if (data !== undefined) return data;
  return reference.optional ? new Map() : `${kind.toLowerCase()} "${reference.name}" not found`;
}

function dataOfKind(
  kind: "ConfigMap" | "Secret",
  namespace: string,
  name: string,
  sources: EnvironmentSources,
): ReadonlyMap<string, string> | undefined {
  if (kind === "ConfigMap") {
    const object = sources.configMap(namespace, name);
    return object && new Map(Object.entries(object.data ?? {}));
  }
  const object = sources.secret(namespace, name);
  if (object === undefined) return undefined;
  const decoder = new TextDecoder();
  const entries = Object.entries(object.data ?? {});
  return new Map(entries.map(([key, value]) => [key, decoder.decode(decodeBase64(value) ?? new Uint8Array())]));
}

/** A field of the Pod as a text; an object with `error` when there is none of this path. */
export function fieldOf(
  path: string,
  sources: Pick<EnvironmentSources, "pod" | "podIP" | "hostIP" | "nodeName">,
): string | { readonly error: string } {
  const { metadata } = sources.pod;
  const keyed = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (keyed) return metadata[keyed[1] as "labels" | "annotations"]?.[keyed[2] as string] ?? "";
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "default";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "spec.nodeName":
      return sources.nodeName;
    case "spec.serviceAccountName":
      return sources.pod.spec.serviceAccountName ?? "default";
    case "status.podIP":
    case "status.podIPs":
      return sources.podIP;
    case "status.hostIP":
    case "status.hostIPs":
      return sources.hostIP;
    default:
      return { error: `unsupported fieldPath: ${path}` };
  }
}
