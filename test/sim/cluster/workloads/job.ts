import { finishedCondition, trackingFinalizer, type Job } from "../../../../src/api/kinds/batch.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../../src/api/object.js";
import type { WorkloadKind } from "../workload.js";

/** Jobs whose Pods succeed or fail, that are suspended and resumed, with indexes or without. */
export const jobWorkload: WorkloadKind = {
  name: "job",
  groupKind: "batch/Job",
  weight: 3,

  create(wishes, name) {
    const { random } = wishes;
    const pod = wishes.goodPodSpec(wishes.podSpec());
    const ends = [
      { name: "FAKE_RUN_FOR_MS", value: String(random.pick([100, 1000, 4000])) },
      { name: "FAKE_EXIT_CODE", value: random.pick(["0", "0", "0", "1"]) },
    ];
    const containers = pod.containers.map((one) => ({ ...one, env: [...(one.env ?? []), ...ends] }));
    const indexed = random.chance(0.4);
    return {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name, namespace: "default" },
      spec: {
        completions: random.between(1, 5),
        parallelism: random.between(1, 3),
        completionMode: indexed ? "Indexed" : "NonIndexed",
        ...(indexed && random.chance(0.5) ? { backoffLimitPerIndex: 1 } : { backoffLimit: random.pick([0, 1, 2]) }),
        podReplacementPolicy: random.pick(["TerminatingOrFailed", "Failed"]),
        template: { spec: { ...pod, containers, restartPolicy: random.pick(["Never", "Never", "OnFailure"]) } },
      },
    } as unknown as AnyObject;
  },

  change({ random }, live) {
    const { spec } = live as unknown as Job;
    const changed = random.chance(0.5)
      ? { ...spec, suspend: spec.suspend !== true }
      : { ...spec, parallelism: random.between(0, 3) };
    return { ...live, spec: changed } as unknown as AnyObject;
  },

  settle({ random }, live) {
    if (random.chance(0.2)) return undefined;
    const { spec } = live as unknown as Job;
    return { ...live, spec: { ...spec, suspend: false, parallelism: Math.max(1, spec.parallelism ?? 1) } } as AnyObject;
  },

  missing(object, view) {
    const { metadata, spec, status = {} } = object as unknown as Job;
    const { name } = metadata;
    const ended = finishedCondition({ status });
    if (ended === undefined) return `${name} goes on: ${JSON.stringify(status)}`;
    if (ended.type === "Complete" && status.succeeded !== spec.completions)
      return `${name} is Complete with ${status.succeeded} of ${spec.completions}`;
    if ((status.active ?? 0) + (status.terminating ?? 0) > 0)
      return `${name} has ended with Pods: ${JSON.stringify(status)}`;
    const held = view.snapshot
      .ownedBy<Pod>(metadata.uid ?? "", "/Pod")
      .find((pod) => pod.metadata.finalizers?.includes(trackingFinalizer) === true);
    return held && `${held.metadata.name} of ${name}, which has ended, was not counted`;
  },
};
