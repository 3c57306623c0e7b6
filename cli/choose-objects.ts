import type { KindDefinition } from "../src/api/kind.js";
import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { namespaceFor, parseTargets, type Session } from "./session.js";

/** The flags with which a command is told what it is about, beside names. */
export interface Choice {
  readonly filename?: readonly string[];
  readonly recursive?: boolean;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly all?: boolean;
  readonly allNamespaces?: boolean;
}

/** One object that a command is about. */
export interface Chosen {
  readonly kind: KindDefinition;
  /** Empty for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
  /** As it was when it was looked for; undefined when only its name is known. */
  readonly object: AnyObject | undefined;
}

/**
 * The objects that words and flags name: by name, by selector, all of a kind, or those of manifests, in that order.
 * @throws IkadaError BadRequest for what contradicts itself or names nothing; what the server refuses
 */
export async function chooseObjects(session: Session, words: readonly string[], choice: Choice): Promise<Chosen[]> {
  const { selector, fieldSelector, all = false, allNamespaces = false } = choice;
  const many = all || selector !== undefined || fieldSelector !== undefined;
  if (choice.filename !== undefined) {
    if (words.length > 0 || many) throw new IkadaError("BadRequest", "name objects or manifests, not both");
    const { readObjects } = await import("./placed-object.js");
    return readObjects(choice.filename, choice.recursive ?? false, session.namespace).map(({ kind, object }) => ({
      kind,
      namespace: namespaceFor(kind, object.metadata.namespace ?? ""),
      name: object.metadata.name,
      object: undefined,
    }));
  }
  if (all && selector !== undefined) throw new IkadaError("BadRequest", "give -l LABELS or --all, not both");
  const chosen: Chosen[] = [];
  for (const { kind, name } of parseTargets(words)) {
    if (name !== undefined) {
      if (many || (allNamespaces && kind.namespaced))
        throw new IkadaError("BadRequest", "names can't be given together with -l, --field-selector, --all or -A");
      chosen.push({ kind, namespace: namespaceFor(kind, session.namespace), name, object: undefined });
      continue;
    }
    if (!many)
      throw new IkadaError("BadRequest", `which ${kind.plural}?`, { hint: "name them, or give -l LABELS or --all" });
    const scope = {
      namespace: allNamespaces ? "" : namespaceFor(kind, session.namespace),
      labelSelector: selector ?? "",
      fieldSelector: fieldSelector ?? "",
      signal: session.signal,
      deadlineMs: session.deadlineMs,
    };
    for await (const object of session.client.list(kind, scope)) {
      const { namespace = "" } = object.metadata;
      chosen.push({ kind, namespace, name: object.metadata.name, object });
    }
  }
  return chosen;
}
