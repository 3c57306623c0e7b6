import type { Node } from "../../../../src/api/kinds/core.js";
import type { Pod } from "../../../../src/api/kinds/pod.js";
import { milliOf, unitsOf } from "../../../../src/api/quantity.js";
import { tolerates } from "../../../../src/api/toleration.js";
import type { ClusterRule, RuleSite } from "./rule.js";

/** O6: the scheduler binds Pods to nodes that are ready, take new Pods and have room, as of the revision of the binding. */
export function placementRule({ truth, fail }: RuleSite): ClusterRule {
  return {
    onStep({ changes, origin }) {
      if (origin !== "controller/scheduler") return;
      for (const { before, after } of changes) {
        if (after?.kind !== "Pod") continue;
        const { spec, metadata } = after as unknown as Pod;
        if (!spec.nodeName || (before as unknown as Pod | undefined)?.spec.nodeName) continue;
        const node = truth.snapshot().get<Node>("/Node", "", spec.nodeName);
        const pods = truth.snapshot().podsOnNode<Pod>(spec.nodeName);
        const why = node ? refusal(node, after as unknown as Pod, pods) : "there is no such node";
        if (why !== undefined) fail("O6 placement", `${metadata.name} is bound to ${spec.nodeName}: ${why}`);
      }
    },
  };
}

/** Why the node should not have been chosen; `pods` are all that it has now. */
function refusal(node: Node, pod: Pod, pods: readonly Pod[]): string | undefined {
  if (node.metadata.deletionTimestamp !== undefined) return "it is being deleted";
  if (node.spec.unschedulable === true) return "it takes no new Pods";
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") return `it is ${ready?.reason ?? "not ready"}`;
  const taint = (node.spec.taints ?? []).find(
    (one) =>
      one.effect !== "PreferNoSchedule" &&
      !(pod.spec.tolerations ?? []).some((toleration) => tolerates(toleration, one)),
  );
  if (taint) return `it has the taint ${taint.key}`;
  const living = pods.filter(({ status }) => status?.phase !== "Succeeded" && status?.phase !== "Failed");
  const offered = node.status?.allocatable ?? {};
  const cpu = living.reduce((sum, one) => sum + cpuOf(one), 0);
  if (living.length > unitsOf(offered["pods"] ?? "110")) return `it has ${living.length} Pods, ${offered["pods"]} fit`;
  if (cpu > milliOf(offered["cpu"] ?? "0")) return `its Pods want ${cpu}m of cpu, it has ${offered["cpu"]}`;
  return undefined;
}

function cpuOf({ spec }: Pod): number {
  return spec.containers.reduce((sum, { resources }) => sum + milliOf(resources?.requests?.["cpu"] ?? "0"), 0);
}
