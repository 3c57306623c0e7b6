import { without } from "../api/json.js";
import { groupKindOf } from "../api/kind.js";
import { kindOf } from "../api/registry.js";
import type { AnyObject } from "../api/object.js";
import { toTimestamp } from "../api/time.js";
import type { Random } from "../base/env.js";

/**
 * An object ready to be created: a fresh uid, creationTimestamp, generation 1 for kinds that have a spec, a name made from
 * generateName, and what its kind makes of these (`prepare`). What only the server may set (status, deletionTimestamp,
 * resourceVersion) is dropped, but for kinds whose status is written by those who create them (`keepStatus`).
 */
export function newObject<T extends AnyObject>(
  given: T,
  now: number,
  random: Random,
  options: { readonly keepStatus?: boolean } = {},
): T {
  const kind = kindOf(given);
  const meta = without(given.metadata, "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "uid");
  const name = given.metadata.name || `${given.metadata.generateName ?? ""}${randomSuffix(random)}`;
  const generated = { name, uid: randomUid(random), creationTimestamp: toTimestamp(now) };
  const generation = "spec" in kind.schema.fields ? { generation: 1 } : {};
  const keepStatus = options.keepStatus === true || !kind.hasStatus || groupKindOf(kind) === "/Namespace";
  const base = keepStatus ? given : without(given, "status");
  const made = { ...base, metadata: { ...meta, ...generated, ...generation } };
  kind.prepare?.(made, given.metadata.uid);
  return made as unknown as T;
}

/** A version 4 UUID (RFC 9562, section 5.4). */
export function randomUid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Five characters as Kubernetes takes them for generated names: no vowels and nothing that looks like another. */
export function randomSuffix(random: Random): string {
  let suffix = "";
  for (let at = 0; at < 5; at += 1) suffix += suffixAlphabet.charAt(random.int(suffixAlphabet.length));
  return suffix;
}

const suffixAlphabet = "bcdfghjklmnpqrstvwxz2456789";
