import type { Pod } from "../api/kinds/pod.js";
import { labelOf, revisionLabel, templateOf, type History } from "./history.js";
import { pinImages, pinnedTemplate } from "./image-pins.js";
import type { WantedPod } from "./make-pods.js";
import { isActive } from "./pod-state.js";
import { earliest } from "./set-view.js";

/** The images of a StatefulSet's or DaemonSet's revisions: each has its pins on its ControllerRevision. */

/** Pods that are told their images in one decision. */
const toldMax = 100;

interface PinnedHistory {
  readonly history: History;
  readonly told: readonly Pod[];
  readonly strayed: readonly Pod[];
  readonly wakeAt: number | undefined;
}

/** As `pinImages` decides it for each revision and the Pods that are of it. */
export function pinRevisions(history: History, pods: readonly Pod[], now: number): PinnedHistory {
  const decisions = history.revisions.map((revision) => {
    const template = templateOf(revision);
    const own = pods.filter((pod) => isActive(pod) && pod.metadata.labels?.[revisionLabel] === labelOf(revision));
    return template === undefined
      ? { owner: revision, pods: [], strayed: [], wakeAt: undefined }
      : pinImages(revision, template, own, now);
  });
  const revisions = decisions.map(({ owner }) => owner);
  const update = revisions[history.revisions.indexOf(history.update)] ?? history.update;
  return {
    history: { revisions, update },
    told: decisions.flatMap((decision) => decision.pods).slice(0, toldMax),
    strayed: decisions.flatMap(({ strayed }) => strayed),
    wakeAt: earliest(...decisions.map(({ wakeAt }) => wakeAt)),
  };
}

/** The Pods that are to be made, with the pins of their revisions. */
export function withRevisionPins(wanted: readonly WantedPod[], { revisions }: History): readonly WantedPod[] {
  return wanted.map((one) => {
    const label = one.template.metadata?.labels?.[revisionLabel];
    const revision = revisions.find((candidate) => labelOf(candidate) === label);
    return revision === undefined ? one : { ...one, template: pinnedTemplate(revision, one.template) };
  });
}
