import { cloneJson } from "../api/json.js";
import { completionIndexKey, trackingFinalizer, type Job } from "../api/kinds/batch.js";
import type { Container, EnvVar, Pod, PodTemplateSpec } from "../api/kinds/pod.js";
import { indexFailures, indexFailuresKey, indexIgnoredKey, hasLimitPerIndex } from "./job-view.js";
import type { WantedPod } from "./make-pods.js";
import { judgeFailure } from "./pod-failure-policy.js";

/** The Pod of a Job's index, or of a Job without. `failed`: the one of this index that it replaces. */
export function jobPod(job: Job, index: number | undefined, failed: Pod | undefined): WantedPod {
  const finalizers = [trackingFinalizer];
  if (index === undefined) return { template: job.spec.template, finalizers };
  const ending = `-${index}-`;
  const prefix = `${job.metadata.name.slice(0, prefixLengthMax - ending.length)}${ending}`;
  return { prefix, template: indexedTemplate(job, index, failed), finalizers };
}

/** With the five letters that follow a name has at most 63. */
const prefixLengthMax = 58;

function indexedTemplate(job: Job, index: number, failed: Pod | undefined): PodTemplateSpec {
  const { metadata, spec } = job.spec.template;
  const { containers, initContainers, ...others } = spec;
  return {
    metadata: {
      labels: { ...metadata?.labels, [completionIndexKey]: String(index) },
      annotations: {
        ...metadata?.annotations,
        [completionIndexKey]: String(index),
        ...(hasLimitPerIndex(job) ? failureCounts(job, failed) : {}),
      },
    },
    spec: {
      ...others,
      hostname: `${job.metadata.name}-${index}`,
      containers: containers.map(withIndexVariable),
      ...(initContainers === undefined ? {} : { initContainers: initContainers.map(withIndexVariable) }),
    },
  };
}

/** The index's failures so far go from Pod to Pod. */
function failureCounts({ spec }: Job, failed: Pod | undefined): Readonly<Record<string, string>> {
  if (failed === undefined) return { [indexFailuresKey]: "0" };
  const { counts } = judgeFailure(spec.podFailurePolicy, failed);
  const before = indexFailures(failed);
  const ignored = before.ignored + (counts ? 0 : 1);
  return {
    [indexFailuresKey]: String(before.counted + (counts ? 1 : 0)),
    ...(ignored > 0 ? { [indexIgnoredKey]: String(ignored) } : {}),
  };
}

const indexVariable: EnvVar = {
  name: "JOB_COMPLETION_INDEX",
  valueFrom: { fieldRef: { fieldPath: `metadata.labels['${completionIndexKey}']` } },
};

/** A variable of that name in the template stays. */
function withIndexVariable(container: Container): Container {
  const { env = [] } = container;
  if (env.some(({ name }) => name === indexVariable.name)) return container;
  return { ...container, env: [...env, cloneJson(indexVariable)] };
}
