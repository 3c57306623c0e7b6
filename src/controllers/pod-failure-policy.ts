import type { JobSpec, PodFailureRule } from "../api/kinds/batch.js";
import type { ContainerStatus, Pod } from "../api/kinds/pod.js";

/** What a Job's rules make of one failed Pod. */
export interface FailureVerdict {
  /** Undefined when no rule is about it: then it counts. */
  readonly action?: PodFailureRule["action"];
  /** Whether it counts against the limits. */
  readonly counts: boolean;
  /** For people, with FailJob. */
  readonly message?: string;
}

/** The first rule that the Pod matches decides: Kubernetes' pkg/controller/job/pod_failure_policy.go. */
export function judgeFailure(policy: JobSpec["podFailurePolicy"], pod: Pod): FailureVerdict {
  for (const [at, rule] of (policy?.rules ?? []).entries()) {
    const why = matchOf(rule, pod);
    if (why === undefined) continue;
    const { action } = rule;
    const message = action === "FailJob" ? { message: `${why} matching FailJob rule at index ${at}` } : {};
    return { action, counts: action !== "Ignore", ...message };
  }
  return { counts: true };
}

/** Why the Pod matches, as a sentence's beginning; undefined: it does not. */
function matchOf({ onExitCodes, onPodConditions = [] }: PodFailureRule, pod: Pod): string | undefined {
  const { status = {}, metadata } = pod;
  const name = `${metadata.namespace}/${metadata.name}`;
  if (onExitCodes !== undefined) {
    const { containerName, operator, values } = onExitCodes;
    const codeOf = (container: ContainerStatus): number => container.state?.terminated?.exitCode ?? 0;
    const found = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])].find(
      (container) =>
        codeOf(container) !== 0 &&
        (containerName === undefined || container.name === containerName) &&
        values.includes(codeOf(container)) === (operator === "In"),
    );
    return found && `Container ${found.name} for pod ${name} failed with exit code ${codeOf(found)}`;
  }
  const condition = (status.conditions ?? []).find((one) =>
    onPodConditions.some((pattern) => pattern.type === one.type && (pattern.status ?? "True") === one.status),
  );
  return condition && `Pod ${name} has condition ${condition.type}`;
}
