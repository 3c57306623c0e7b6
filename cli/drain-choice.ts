import type { Pod } from "../src/api/kinds/pod.js";
import type { ObjectMeta } from "../src/api/object.js";

/** What may be evicted though something would be lost. */
export interface DrainPermissions {
  readonly ignoreDaemonsets?: boolean;
  readonly deleteEmptydirData?: boolean;
  readonly force?: boolean;
}

export interface DrainChoice {
  readonly evict: readonly Pod[];
  /** Stay, with the reason. */
  readonly skipped: readonly { readonly pod: Pod; readonly why: string }[];
  /** Keep the drain from beginning, with the option that permits it. */
  readonly refused: readonly { readonly pod: Pod; readonly why: string }[];
}

/** Which Pods of a node a drain evicts, by kubectl's rules: Pods that nobody makes anew, or that lose data, only when that is permitted. */
export function chooseForDrain(pods: readonly Pod[], permitted: DrainPermissions): DrainChoice {
  const choice = {
    evict: [] as Pod[],
    skipped: [] as DrainChoice["skipped"][number][],
    refused: [] as DrainChoice["refused"][number][],
  };
  for (const pod of pods) {
    const hasEnded = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
    const owner = controllerOf(pod.metadata);
    if (pod.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined)
      choice.skipped.push({ pod, why: "a static Pod of the node" });
    else if (owner?.kind === "DaemonSet" && !hasEnded) {
      if (permitted.ignoreDaemonsets === true) choice.skipped.push({ pod, why: "managed by a DaemonSet" });
      else
        choice.refused.push({
          pod,
          why: "managed by a DaemonSet, which would make it again (--ignore-daemonsets leaves it)",
        });
    } else if (!hasEnded && owner === undefined && permitted.force !== true)
      choice.refused.push({ pod, why: "no controller would make it again (--force evicts it all the same)" });
    else if (!hasEnded && hasLocalData(pod) && permitted.deleteEmptydirData !== true)
      choice.refused.push({ pod, why: "has an emptyDir, whose data would be lost (--delete-emptydir-data)" });
    else choice.evict.push(pod);
  }
  return choice;
}

function controllerOf({ ownerReferences = [] }: ObjectMeta): { readonly kind: string } | undefined {
  return ownerReferences.find(({ controller }) => controller === true);
}

function hasLocalData({ spec }: Pod): boolean {
  return (spec.volumes ?? []).some(({ emptyDir }) => emptyDir !== undefined);
}
