import type { Mutable } from "../json.js";
import type { Container, PodSpec } from "./pod.js";

/**
 * Defaults of a Pod's spec that depend on other fields: the pull policy on the image's tag and, for Pods but not for
 * templates, the requests on the limits (Kubernetes' SetDefaults_Container and SetDefaults_Pod).
 */
export function completePodSpec(spec: unknown, options: { readonly requestsFromLimits: boolean }): void {
  if (typeof spec !== "object" || spec === null) return;
  const { containers, initContainers } = spec as Partial<Mutable<PodSpec>>;
  for (const container of [...(containers ?? []), ...(initContainers ?? [])]) {
    container.imagePullPolicy ??= defaultPullPolicy(container.image);
    if (options.requestsFromLimits) requestLimits(container);
  }
}

/** `Always` for the tag `latest` or none, unless the image is named by its digest. */
function defaultPullPolicy(image: string | undefined): NonNullable<Container["imagePullPolicy"]> {
  if (image === undefined || image.includes("@")) return "IfNotPresent";
  const name = image.slice(image.lastIndexOf("/") + 1);
  const colon = name.indexOf(":");
  return colon < 0 || name.slice(colon + 1) === "latest" ? "Always" : "IfNotPresent";
}

function requestLimits(container: Mutable<Container>): void {
  const { resources } = container;
  if (resources?.limits === undefined) return;
  resources.requests = { ...resources.limits, ...resources.requests };
}
