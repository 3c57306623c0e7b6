import type { FieldFault } from "../../base/errors.js";
import { cloneJson } from "../json.js";
import type { Draft } from "../kind.js";
import { matchesSelector } from "../selector.js";
import type { Job } from "./batch.js";

const uidLabels = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const nameLabels = ["job-name", "batch.kubernetes.io/job-name"];

/**
 * Gives a new Job labels for its Pods and a selector that no other Job has, unless its own selector is asked for. `givenUid`: the uid in what was
 * sent, when that was made from a stored Job; that one's labels are replaced.
 */
export function generateSelector(draft: Draft, givenUid: string | undefined): void {
  const job = draft as unknown as { -readonly [K in keyof Job]: Job[K] };
  const { spec, metadata } = job;
  if (spec?.template === undefined || spec.manualSelector === true) return;
  const { uid = "", name } = metadata;
  const isOwn = (label: string | undefined): boolean => givenUid !== undefined && label === givenUid;
  const given = spec.template.metadata?.labels ?? {};
  const hadOwn = uidLabels.some((label) => isOwn(given[label]));
  const labels: Record<string, string> = { ...given };
  for (const label of uidLabels) if (labels[label] === undefined || isOwn(labels[label])) labels[label] = uid;
  for (const label of nameLabels) if (labels[label] === undefined || hadOwn) labels[label] = name;
  const selected = cloneJson(spec.selector ?? {});
  const matchLabels = { ...selected.matchLabels };
  const [, selecting] = uidLabels as [string, string];
  if (matchLabels[selecting] === undefined || isOwn(matchLabels[selecting])) matchLabels[selecting] = uid;
  job.spec = {
    ...spec,
    selector: { ...selected, matchLabels },
    template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
  };
}

/** A selector that was not asked for has to be the generated one, and the template's labels with it. */
export function selectorRules(job: Job, faults: FieldFault[]): void {
  const { spec, metadata } = job;
  const labels = spec.template.metadata?.labels ?? {};
  if (spec.selector === undefined) {
    const message = "is required when manualSelector is true";
    faults.push({ field: "spec.selector", reason: "Required", message });
    return;
  }
  if (spec.manualSelector !== true) {
    const expected = expectedLabels(metadata.uid ?? "", metadata.name);
    for (const [label, value] of Object.entries(expected)) {
      if (labels[label] === value) continue;
      const message = `must be "${value}", or left out: it is set by the server when manualSelector is not true`;
      faults.push({ field: `spec.template.metadata.labels[${label}]`, reason: "Invalid", message });
    }
    if (!matchesSelector(spec.selector, expected)) {
      const message = "must be left out, or manualSelector be true: it is made by the server";
      faults.push({ field: "spec.selector", reason: "Invalid", message });
    }
  }
  if (!matchesSelector(spec.selector, labels)) {
    const message = "must match spec.selector, or the Pods made from the template would not be found again";
    faults.push({ field: "spec.template.metadata.labels", reason: "Invalid", message });
  }
}

function expectedLabels(uid: string, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries([
    ...uidLabels.map((label) => [label, uid] as const),
    ...nameLabels.map((label) => [label, name] as const),
  ]);
}
