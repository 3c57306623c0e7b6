import type { ControllerRevision, DaemonSet, StatefulSet } from "../api/kinds/apps.js";
import type { PodTemplateSpec } from "../api/kinds/pod.js";
import { imagePinsAnnotation } from "../api/image-pins.js";
import { sameJson } from "../api/json.js";
import { valueAt } from "../api/path.js";
import { toTimestamp } from "../api/time.js";
import { derivedUid } from "../objects/derived-id.js";
import type { Changes } from "../objects/changes.js";
import type { Snapshot } from "../objects/snapshot.js";
import { mergeChanges, noChanges } from "../objects/transaction.js";
import { controllerReference } from "./claims.js";
import { deletion } from "./deletion.js";
import { madeAnnotation } from "./make-pods.js";
import { asObject, createdAt, isControlledBy, isTerminating } from "./pod-state.js";
import { templateHash } from "./revision.js";

/** The templates that a StatefulSet or DaemonSet has and had, as ControllerRevisions (Kubernetes' pkg/controller/history). */

export type SetWithHistory = StatefulSet | DaemonSet;

/** Says on a Pod of which revision it is, and on the revision what its Pods say. */
export const revisionLabel = "controller-revision-hash";
/** On a revision of which a Pod was available once: it is not to blame when one is not. */
export const becameReadyAnnotation = "ikada.dev/became-ready";
/** On the set: the number of its newest revision. */
export const numberAnnotation = "ikada.dev/revision";

export interface History {
  /** Oldest first, with `update` in the state that this decision gives it. */
  readonly revisions: readonly ControllerRevision[];
  /** The revision of the present template. */
  readonly update: ControllerRevision;
}

/** The revisions with one for the present template; undefined when its name is taken by something else. */
export function historyOf(set: SetWithHistory, snapshot: Snapshot, now: number): History | undefined {
  const present = revisionsOf(set, snapshot);
  const newest = present.at(-1);
  const equal = present.findLast((revision) => sameJson(templateOf(revision), set.spec.template));
  if (equal !== undefined && equal === newest) return { revisions: present, update: equal };
  // Past the set's own annotation too: no number, and so no uid, is given twice, even when revisions were deleted by hand.
  const number = Math.max(newest?.revision ?? 0, Number(set.metadata.annotations?.[numberAnnotation] ?? 0) || 0) + 1;
  if (equal !== undefined) {
    // Going back to an earlier template makes its revision the newest one.
    const update = {
      ...equal,
      metadata: { ...equal.metadata, annotations: annotationsFor(set, equal) },
      revision: number,
    };
    return { revisions: [...present.filter((one) => one !== equal), update], update };
  }
  const update = newRevision(set, number, now);
  const taken =
    snapshot.get("apps/ControllerRevision", set.metadata.namespace ?? "", update.metadata.name) !== undefined;
  return taken ? undefined : { revisions: [...present, update], update };
}

/** Those of the set, by number. */
export function revisionsOf(set: SetWithHistory, snapshot: Snapshot): readonly ControllerRevision[] {
  return snapshot
    .ownedBy<ControllerRevision>(set.metadata.uid ?? "", "apps/ControllerRevision")
    .filter((revision) => isControlledBy(revision, set) && !isTerminating(revision))
    .toSorted(
      (left, right) =>
        left.revision - right.revision ||
        createdAt(left) - createdAt(right) ||
        (left.metadata.name < right.metadata.name ? -1 : 1),
    );
}

/** The Pod template that a revision keeps; undefined when somebody has put something else in it. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec | undefined {
  const template = valueAt(revision.data, "spec", "template");
  if (typeof template !== "object" || template === null || valueAt(template, "spec") === undefined) return undefined;
  const { $patch: _patch, ...kept } = template as PodTemplateSpec & { readonly $patch?: string };
  return kept;
}

/** What the Pods of a revision have as their label. */
export function labelOf(revision: ControllerRevision): string {
  return revision.metadata.labels?.[revisionLabel] ?? revision.metadata.name;
}

export function becameReady(revision: ControllerRevision | undefined): boolean {
  return revision?.metadata.annotations?.[becameReadyAnnotation] === "true";
}

/**
 * What is to be written of the history: the new revision, a number that changed, the mark of those of which `ready` Pods were
 * seen, and the removal of what is above revisionHistoryLimit and not in use. `inUse` are labels of Pods and of revisions to be kept.
 */
export function historyChanges(
  set: SetWithHistory,
  history: History,
  uses: { readonly ready: ReadonlySet<string>; readonly inUse: ReadonlySet<string> },
  snapshot: Snapshot,
  now: number,
): Changes {
  const marked = history.revisions.map((revision) =>
    uses.ready.has(labelOf(revision)) && !becameReady(revision) ? withMark(revision) : revision,
  );
  const stored = new Map(revisionsOf(set, snapshot).map((revision) => [revision.metadata.name, revision]));
  const creates = marked.filter(({ metadata }) => !stored.has(metadata.name));
  const idle = marked.filter(
    (revision) => revision.metadata.name !== history.update.metadata.name && !uses.inUse.has(labelOf(revision)),
  );
  const surplus = idle.slice(0, Math.max(0, idle.length - (set.spec.revisionHistoryLimit ?? 10)));
  const updates = marked.filter((revision) => {
    const before = stored.get(revision.metadata.name);
    return before !== undefined && !surplus.includes(revision) && !sameJson(before, revision);
  });
  return mergeChanges([
    { ...noChanges, creates: creates.map(asObject), updates: updates.map(asObject) },
    ...surplus.map((revision) => deletion(asObject(revision), now)),
  ]);
}

function withMark(revision: ControllerRevision): ControllerRevision {
  const annotations = { ...revision.metadata.annotations, [becameReadyAnnotation]: "true" };
  return { ...revision, metadata: { ...revision.metadata, annotations } };
}

function newRevision(set: SetWithHistory, number: number, now: number): ControllerRevision {
  const { metadata, spec, status } = set;
  const hash = templateHash(spec.template, status?.collisionCount);
  const name = `${metadata.name}-${hash}`;
  return {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: {
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      uid: derivedUid(metadata.uid ?? "", "ControllerRevision", name, number),
      creationTimestamp: toTimestamp(now),
      // As in Kubernetes: the Pods of a StatefulSet carry the revision's whole name, those of a DaemonSet its hash.
      labels: { ...spec.template.metadata?.labels, [revisionLabel]: set.kind === "StatefulSet" ? name : hash },
      annotations: annotationsFor(set, undefined),
      ownerReferences: [controllerReference(set)],
    },
    data: { spec: { template: { ...spec.template, $patch: "replace" } } },
    revision: number,
  };
}

const ownAnnotations = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  madeAnnotation,
  numberAnnotation,
  // Each revision has its own.
  imagePinsAnnotation,
]);

/** Those of the set (`kubernetes.io/change-cause` for one), beside what the revision has already. */
function annotationsFor(
  set: SetWithHistory,
  revision: ControllerRevision | undefined,
): Readonly<Record<string, string>> {
  const inherited = Object.entries(set.metadata.annotations ?? {}).filter(([name]) => !ownAnnotations.has(name));
  return { ...revision?.metadata.annotations, ...Object.fromEntries(inherited) };
}
