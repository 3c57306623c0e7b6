import type { ClusterRule, RuleSite } from "./rule.js";

/** Writes of one object within a window that nothing explains. */
const writesMax = 120;
const windowMs = 10_000;

/** O11: no writer runs in circles: no object is written all the time. That nothing is written once all is as wanted is asked by the world. */
export function convergenceRule({ now, fail }: RuleSite): ClusterRule {
  const writes = new Map<string, { sinceMs: number; count: number }>();
  return {
    onStep({ changes, origin }) {
      for (const { before, after } of changes) {
        const { uid = "", name } = (after ?? before)!.metadata;
        const known = writes.get(uid);
        if (!known || now() - known.sinceMs > windowMs) writes.set(uid, { sinceMs: now(), count: 1 });
        else if (++known.count > writesMax)
          fail(
            "O11 convergence",
            `${(after ?? before)?.kind} ${name} was written ${known.count} times within ${windowMs} ms, last by ${origin}`,
          );
      }
    },
  };
}
