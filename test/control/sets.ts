import type { ControllerRevision, DaemonSet, StatefulSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { deletion } from "../../src/controllers/deletion.js";
import { isActive, isFinished } from "../../src/controllers/pod-state.js";
import { updatedObject } from "../../src/objects/update-object.js";
import type { Cluster } from "./cluster.js";
import { any } from "./objects.js";

/** What tests ask and do of StatefulSets and DaemonSets in a cluster in virtual time. */

type AnySet = StatefulSet | DaemonSet;

/** Changes a set's spec as a user does. */
export function edit<S extends AnySet>(
  cluster: Cluster,
  kind: S["kind"],
  name: string,
  change: (spec: S["spec"]) => Partial<S["spec"]>,
): void {
  cluster.change(`apps/${kind}`, "default", name, (live) => {
    const set = live as unknown as S;
    const changed = { ...set, spec: { ...set.spec, ...change(set.spec) } };
    return updatedObject(live, any(changed));
  });
}

export function setImage(cluster: Cluster, kind: "StatefulSet" | "DaemonSet", name: string, image: string): void {
  edit(cluster, kind, name, ({ template }) => ({
    template: { ...template, spec: { ...template.spec, containers: [{ name: "main", image }] } },
  }));
}

/** The set's Pods in any form, by name. */
export function podsOf(cluster: Cluster, name: string): readonly Pod[] {
  return cluster.pods().filter((pod) => pod.metadata.ownerReferences?.some((owner) => owner.uid === `uid-${name}`));
}

/** `db-0 db:1 ready`, `db-1 db:2`, `db-2 db:1 going`. */
export function shown(cluster: Cluster, name: string): readonly string[] {
  return podsOf(cluster, name).map((pod) => {
    const ready = pod.status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
    const state = pod.metadata.deletionTimestamp !== undefined ? " going" : ready ? " ready" : "";
    return `${pod.metadata.name} ${pod.spec.containers[0]?.image}${state}`;
  });
}

export function deletePod(cluster: Cluster, name: string): void {
  cluster.change("/Pod", "default", name, (live) => deletion(live, cluster.time.now()).updates[0] ?? "remove");
}

export function revisions(cluster: Cluster, name: string): readonly ControllerRevision[] {
  return cluster
    .snapshot()
    .list<ControllerRevision>("apps/ControllerRevision", "default")
    .filter((one) => one.metadata.ownerReferences?.some((owner) => owner.uid === `uid-${name}`))
    .toSorted((left, right) => left.revision - right.revision);
}

/** All Pods are of the present template and available, and no other is left in any form. */
export function statefulSettled(cluster: Cluster, name = "db"): boolean {
  const set = cluster.get<StatefulSet>("apps/StatefulSet", name);
  if (set === undefined) return false;
  const { status, spec, metadata } = set;
  const replicas = spec.replicas ?? 1;
  return (
    status?.observedGeneration === metadata.generation &&
    status?.updatedReplicas === replicas &&
    status.availableReplicas === replicas &&
    status.replicas === replicas &&
    podsOf(cluster, name).filter((pod) => isActive(pod) && !isFinished(pod)).length === replicas
  );
}

/** As many nodes as should have a Pod have an available one of the present template, and no other is left. */
export function daemonSettled(cluster: Cluster, name = "log"): boolean {
  const set = cluster.get<DaemonSet>("apps/DaemonSet", name);
  if (set?.status === undefined) return false;
  const { status, metadata } = set;
  const nodes = status.desiredNumberScheduled;
  return (
    status.observedGeneration === metadata.generation &&
    status.updatedNumberScheduled === nodes &&
    status.numberAvailable === nodes &&
    status.numberMisscheduled === 0 &&
    podsOf(cluster, name).length === nodes
  );
}
