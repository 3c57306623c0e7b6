import { decodeBase64 } from "../../src/api/base64.js";
import type { Secret } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { parseImageReference } from "../../src/api/image-reference.js";

/** Who pulls. Goes to the engine with a pull and nowhere else: not to a log, a status or a message. */
export interface RegistryCredentials {
  readonly registry: string;
  readonly username: string;
  readonly password: string;
  /** In place of name and password, where a registry gave one. */
  readonly identityToken: string;
}

export interface PullSecrets {
  /** To be tried one after the other. */
  readonly credentials: readonly RegistryCredentials[];
  /** What is wrong with the Pod's imagePullSecrets, without anything of what is in them. */
  readonly faults: readonly string[];
}

/**
 * What a Pod's imagePullSecrets have for an image, the most exact match first, as kubelet does it. A Secret that is missing or can't be read
 * does not keep an image from being pulled without it; it is told when the pull fails.
 */
export function pullSecrets(
  pod: Pod,
  image: string,
  secret: (namespace: string, name: string) => Secret | undefined,
): PullSecrets {
  const wanted = parseImageReference(image);
  const credentials: { readonly key: string; readonly value: RegistryCredentials }[] = [];
  const faults: string[] = [];
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    const found = secret(pod.metadata.namespace ?? "default", name);
    if (found === undefined) {
      faults.push(`secret "${name}" not found`);
      continue;
    }
    const registries = registriesIn(found);
    if (typeof registries === "string") {
      faults.push(`secret "${name}": ${registries}`);
      continue;
    }
    for (const [key, entry] of Object.entries(registries)) {
      if (wanted === undefined || !matches(key, wanted.registry, wanted.path)) continue;
      const value = credentialsOf(wanted.registry, entry);
      if (value === undefined) faults.push(`secret "${name}": no username and password for ${wanted.registry}`);
      else credentials.push({ key, value });
    }
  }
  credentials.sort((left, right) => right.key.length - left.key.length);
  return { credentials: credentials.map(({ value }) => value), faults };
}

/** The registries of a Secret by their keys, or what is wrong with it. */
function registriesIn({ type, data = {} }: Secret): Readonly<Record<string, unknown>> | string {
  const [key, legacy] =
    type === "kubernetes.io/dockercfg" ? ([".dockercfg", true] as const) : ([".dockerconfigjson", false] as const);
  const encoded = data[key];
  if (encoded === undefined) return `it has no ${key}; its type must be kubernetes.io/dockerconfigjson`;
  const bytes = decodeBase64(encoded);
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
    const registries = legacy ? parsed : (parsed as { auths?: unknown } | null)?.auths;
    if (typeof registries === "object" && registries !== null) return registries as Record<string, unknown>;
    return `${key} has no "auths"`;
  } catch {
    // The parser's message quotes the text.
    return `${key} is not JSON`;
  }
}

/** Keys are `host`, `host/path`, `https://host/v1/`; a part of the host may be `*`, which stands for that part alone. */
function matches(key: string, registry: string, path: string): boolean {
  const plain = key
    .replace(/^https?:\/\//, "")
    .replace(/\/+$/, "")
    .replace(/\/v[12]$/, "");
  const slash = plain.indexOf("/");
  const host = hubNames.has(slash < 0 ? plain : plain.slice(0, slash))
    ? "docker.io"
    : slash < 0
      ? plain
      : plain.slice(0, slash);
  const folder = slash < 0 ? "" : plain.slice(slash + 1);
  const parts = host.split(".");
  const wanted = registry.split(".");
  const hostFits =
    parts.length === wanted.length &&
    parts.every((part, at) => part === wanted[at] || fitsGlob(part, wanted[at] as string));
  return hostFits && (folder === "" || path === folder || path.startsWith(`${folder}/`));
}

function fitsGlob(pattern: string, text: string): boolean {
  if (!pattern.includes("*")) return false;
  const pieces = pattern.split("*");
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    const isLast = index === pieces.length - 1;
    const found = isLast ? text.length - piece.length : text.indexOf(piece, at);
    if (found < at || (index === 0 && found !== 0) || !text.startsWith(piece, found)) return false;
    at = found + piece.length;
  }
  return true;
}

function credentialsOf(registry: string, entry: unknown): RegistryCredentials | undefined {
  if (typeof entry !== "object" || entry === null) return undefined;
  const { username, password, auth, identitytoken } = entry as Record<string, unknown>;
  const identityToken = text(identitytoken);
  if (text(username) !== "") return { registry, username: text(username), password: text(password), identityToken };
  const decoded = new TextDecoder().decode(decodeBase64(text(auth)) ?? new Uint8Array());
  const colon = decoded.indexOf(":");
  if (colon > 0) {
    return { registry, username: decoded.slice(0, colon), password: decoded.slice(colon + 1), identityToken };
  }
  return identityToken === "" ? undefined : { registry, username: "", password: "", identityToken };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

const hubNames = new Set(["index.docker.io", "registry-1.docker.io", "docker.io"]);
