import type { Job } from "../api/kinds/batch.js";
import type { Pod } from "../api/kinds/pod.js";
import { fromTimestamp, toTimestamp } from "../api/time.js";
import { indexFailures } from "./job-view.js";
import { finishedAt } from "./pod-state.js";

/** Failures in a row, and when the last of them was. Kept on the Job, so that a new leader waits no less. */
export interface Backoff {
  readonly failures: number;
  /** Milliseconds since 1970. */
  readonly lastAt: number;
}

/** Of a Job that waits for nothing: it has had no failure since its last success, or has ended. */
export const noBackoff: Backoff = { failures: 0, lastAt: 0 };

const failuresAnnotation = "ikada.dev/pod-failures-in-a-row";
const lastFailureAnnotation = "ikada.dev/last-pod-failure";

/** The failures in a row with those of these Pods; a success ends a row (Kubernetes' newBackoffRecord). */
export function backoffWith(
  annotations: Job["metadata"]["annotations"] = {},
  newSucceeded: readonly Pod[],
  newFailed: readonly Pod[],
): Backoff {
  const before: Backoff = {
    failures: Number(annotations[failuresAnnotation] ?? 0) || 0,
    lastAt: fromTimestamp(annotations[lastFailureAnnotation] ?? "") ?? 0,
  };
  const lastSuccess = newSucceeded.length === 0 ? undefined : Math.max(...newSucceeded.map(finishedAt));
  const since = newFailed.map(finishedAt).filter((at) => lastSuccess === undefined || at > lastSuccess);
  const kept = lastSuccess === undefined ? before : noBackoff;
  return { failures: kept.failures + since.length, lastAt: Math.max(kept.lastAt, ...since) };
}

/** The Job's annotations with this backoff in them. */
export function annotationsWith(
  annotations: Job["metadata"]["annotations"],
  { failures, lastAt }: Backoff,
): Job["metadata"]["annotations"] {
  const others = Object.entries(annotations ?? {}).filter(
    ([key]) => key !== failuresAnnotation && key !== lastFailureAnnotation,
  );
  if (failures > 0) others.push([failuresAnnotation, String(failures)], [lastFailureAnnotation, toTimestamp(lastAt)]);
  return others.length === 0 ? undefined : Object.fromEntries(others);
}

/** From when on a new Pod may be made: 10 s after a failure, doubled for each more in a row, at most 10 minutes. */
export function nextPodAt({ failures, lastAt }: Backoff): number {
  return failures === 0 ? 0 : lastAt + Math.min(backoffMsMax, backoffMs * 2 ** (failures - 1));
}

/** The same for one index whose last Pod has failed. */
export function nextPodOfIndexAt(lastFailed: Pod): number {
  const { counted, ignored } = indexFailures(lastFailed);
  return nextPodAt({ failures: counted + ignored + 1, lastAt: finishedAt(lastFailed) });
}

const backoffMs = 10_000;
const backoffMsMax = 600_000;
