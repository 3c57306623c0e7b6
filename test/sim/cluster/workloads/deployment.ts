import type { Deployment, ReplicaSet } from "../../../../src/api/kinds/apps.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../../src/api/object.js";
import { podMissing, type WorkloadKind } from "../workload.js";

/** Deployments that are scaled, rolled out, paused, and rolled out anew in the middle of a rollout. */
export const deploymentWorkload: WorkloadKind = {
  name: "deployment",
  groupKind: "apps/Deployment",
  weight: 6,

  create(wishes, name) {
    const { random } = wishes;
    const recreates = random.chance(0.15);
    const maxSurge = random.pick([0, 1, "25%", "100%"]);
    const maxUnavailable = maxSurge === 0 ? random.pick([1, "50%"]) : random.pick([0, 1, "25%"]);
    return {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace: "default" },
      spec: {
        replicas: wishes.replicas(),
        selector: { matchLabels: { app: name } },
        minReadySeconds: random.pick([0, 0, 1]),
        progressDeadlineSeconds: random.pick([10, 600]),
        revisionHistoryLimit: random.pick([0, 2, 10]),
        strategy: recreates
          ? { type: "Recreate" }
          : {
              type: "RollingUpdate",
              rollingUpdate: { maxSurge, maxUnavailable },
            },
        template: { metadata: { labels: { app: name } }, spec: wishes.podSpec() },
      },
    } as unknown as AnyObject;
  },

  change(wishes, live) {
    const { spec } = live as unknown as Deployment;
    const { random } = wishes;
    const draw = random.next();
    if (draw < 0.4) return withSpec(live, { ...spec, replicas: wishes.replicas() });
    if (draw < 0.5) return withSpec(live, { ...spec, paused: spec.paused !== true });
    const changed = { ...spec, template: { ...spec.template, spec: wishes.otherPodSpec(spec.template.spec) } };
    return withSpec(live, draw < 0.85 ? changed : { ...changed, replicas: wishes.replicas() });
  },

  settle(wishes, live) {
    if (wishes.random.chance(0.15)) return undefined;
    const { spec } = live as unknown as Deployment;
    const template = { ...spec.template, spec: wishes.goodPodSpec(spec.template.spec) };
    return withSpec(live, { ...spec, template, paused: false, replicas: Math.min(spec.replicas ?? 1, 3) });
  },

  missing(object, view) {
    const { metadata, spec, status = {} } = object as unknown as Deployment;
    const { name, uid = "" } = metadata;
    const replicas = spec.replicas ?? 1;
    const seen = [status.observedGeneration, status.replicas, status.updatedReplicas, status.availableReplicas];
    const wanted = [metadata.generation, replicas, replicas, replicas];
    if (wanted.some((value, at) => (seen[at] ?? 0) !== value))
      return `${name}: generation, replicas, updated, available are ${seen.join()}, wanted ${wanted.join()}`;
    const sets = view.snapshot.ownedBy<ReplicaSet>(uid, "apps/ReplicaSet");
    const pods = sets.flatMap((set) => view.snapshot.ownedBy<Pod>(set.metadata.uid ?? "", "/Pod"));
    const living = pods.filter(({ status: { phase } = {} }) => phase !== "Failed" && phase !== "Succeeded");
    if (living.length !== replicas) return `${name}: ${living.length} Pods, wanted ${replicas}`;
    const image = spec.template.spec.containers[0]?.image;
    const old = living.find((pod) => pod.spec.containers[0]?.image !== image);
    if (old) return `${name}: ${old.metadata.name} has the image ${old.spec.containers[0]?.image}, wanted ${image}`;
    return living.map((pod) => podMissing(pod, view)).find((why) => why !== undefined);
  },
};

function withSpec(live: AnyObject, spec: Deployment["spec"]): AnyObject {
  return { ...live, spec } as unknown as AnyObject;
}
