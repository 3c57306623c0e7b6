import type { Draft } from "../kind.js";
import { valueAt } from "../path.js";
import { completePodSpec } from "./pod-defaults.js";

/**
 * Defaults of a Job's spec that depend on other fields (Kubernetes' SetDefaults_Job): without any count one Pod once; failures without end
 * where each index has a limit of its own; and no Pod is replaced before it has ended where its failure is judged by rules.
 */
export function completeJobSpec(draft: unknown): void {
  if (typeof draft !== "object" || draft === null) return;
  const spec = draft as Draft;
  if (spec["completions"] === undefined && spec["parallelism"] === undefined) spec["completions"] = 1;
  spec["parallelism"] ??= 1;
  spec["backoffLimit"] ??= spec["backoffLimitPerIndex"] === undefined ? 6 : 2 ** 31 - 1;
  spec["podReplacementPolicy"] ??= spec["podFailurePolicy"] === undefined ? "TerminatingOrFailed" : "Failed";
  completePodSpec(valueAt(spec, "template", "spec"), { requestsFromLimits: false });
}
