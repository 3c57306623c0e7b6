import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../../src/api/object.js";
import type { WorkloadKind } from "../workload.js";

/** Pods that nobody but a user looks after; some of them end, with or without success, and are or are not restarted. */
export const barePodWorkload: WorkloadKind = {
  name: "pod",
  groupKind: "/Pod",
  weight: 2,

  create(wishes, name) {
    const { random } = wishes;
    const spec = wishes.goodPodSpec(wishes.podSpec());
    const restartPolicy = random.pick(["Always", "OnFailure", "Never"] as const);
    const ends = random.chance(0.5);
    const containers = spec.containers.map((one) => ({
      ...one,
      env: [
        ...(one.env ?? []),
        ...(ends
          ? [
              { name: "FAKE_RUN_FOR_MS", value: String(random.pick([100, 2000, 6000])) },
              { name: "FAKE_EXIT_CODE", value: random.pick(["0", "0", "1"]) },
            ]
          : []),
      ],
    }));
    return {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default" },
      spec: { ...spec, containers, restartPolicy },
    } as unknown as AnyObject;
  },

  change: () => undefined,
  settle: () => undefined,

  missing(object) {
    const { metadata } = object as unknown as Pod;
    return metadata.deletionTimestamp === undefined ? undefined : `${metadata.name} is still terminating`;
  },
};
