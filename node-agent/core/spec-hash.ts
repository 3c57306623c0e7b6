import { canonicalJson } from "../../src/api/json.js";
import type { Container } from "../../src/api/kinds/pod.js";

/**
 * Names the parts of a container's spec that can't change while it runs. Values that environment variables refer to are not among
 * them: as in Kubernetes a changed ConfigMap restarts nothing.
 */
export function specHash(container: Container): string {
  const { image, command, args, workingDir, ports, env, envFrom, resources, volumeMounts } = container;
  const text = canonicalJson({ image, command, args, workingDir, ports, env, envFrom, resources, volumeMounts });
  return fnv64(new TextEncoder().encode(text)).toString(16).padStart(16, "0");
}

/** FNV-1a (datatracker.ietf.org/doc/html/draft-eastlake-fnv). */
export function fnv64(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}
