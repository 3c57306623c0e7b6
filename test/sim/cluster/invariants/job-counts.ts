import { isIndexed, trackingFinalizer, type Job } from "../../../../src/api/kinds/batch.js";
import { sizeOf, storedIndexes } from "../../../../src/api/index-set.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../../src/api/object.js";
import { controllerOf } from "../pod-book.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/**
 * O9 for Jobs: a Pod is counted in the revision that takes its finalizer, once: what a Job says has succeeded is what was let go as such, never more than
 * is wanted, and no more has failed than was let go.
 */
export function jobCountsRule({ fail }: RuleSite): ClusterRule {
  const letGo = new Map<string, { succeeded: number; others: number }>();
  return {
    onStep({ changes }) {
      for (const { before, after } of changes) {
        if (before?.kind !== "Pod" || !isTracked(before)) continue;
        const stays = after !== undefined && after.metadata.uid === before.metadata.uid && isTracked(after);
        const owner = stays ? undefined : controllerOf(before.metadata);
        if (owner?.kind !== "Job") continue;
        const counts = letGo.get(owner.uid) ?? { succeeded: 0, others: 0 };
        if ((before as unknown as Pod).status?.phase === "Succeeded") counts.succeeded += 1;
        else counts.others += 1;
        letGo.set(owner.uid, counts);
      }
      for (const { after } of changes) {
        if (after?.kind !== "Job") continue;
        const { metadata, spec, status = {} } = after as unknown as Job;
        const { completions = Number.POSITIVE_INFINITY } = spec;
        const { succeeded = 0, failed = 0 } = status;
        const counts = letGo.get(metadata.uid ?? "") ?? { succeeded: 0, others: 0 };
        const told = isIndexed(spec) ? sizeOf(storedIndexes(status.completedIndexes, completions)) : counts.succeeded;
        if (succeeded !== told)
          fail("O9 counted once", `job ${metadata.name} says that ${succeeded} succeeded, and it were ${told}`);
        if (succeeded > completions && !isIndexed(spec))
          fail("O9 counted once", `job ${metadata.name} has ${succeeded} completions, ${completions} were wanted`);
        if (failed > counts.others)
          fail("O9 counted once", `job ${metadata.name} says that ${failed} failed, and it were ${counts.others}`);
      }
    },
  };
}

function isTracked({ metadata }: AnyObject): boolean {
  return metadata.finalizers?.includes(trackingFinalizer) === true;
}
