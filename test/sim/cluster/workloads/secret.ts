import type { AnyObject } from "../../../../src/api/object.js";
import type { WorkloadKind } from "../workload.js";

/** The Secret that some Pods need: it changes, and may be away for a while. */
export const secretWorkload: WorkloadKind = {
  name: "secret",
  groupKind: "/Secret",
  weight: 0,
  lasts: true,

  create({ random }, name) {
    return {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: "default" },
      data: { token: random.pick(["YQ==", "Yg==", "Yw=="]) },
    } as unknown as AnyObject;
  },

  change({ random }, live) {
    return { ...live, data: { token: random.pick(["YQ==", "Yg==", "Yw=="]) } } as unknown as AnyObject;
  },

  settle: (_wishes, live) => live,
  missing: () => undefined,
};
