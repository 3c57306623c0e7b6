import type { Deployment } from "../api/kinds/apps.js";
import { desiredAnnotation, maxAnnotation } from "./revision.js";
import { createdAt, isFinished } from "./pod-state.js";
import { grownSize, proportionalSizes, resolveFences, shrunkSizes, type Fences } from "./rollout.js";
import type { SetView } from "./set-view.js";

/** The sizes a Deployment's sets should have now. Sets that are not in the map stay as they are. */
export type Sizes = ReadonlyMap<SetView, number>;

export interface DeploymentSets {
  readonly deployment: Deployment;
  readonly newest: SetView | undefined;
  /** Oldest first, without the newest. */
  readonly old: readonly SetView[];
}

/** Recreate has no surge, and anything may be unavailable. */
export function fencesOf(deployment: Deployment): Fences {
  const replicas = deployment.spec.replicas ?? 1;
  const { type, rollingUpdate } = deployment.spec.strategy ?? {};
  return type === "Recreate" ? { surge: 0, unavailable: replicas } : resolveFences(rollingUpdate, replicas);
}

/** Someone changed spec.replicas since the sets were last scaled. */
export function isResized({ deployment, newest, old }: DeploymentSets): boolean {
  const replicas = String(deployment.spec.replicas ?? 1);
  return [...old, ...(newest ? [newest] : [])].some((view) => {
    const desired = view.set.metadata.annotations?.[desiredAnnotation];
    return view.size > 0 && desired !== undefined && desired !== replicas;
  });
}

/** Sizes after spec.replicas changed, also of a paused Deployment: no rollout, each revision keeps its share. */
export function resizedSizes(sets: DeploymentSets): Sizes {
  const { deployment, newest, old } = sets;
  const replicas = deployment.spec.replicas ?? 1;
  const active = [...old, ...(newest ? [newest] : [])].filter((view) => view.size > 0);
  const only = active.length === 0 ? (newest ?? old.at(-1)) : active.length === 1 ? active[0] : undefined;
  if (only) return new Map([[only, replicas]]);
  if (active.length === 0) return new Map();
  if (newest && isSaturated(newest, replicas))
    return new Map(old.filter((view) => view.size > 0).map((view) => [view, 0]));
  if (deployment.spec.strategy?.type === "Recreate") return new Map();
  const { surge } = fencesOf(deployment);
  const sizes = proportionalSizes(
    { replicas, surge },
    active.map((view) => ({
      size: view.size,
      annotatedMax: Number(view.set.metadata.annotations?.[maxAnnotation] ?? deployment.status?.replicas ?? 0) || 0,
      createdAt: createdAt(view.set),
    })),
  );
  return new Map(active.map((view, at) => [view, sizes[at] ?? view.size]));
}

/** One step of a rolling update: the newest grows, or the old ones shrink, never both. */
export function rollingSizes({ deployment, newest, old }: DeploymentSets): Sizes {
  const replicas = deployment.spec.replicas ?? 1;
  const { surge, unavailable } = fencesOf(deployment);
  if (newest) {
    if (newest.size > replicas) return new Map([[newest, replicas]]);
    const grown = grownSize({ replicas, surge }, newest, old);
    if (grown !== newest.size) return new Map([[newest, grown]]);
  }
  const shrunk = shrunkSizes({ replicas, unavailable }, newest ?? { size: 0, existing: 0, available: 0, held: 0 }, old);
  return new Map(old.map((view, at) => [view, shrunk[at] ?? view.size]));
}

/** Recreate's first half: the old sets go to 0. Undefined when no old Pod can be left running. */
export function drainedSizes(old: readonly SetView[]): Sizes | undefined {
  const sized = old.filter((view) => view.size > 0);
  if (sized.length > 0) return new Map(sized.map((view) => [view, 0]));
  // Pods on lost nodes count here: two revisions at once is what Recreate is there to prevent.
  return old.some((view) => view.pods.some((pod) => !isFinished(pod))) ? new Map() : undefined;
}

function isSaturated(newest: SetView, replicas: number): boolean {
  return (
    newest.size === replicas &&
    newest.set.metadata.annotations?.[desiredAnnotation] === String(replicas) &&
    newest.available === replicas
  );
}
