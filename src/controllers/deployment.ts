import type { Deployment, ReplicaSet } from "../api/kinds/apps.js";
import type { AnyObject } from "../api/object.js";
import { deletion } from "./deletion.js";
import { keyOfObject } from "../objects/keys.js";
import type { ObjectKey } from "../objects/snapshot.js";
import { isEmpty, mergeChanges, noChanges } from "../objects/transaction.js";
import { objectsPerDecisionMax } from "./bounds.js";
import { claim } from "./claims.js";
import type { Controller, Decision, DecisionEvent, World } from "./controller.js";
import {
  drainedSizes,
  fencesOf,
  isResized,
  resizedSizes,
  rollingSizes,
  type DeploymentSets,
  type Sizes,
} from "./deployment-plan.js";
import { countedStatus, isComplete, withNewest, withPause, withProgress } from "./deployment-status.js";
import { sameJson } from "../api/json.js";
import { asObject, decidedFrom, isControlledBy, isNamespaceOpen, isTerminating, namespaceGuard } from "./pod-state.js";
import {
  byAge,
  findNewest,
  makeNewest,
  nameOfNewest,
  newestAnnotations,
  revisionAnnotation,
  revisionOf,
  scaleAnnotations,
  type Annotations,
} from "./revision.js";
import { grownSize, type SetCounts } from "./rollout.js";
import { earliest, viewSet, type SetView } from "./set-view.js";
import { deploymentsOf } from "./wakes.js";

/** Deployment → ReplicaSets: Kubernetes' pkg/controller/deployment, one decision per log entry. */
export const deploymentController: Controller = {
  name: "deployment",
  wakes: deploymentsOf,
  keys: (snapshot) => snapshot.list("apps/Deployment").map(keyOfObject),
  reconcile(key: ObjectKey, world: World): Decision {
    const deployment = world.snapshot.get<Deployment>("apps/Deployment", key.namespace, key.name);
    return deployment === undefined ? {} : decide(deployment, world);
  },
};

function decide(deployment: Deployment, world: World): Decision {
  const { snapshot, now } = world;
  const all = snapshot.list<ReplicaSet>("apps/ReplicaSet", deployment.metadata.namespace);
  const claimed = claim(deployment, deployment.spec.selector, all);
  if (claimed.length > 0)
    return {
      changes: { ...noChanges, updates: claimed.slice(0, objectsPerDecisionMax), unchanged: [decidedFrom(deployment)] },
    };

  const sets = all.filter((set) => isControlledBy(set, deployment)).sort(byAge);
  const views = sets.map((set) => viewSet(set, snapshot, now));
  const newestSet = findNewest(deployment, sets);
  const newest = views.find((view) => view.set === newestSet);
  const old = views.filter((view) => view !== newest);
  const work = new Work(deployment, { deployment, newest, old }, views, world);

  if (isTerminating(deployment)) return work.finish(false);
  if (newest) work.syncNewest(newest);
  const resized = isResized(work.sets) ? resizedSizes(work.sets) : noSizes;
  if (deployment.spec.paused === true) {
    work.scale(resized);
    work.trimHistory();
    return work.finish(false);
  }
  if (resized.size > 0) {
    work.scale(resized);
    return work.finish(false);
  }
  if (deployment.spec.strategy?.type === "Recreate") recreate(work);
  else rollingUpdate(work);
  return work.finish(true);
}

function rollingUpdate(work: Work): void {
  const made = work.sets.newest ? undefined : work.makeNewest();
  if (made === "waits" || (made !== undefined && made > 0)) return;
  work.scale(rollingSizes(work.sets));
  work.trimHistory();
}

function recreate(work: Work): void {
  const draining = drainedSizes(work.sets.old);
  if (draining) {
    work.scale(draining);
    return;
  }
  const { newest } = work.sets;
  if (newest) work.scale(new Map([[newest, work.replicas]]));
  else work.makeNewest();
  work.trimHistory();
}

const noPods: SetCounts = { size: 0, existing: 0, available: 0, held: 0 };
const noSizes: Sizes = new Map();

/** One decision under construction: what becomes of the sets and of the status, as one transaction. */
class Work {
  readonly sets: DeploymentSets;
  readonly replicas: number;
  readonly #deployment: Deployment;
  readonly #views: readonly SetView[];
  readonly #world: World;
  readonly #events: DecisionEvent[] = [];
  readonly #sizes = new Map<SetView, number>();
  readonly #annotations = new Map<SetView, Annotations>();
  #made: ReplicaSet | undefined;
  /** The newest set was made, or is one of an earlier revision that is wanted again. */
  #turned = false;
  #collided = false;
  #trims = false;

  constructor(deployment: Deployment, sets: DeploymentSets, views: readonly SetView[], world: World) {
    this.#deployment = deployment;
    this.#views = views;
    this.#world = world;
    this.sets = sets;
    this.replicas = deployment.spec.replicas ?? 1;
  }

  /** Brings the newest set's revision and annotations up to date. */
  syncNewest(newest: SetView): void {
    const oldMax = Math.max(0, ...this.sets.old.map((view) => revisionOf(view.set)));
    const { surge } = fencesOf(this.#deployment);
    this.#annotations.set(newest, newestAnnotations(this.#deployment, newest.set, oldMax, surge));
    this.#turned = revisionOf(newest.set) < oldMax + 1;
  }

  /** Makes the set for the present template; gives its size, or that its name is taken or the Namespace is closing. */
  makeNewest(): number | "waits" {
    const { snapshot, now } = this.#world;
    const deployment = this.#deployment;
    const namespace = deployment.metadata.namespace ?? "";
    if (!isNamespaceOpen(snapshot, namespace)) return "waits";
    if (snapshot.get("apps/ReplicaSet", namespace, nameOfNewest(deployment).name) !== undefined) {
      this.#collided = true;
      return "waits";
    }
    const { surge } = fencesOf(deployment);
    // Past the Deployment's own annotation too: no revision, and so no uid, is given twice, even when sets were deleted by hand.
    const revisions = [revisionOf(deployment), ...this.sets.old.map((view) => revisionOf(view.set))];
    const set = makeNewest(deployment, Math.max(...revisions) + 1, surge, now);
    const size = grownSize({ replicas: this.replicas, surge }, noPods, this.sets.old);
    this.#made = { ...set, spec: { ...set.spec, replicas: size } };
    this.#turned = true;
    if (size > 0) this.#tellScaled(set, 0, size);
    return size;
  }

  /** Sets sizes and, with them, the annotations that say what they were computed for. */
  scale(sizes: Sizes): void {
    const { surge } = fencesOf(this.#deployment);
    const resizing = isResized(this.sets);
    for (const [view, size] of sizes) {
      if (size === view.size && !resizing) continue;
      const present = this.#annotations.get(view) ?? view.set.metadata.annotations ?? {};
      this.#annotations.set(view, { ...present, ...scaleAnnotations(this.replicas, surge) });
      this.#sizes.set(view, size);
      if (size !== view.size) this.#tellScaled(view.set, view.size, size);
    }
  }

  /** Lets go of old empty sets above revisionHistoryLimit, when the rollout is complete (or paused). */
  trimHistory(): void {
    this.#trims = true;
  }

  /** `rolling`: this was a step of a rollout, so its deadline counts. */
  finish(rolling: boolean): Decision {
    const { now } = this.#world;
    const deployment = this.#deployment;
    const newestName = this.#made?.metadata.name ?? this.sets.newest?.set.metadata.name;
    const unavailable = deployment.spec.strategy?.type === "Recreate" ? 0 : fencesOf(deployment).unavailable;
    const sizes = new Map(this.#sizes);
    let status = countedStatus(deployment, this.sets.newest, this.#views, sizes, unavailable, now);
    status = withPause(deployment, status, now);
    if (this.#collided) status = { ...status, collisionCount: (status.collisionCount ?? 0) + 1 };
    if (this.#turned && newestName !== undefined && deployment.spec.progressDeadlineSeconds !== undefined)
      status = withNewest(status, newestName, this.#made !== undefined, now);
    let deadlineAt: number | undefined;
    if (rolling) ({ status, deadlineAt } = withProgress(deployment, status, newestName, now));

    const updated: Deployment = { ...deployment, metadata: this.#metadata(), status };
    const changed = !sameJson(updated, deployment);
    const trimmable = deployment.spec.paused === true || isComplete(deployment, status);
    const trims = this.#trims && trimmable ? this.#trimmed() : [];
    const changes = mergeChanges([
      {
        creates: this.#made ? [asObject(this.#made)] : [],
        updates: [...(changed ? [asObject(updated)] : []), ...this.#changedSets()],
        removes: [],
        unchanged: [
          ...(changed ? [] : [decidedFrom(deployment)]),
          ...(this.#made ? namespaceGuard(this.#world.snapshot, deployment.metadata.namespace ?? "") : []),
        ],
      },
      ...trims.map((set) => deletion(asObject(set), now)),
    ]);
    const wakeAt = earliest(deadlineAt, ...this.#views.map((view) => view.nextAvailableAt));
    return {
      ...(isEmpty(changes) ? {} : { changes }),
      ...(wakeAt === undefined ? {} : { wakeAt }),
      events: this.#events,
    };
  }

  #metadata(): Deployment["metadata"] {
    const { metadata } = this.#deployment;
    const newest = this.sets.newest;
    const annotations = this.#made?.metadata.annotations ?? (newest && this.#annotations.get(newest));
    const revision = annotations?.[revisionAnnotation];
    if (revision === undefined) return metadata;
    return { ...metadata, annotations: { ...metadata.annotations, [revisionAnnotation]: revision } };
  }

  #changedSets(): readonly AnyObject[] {
    return this.#views.flatMap((view) => {
      const { set } = view;
      const minReadySeconds =
        view === this.sets.newest ? this.#deployment.spec.minReadySeconds : set.spec.minReadySeconds;
      const replicas = this.#sizes.get(view) ?? set.spec.replicas;
      const annotations = this.#annotations.get(view) ?? set.metadata.annotations;
      const specChanges = replicas !== set.spec.replicas || (minReadySeconds ?? 0) !== (set.spec.minReadySeconds ?? 0);
      if (!specChanges && sameJson(annotations ?? {}, set.metadata.annotations ?? {})) return [];
      const generation = (set.metadata.generation ?? 0) + (specChanges ? 1 : 0);
      const next: ReplicaSet = {
        ...set,
        metadata: { ...set.metadata, generation, ...(annotations === undefined ? {} : { annotations }) },
        spec: {
          ...set.spec,
          ...(replicas === undefined ? {} : { replicas }),
          ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
        },
      };
      return [asObject(next)];
    });
  }

  #trimmed(): readonly ReplicaSet[] {
    const limit = this.#deployment.spec.revisionHistoryLimit ?? 10;
    const kept = this.sets.old.filter((view) => !isTerminating(view.set));
    const surplus = [...kept]
      .sort((left, right) => revisionOf(left.set) - revisionOf(right.set))
      .slice(0, Math.max(0, kept.length - limit));
    return surplus
      .filter(
        ({ set, existing, size }) =>
          size === 0 &&
          existing === 0 &&
          (set.status?.replicas ?? 0) === 0 &&
          (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
      )
      .slice(0, objectsPerDecisionMax / 2)
      .map((view) => view.set);
  }

  #tellScaled(set: ReplicaSet, from: number, to: number): void {
    this.#events.push({
      object: asObject(this.#deployment),
      type: "Normal",
      reason: "ScalingReplicaSet",
      message: `Scaled ${to > from ? "up" : "down"} replica set ${set.metadata.name} from ${from} to ${to}`,
    });
  }
}
