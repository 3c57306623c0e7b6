import { controllerOf } from "../pod-book.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/** O10: what is deleted stays so: no uid comes back, no deletion is taken back, and nothing is made for an owner that is gone or on its way out. */
export function deletionRule({ truth, fail }: RuleSite): ClusterRule {
  const gone = new Set<string>();
  return {
    onStep({ changes }) {
      for (const { before, after } of changes) {
        const [was, is] = [before?.metadata, after?.metadata];
        if (was?.uid !== undefined && was.uid !== is?.uid) gone.add(was.uid);
        if (!after || !is) continue;
        if (gone.has(is.uid ?? "")) fail("O10 deletion", `${after.kind} ${is.name} is back after its removal`);
        if (was?.uid === is.uid && was?.deletionTimestamp !== undefined && is.deletionTimestamp === undefined)
          fail("O10 deletion", `${after.kind} ${is.name} was being deleted and is not any more`);
        const owner = was?.uid === is.uid ? undefined : controllerOf(is);
        if (owner === undefined) continue;
        const living = truth.snapshot().byUid(owner.uid);
        if (living === undefined || living.metadata.deletionTimestamp !== undefined)
          fail(
            "O10 deletion",
            `${after.kind} ${is.name} is made for ${owner.kind} ${owner.name}, which is ${living ? "being deleted" : "gone"}`,
          );
      }
    },
  };
}
