import type { Pod } from "../../../../src/api/kinds/pod.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/** O5: in the end every container and every volume on a machine belongs to a Pod of its node. */
export function orphansRule({ truth, machines, fail }: RuleSite): ClusterRule {
  return {
    atEnd() {
      for (const { engine, name, isLost } of machines) {
        if (isLost) continue;
        const uids = new Set(
          truth
            .snapshot()
            .podsOnNode<Pod>(name)
            .map(({ metadata }) => metadata.uid),
        );
        for (const { spec, info } of engine.containers.values())
          if (!uids.has(spec.podUid))
            fail("O5 no orphans", `${name} has a container (${info.phase}) of ${spec.podName}, which is not its own`);
        for (const uid of engine.volumes.pods.keys())
          if (!uids.has(uid)) fail("O5 no orphans", `${name} has volumes of ${uid}, which is not its own`);
      }
    },
  };
}
