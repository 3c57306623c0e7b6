import { canonicalJson } from "../../src/api/json.js";
import type { Container } from "../../src/api/kinds/pod.js";

/**
 * Names the parts of a container's spec that can't change while it runs. Values that environment variables refer to are not among
 * them: as in Kubernetes a changed ConfigMap restarts nothing. FNV-1a, 64 bit (datatracker.ietf.org/doc/html/draft-eastlake-fnv).
 */
export function specHash(container: Container): string {
  const { image, command, args, workingDir, ports, env, envFrom, resources, volumeMounts } = container;
  const text = canonicalJson({ image, command, args, workingDir, ports, env, envFrom, resources, volumeMounts });
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}
