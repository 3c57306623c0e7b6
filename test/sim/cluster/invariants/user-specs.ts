import { sameJson, without } from "../../../../src/api/json.js";
import type { AnyObject } from "../../../../src/api/object.js";
import { controllerOf } from "../pod-book.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/**
 * O7: what users want is changed by users only: no writer beside them changes the spec of an object that no controller manages, but for the node that
 * the scheduler gives a Pod. Generations count changes of specs, and nobody has observed a later one than there is, or an earlier one than before.
 */
export function userSpecsRule({ fail }: RuleSite): ClusterRule {
  return {
    onStep({ changes, origin }) {
      for (const { before, after } of changes) {
        if (!before || !after || before.metadata.uid !== after.metadata.uid) continue;
        const { name, generation = 0 } = after.metadata;
        const isUsers = !origin.startsWith("admin:") && after.kind !== "Node" && !controllerOf(before.metadata);
        if (isUsers && !sameJson(wishOf(before), wishOf(after)))
          fail("O7 no lost update", `${origin} changed what a user wants of ${after.kind} ${name}`);
        if (isUsers && generation < (before.metadata.generation ?? 0))
          fail("O7 no lost update", `generation of ${after.kind} ${name} goes back to ${generation}`);
        const observed = observedOf(after);
        if (observed > generation || observed < observedOf(before))
          fail(
            "O7 no lost update",
            `${after.kind} ${name}: generation ${observed} is observed of ${generation}, after ${observedOf(before)}`,
          );
      }
    },
  };
}

/** What a user wants. */
function wishOf(object: AnyObject): unknown {
  const { spec } = object as unknown as { readonly spec?: object };
  return [spec && without(spec as { nodeName?: string }, "nodeName"), object["data"]];
}

function observedOf(object: AnyObject): number {
  const { status } = object as unknown as { readonly status?: { readonly observedGeneration?: number } };
  return status?.observedGeneration ?? 0;
}
