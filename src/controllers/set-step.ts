import type { ControllerRevision } from "../api/kinds/apps.js";
import type { Pod } from "../api/kinds/pod.js";
import { sameJson } from "../api/json.js";
import type { AnyObject } from "../api/object.js";
import type { Snapshot } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import { claim } from "./claims.js";
import { withReplicaFailure } from "./conditions.js";
import type { Decision, DecisionEvent, World } from "./controller.js";
import { deletion } from "./deletion.js";
import {
  historyChanges,
  labelOf,
  numberAnnotation,
  revisionLabel,
  type History,
  type SetWithHistory,
} from "./history.js";
import { makePods, type WantedPod } from "./make-pods.js";
import { podRefusal, refusedLookMs } from "./pod-admission.js";
import { failedCreate, podEvents, strayedPods, type PodSaying } from "./pod-events.js";
import { asObject, decidedFrom, isControlledBy, isNamespaceOpen, isTerminating, namespaceGuard } from "./pod-state.js";
import { pinRevisions, withRevisionPins } from "./revision-pins.js";
import { earliest } from "./set-view.js";

/** What the decisions of StatefulSets and DaemonSets have in common: before their plan, and what becomes of it. */

/** The set's Pods, terminating and finished ones among them. */
export function podsOf(set: SetWithHistory, snapshot: Snapshot): readonly Pod[] {
  return snapshot.ownedBy<Pod>(set.metadata.uid ?? "", "/Pod").filter((pod) => isControlledBy(pod, set));
}

/** The label of the Pod's revision; "" when it has none. */
export function revisionOf(pod: Pod): string {
  return pod.metadata.labels?.[revisionLabel] ?? "";
}

/** Pods and revisions that the set is to adopt or to release. */
export function claimsOf(
  set: SetWithHistory,
  snapshot: Snapshot,
  belongs?: (pod: Pod) => boolean,
): readonly AnyObject[] {
  const { namespace } = set.metadata;
  return [
    ...claim(set, set.spec.selector, snapshot.list<Pod>("/Pod", namespace), belongs),
    ...claim(set, set.spec.selector, snapshot.list<ControllerRevision>("apps/ControllerRevision", namespace)),
  ];
}

/** Changes of others before anything else is decided. */
export function first(set: SetWithHistory, updates: readonly AnyObject[]): Decision {
  const some = updates.slice(0, objectsPerDecisionMax);
  return { changes: { ...noChanges, updates: some, unchanged: [decidedFrom(set)] } };
}

/** The name for the next revision is taken: another one is tried. */
export function collided<S extends SetWithHistory>(set: S, emptyStatus: S["status"]): Decision {
  const collisionCount = (set.status?.collisionCount ?? 0) + 1;
  const counted = { ...set, status: { ...emptyStatus, ...set.status, collisionCount } };
  return { changes: { ...noChanges, updates: [asObject(counted)] } };
}

/** What a plan comes to. */
export interface Step<S extends SetWithHistory> {
  readonly set: S;
  readonly pods: readonly Pod[];
  readonly history: History;
  readonly wanted: readonly WantedPod[];
  /** Why a wanted Pod is not among `wanted`. */
  readonly refusal: string | undefined;
  readonly victims: readonly Pod[];
  /** The set's status when it has these Pods. */
  readonly statusWith: (after: readonly Pod[]) => NonNullable<S["status"]>;
  /** Labels of revisions of which a Pod is available. */
  readonly ready: ReadonlySet<string>;
  /** The name of a revision that is to be kept beside those of the Pods. */
  readonly kept: (status: NonNullable<S["status"]>) => string | undefined;
  readonly created: PodSaying;
  readonly deleted: PodSaying;
  readonly events: readonly DecisionEvent[];
  readonly wakeAt: number | undefined;
}

/** One transaction: the Pods that are made and deleted, the revisions that this needs, and the set's status. */
export function finish<S extends SetWithHistory>(step: Step<S>, { snapshot, now }: World): Decision {
  const { set, pods } = step;
  const namespace = set.metadata.namespace ?? "";
  const { wanted, refusal } = admitted(step, snapshot);
  const victims = step.victims.slice(0, objectsPerDecisionMax);
  const staying = isTerminating(set) ? [] : pods.filter((pod) => !victims.includes(pod));
  const { history, told, strayed, ...pinned } = pinRevisions(step.history, staying, now);
  const made = makePods(set, withRevisionPins(wanted.slice(0, objectsPerDecisionMax), history), snapshot, now);
  const deletions = victims.map((pod) => deletion(asObject(pod), now));
  const leaving = mergeChanges(deletions).updates as readonly unknown[] as readonly Pod[];
  const after = [...pods.filter((pod) => !victims.includes(pod)), ...leaving, ...made.pods];

  const status = withReplicaFailure(step.statusWith(after), refusal, now);
  const annotations = {
    ...set.metadata.annotations,
    ...made.annotations,
    [numberAnnotation]: String(history.update.revision),
  };
  const updated = isTerminating(set)
    ? { ...set, status }
    : { ...set, metadata: { ...set.metadata, annotations }, status };
  const changed = !sameJson(updated, set);
  const kept = history.revisions.find(({ metadata }) => metadata.name === step.kept(status));
  const inUse = new Set([...after.map(revisionOf), ...(kept === undefined ? [] : [labelOf(kept)])]);
  const changes = mergeChanges([
    {
      creates: made.pods.map(asObject),
      updates: [...(changed ? [asObject(updated)] : []), ...told.map(asObject)],
      removes: [],
      unchanged: [
        ...(changed ? [] : [decidedFrom(set)]),
        ...(made.pods.length > 0 ? namespaceGuard(snapshot, namespace) : []),
      ],
    },
    ...deletions,
    isTerminating(set) ? noChanges : historyChanges(set, history, { ready: step.ready, inUse }, snapshot, now),
  ]);
  const wakeAt = earliest(step.wakeAt, pinned.wakeAt, refusal === undefined ? undefined : now + refusedLookMs);
  const isNewRefusal = refusal !== undefined && !sameJson(status.conditions, set.status?.conditions);
  return {
    ...(isEmpty(changes) ? {} : { changes }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    events: [
      ...podEvents(set, made.pods, "SuccessfulCreate", step.created),
      ...podEvents(set, victims, "SuccessfulDelete", step.deleted),
      ...step.events,
      ...strayedPods(strayed),
      ...(isNewRefusal ? [failedCreate(set, refusal)] : []),
    ],
  };
}

/** What of the wanted may be made; all of one template are judged alike, so the first one stands for them. */
function admitted(
  step: Pick<Step<SetWithHistory>, "set" | "wanted" | "refusal">,
  snapshot: Snapshot,
): Pick<Step<SetWithHistory>, "wanted" | "refusal"> {
  const { set, refusal } = step;
  const namespace = set.metadata.namespace ?? "";
  if (step.wanted.length === 0 || isTerminating(set) || !isNamespaceOpen(snapshot, namespace))
    return { wanted: [], refusal };
  const verdicts = new Map<string, string | undefined>();
  const wanted = step.wanted.filter(({ template }) => {
    const revision = template.metadata?.labels?.[revisionLabel] ?? "";
    if (!verdicts.has(revision)) verdicts.set(revision, podRefusal(template, namespace, snapshot));
    return verdicts.get(revision) === undefined;
  });
  return { wanted, refusal: refusal ?? [...verdicts.values()].find((verdict) => verdict !== undefined) };
}
