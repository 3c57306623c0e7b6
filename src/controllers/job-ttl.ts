import { finishedCondition, type Job } from "../api/kinds/batch.js";
import { fromTimestamp } from "../api/time.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey } from "../objects/snapshot.js";
import type { Controller, Decision, World } from "./controller.js";
import { deletion } from "./deletion.js";
import { asObject, isTerminating } from "./pod-state.js";

/** Deletes Jobs that ended ttlSecondsAfterFinished ago, after their Pods: Kubernetes' pkg/controller/ttlafterfinished. */
export const jobTtlController: Controller = {
  name: "ttl-after-finished",
  wakes: (_before, now) => (now !== undefined && endOf(now) !== undefined ? [keyOfObject(now)] : []),
  keys: (snapshot) =>
    snapshot
      .list("batch/Job")
      .filter((job) => endOf(job) !== undefined)
      .map(keyOfObject),
  reconcile(key: ObjectKey, { snapshot, now }: World): Decision {
    const job = snapshot.get<Job>("batch/Job", key.namespace, key.name);
    const end = job && endOf(asObject(job));
    if (job === undefined || end === undefined || isTerminating(job)) return {};
    return end > now ? { wakeAt: end } : { changes: deletion(asObject(job), now, "Foreground") };
  },
};

/** When an ended Job with a time to live is to go, in milliseconds since 1970; undefined: never, or not yet. */
function endOf(object: AnyObject): number | undefined {
  if (groupKindOfObject(object) !== "batch/Job") return undefined;
  const job = object as unknown as Job;
  const { ttlSecondsAfterFinished } = job.spec;
  const finished = fromTimestamp(finishedCondition(job)?.lastTransitionTime ?? "");
  return ttlSecondsAfterFinished === undefined || finished === undefined
    ? undefined
    : finished + ttlSecondsAfterFinished * 1000;
}
