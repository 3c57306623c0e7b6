import { IkadaError } from "../base/errors.js";
import { apiVersionOf, groupKindOf, qualifiedPlural, type KindDefinition } from "./kind.js";
import { configMapKind } from "./kinds/config-map-kind.js";
import { controllerRevisionKind } from "./kinds/controller-revision-kind.js";
import { daemonSetKind } from "./kinds/daemon-set-kind.js";
import { cronJobKind } from "./kinds/cron-job-kind.js";
import { deploymentKind } from "./kinds/deployment-kind.js";
import { eventKind } from "./kinds/event-kind.js";
import { jobKind } from "./kinds/job-kind.js";
import { namespaceKind } from "./kinds/namespace-kind.js";
import { nodeKind } from "./kinds/node-kind.js";
import { podDisruptionBudgetKind } from "./kinds/pod-disruption-budget-kind.js";
import { podKind } from "./kinds/pod-kind.js";
import { priorityClassKind } from "./kinds/priority-class-kind.js";
import { replicaSetKind } from "./kinds/replica-set-kind.js";
import { secretKind } from "./kinds/secret-kind.js";
import { statefulSetKind } from "./kinds/stateful-set-kind.js";

/** All kinds, in the order in which `get all` and discovery list them. */
export const kinds: readonly KindDefinition[] = [
  namespaceKind,
  nodeKind,
  priorityClassKind,
  configMapKind,
  secretKind,
  podKind,
  replicaSetKind,
  deploymentKind,
  statefulSetKind,
  daemonSetKind,
  controllerRevisionKind,
  jobKind,
  cronJobKind,
  podDisruptionBudgetKind,
  eventKind,
];

/**
 * A kind by any name users give it: `Deployment`, `deployment`, `deployments`, `deploy`, each also with the group
 * or version and group behind it: `deployments.apps`, `deployments.v1.apps`. Upper and lower case are the same.
 */
export function findKind(name: string): KindDefinition | undefined {
  return byName.get(name.toLowerCase());
}

/** As findKind. @throws IkadaError UnknownKind */
export function kindNamed(name: string): KindDefinition {
  const kind = findKind(name);
  if (kind !== undefined) return kind;
  throw new IkadaError("UnknownKind", `there is no kind "${name}"`, {
    hint: `known kinds: ${kinds.map(qualifiedPlural).join(", ")}`,
  });
}

/** The kind of an object by what it says of itself. */
export function findKindByApiVersion(apiVersion: string, kind: string): KindDefinition | undefined {
  return byApiVersion.get(`${apiVersion}/${kind}`);
}

/** As findKindByApiVersion. @throws IkadaError UnknownKind */
export function kindOf(object: { readonly apiVersion: string; readonly kind: string }): KindDefinition {
  const found = findKindByApiVersion(object.apiVersion, object.kind);
  if (found !== undefined) return found;
  const sameName = kinds.filter((kind) => kind.kind.toLowerCase() === object.kind.toLowerCase());
  throw new IkadaError("UnknownKind", `there is no kind "${object.kind}" in version "${object.apiVersion}"`, {
    hint:
      sameName.length > 0
        ? `did you mean ${sameName.map((kind) => `apiVersion: ${apiVersionOf(kind)}, kind: ${kind.kind}`).join(" or ")}?`
        : `known kinds: ${kinds.map(qualifiedPlural).join(", ")}`,
  });
}

/** By `apps/Deployment` or `/Pod`. @throws IkadaError UnknownKind */
export function kindByGroupKind(groupKind: string): KindDefinition {
  const kind = byGroupKind.get(groupKind);
  if (kind !== undefined) return kind;
  throw new IkadaError("UnknownKind", `there is no kind "${groupKind}"`);
}

/** `apps/Deployment` for an object's apiVersion and kind; for kinds that are not registered too. */
export function groupKindOfObject(object: { readonly apiVersion: string; readonly kind: string }): string {
  const slash = object.apiVersion.indexOf("/");
  return `${slash < 0 ? "" : object.apiVersion.slice(0, slash)}/${object.kind}`;
}

const byApiVersion = new Map(kinds.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));
const byGroupKind = new Map(kinds.map((kind) => [groupKindOf(kind), kind]));
const byName = new Map(
  kinds.flatMap((kind) => {
    const names = [kind.singular, kind.plural, ...kind.shortNames, kind.kind.toLowerCase()];
    const groups =
      kind.group === ""
        ? ["", `.${kind.version}`, `.${kind.version}.`]
        : ["", `.${kind.group}`, `.${kind.version}.${kind.group}`];
    return names.flatMap((name) => groups.map((group): [string, KindDefinition] => [`${name}${group}`, kind]));
  }),
);
