import { invalidError } from "../../api/faults.js";
import { objectName, type KindDefinition } from "../../api/kind.js";
import type { AnyObject } from "../../api/object.js";
import { podSecurityFaults, podSecurityLabels, podSecurityLevel, securedPodOf } from "../../api/kinds/pod-security.js";
import { IkadaError } from "../../base/errors.js";
import type { ObjectKey } from "../../objects/snapshot.js";

/**
 * Refuses a Pod whose fields its Namespace's level does not allow; baseline where the Namespace names none. Gives the warnings that the
 * Namespace asks for, of templates too: those are not refused, since what makes their Pods says so itself.
 * @throws IkadaError Forbidden with each field
 */
export function checkPodSecurity(
  kind: KindDefinition,
  object: AnyObject,
  read: (key: ObjectKey) => AnyObject | undefined,
): readonly string[] {
  const secured = kind.namespaced ? securedPodOf(object) : undefined;
  if (secured === undefined) return [];
  const name = object.metadata.namespace ?? "";
  const { labels } = read({ groupKind: "/Namespace", namespace: "", name })?.metadata ?? {};
  const enforced = podSecurityLevel(labels, "enforce", "baseline");
  if (kind.kind === "Pod") {
    const faults = podSecurityFaults(enforced, secured);
    if (faults.length > 0) {
      const { message } = invalidError(kind, object.metadata.name, faults);
      throw new IkadaError("Forbidden", `${message}; namespace ${name} enforces ${enforced}`, {
        object: objectName(kind, object.metadata.name),
        faults,
        hint: `correct the fields, or label the namespace ${podSecurityLabels.enforce}=privileged`,
      });
    }
  }
  const warned = podSecurityLevel(labels, "warn", kind.kind === "Pod" ? "privileged" : enforced);
  return podSecurityFaults(warned, secured).map(
    ({ field, message }) => `${field}: ${message}: would violate namespace ${name}'s pod security`,
  );
}
