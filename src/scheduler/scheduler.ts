import { sameJson } from "../api/json.js";
import type { Node } from "../api/kinds/core.js";
import type { PodDisruptionBudget } from "../api/kinds/policy.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import type { Snapshot } from "../objects/snapshot.js";
import { ClusterState } from "./cluster-state.js";
import { bindingDecision, preemptionDecision, rejectionDecision, type SchedulingDecision } from "./decisions.js";
import { plan } from "./plan.js";
import type { Member } from "./room.js";
import type { Profile } from "./scores.js";
import { isWaiting, WaitingQueue } from "./waiting-queue.js";

export interface SchedulerSettings {
  readonly profile: Profile;
}

export interface SchedulingPass {
  readonly decisions: readonly SchedulingDecision[];
  /** Wall time of the next look at those that no node took. */
  readonly wakeAt?: number;
}

export const defaultSchedulerSettings: SchedulerSettings = { profile: "spread" };

/**
 * The scheduler as a pass over all that wait, to be run by the controllers' Runner: its bindings are one log entry. What it keeps in memory
 * follows from the objects, but for how often a class was refused; a new leader starts with its own.
 */
export class Scheduler {
  readonly name = "scheduler";
  readonly #settings: SchedulerSettings;
  #state = new ClusterState();
  #queue = new WaitingQueue();

  constructor(settings: SchedulerSettings = defaultSchedulerSettings) {
    this.#settings = settings;
  }

  /** Looks at everything: after an election. */
  start(snapshot: Snapshot): void {
    this.#queue = new WaitingQueue();
    this.#state = ClusterState.of(snapshot, (member) => isWaiting(member) && this.#queue.add(member));
  }

  /** Takes a change in; gives the wall time from which it calls for a pass (0: now), if it does. */
  changed(before: AnyObject | undefined, after: AnyObject | undefined): number | undefined {
    const object = after ?? before;
    const { was, is } = this.#state.take(before, after);
    switch (object && groupKindOfObject(object)) {
      case "/Pod":
        return this.#podChanged(was, is);
      case "/Node":
        return this.#nodeChanged(before as Node | undefined, after as Node | undefined);
      case "/Namespace":
        return sameJson(before?.metadata.labels, after?.metadata.labels) ? undefined : this.#queue.wakeForOthers();
      default:
        return undefined;
    }
  }

  pass(world: { readonly snapshot: Snapshot; readonly now: number }): SchedulingPass {
    const { snapshot, now } = world;
    const budgets = snapshot.list<PodDisruptionBudget>("policy/PodDisruptionBudget");
    const options = { now, budgets, profile: this.#settings.profile };
    const { bindings, preemptions, rejections, more } = plan(this.#state, this.#queue, options);
    const decisions = [
      ...bindings.map((binding) => bindingDecision(binding, now)),
      ...preemptions.map((preemption) => preemptionDecision(preemption, now)),
      ...rejections.map((rejection) => rejectionDecision(rejection, now)),
    ];
    const wakeAt = more ? now : this.#queue.retryAt();
    return wakeAt === undefined ? { decisions } : { decisions, wakeAt };
  }

  #podChanged(was: Member | undefined, is: Member | undefined): number | undefined {
    const waited = was !== undefined && isWaiting(was) ? was : undefined;
    if (is !== undefined && isWaiting(is)) {
      if (waited !== undefined && waited.podClass === is.podClass) {
        this.#queue.replace(waited, is);
        return undefined;
      }
      if (waited !== undefined) this.#queue.remove(waited);
      this.#queue.add(is);
      return 0;
    }
    if (waited !== undefined) this.#queue.remove(waited);
    return earlier(this.#roomCame(was, is), this.#othersChanged(was, is));
  }

  /** A Pod has left its node: ended, gone, or (what can't be) moved. */
  #roomCame(was: Member | undefined, is: Member | undefined): number | undefined {
    const [from, to] = [nodeNameOf(was), nodeNameOf(is)];
    const room = from === to ? undefined : this.#state.room(from);
    return room === undefined ? undefined : this.#queue.wakeForRoom(room, false);
  }

  /** What rules about other Pods read. */
  #othersChanged(was: Member | undefined, is: Member | undefined): number | undefined {
    const isSame =
      nodeNameOf(was) === nodeNameOf(is) && was?.podClass === is?.podClass && was?.isTerminating === is?.isTerminating;
    return isSame ? undefined : this.#queue.wakeForOthers();
  }

  #nodeChanged(before: Node | undefined, after: Node | undefined): number | undefined {
    if (sameJson(offerOf(before), offerOf(after))) return undefined;
    const room = this.#state.room((after ?? before)?.metadata.name ?? "");
    return room === undefined ? this.#queue.wakeAfterPause() : this.#queue.wakeForRoom(room, true);
  }
}

function nodeNameOf(member: Member | undefined): string {
  return member?.pod.spec.nodeName ?? "";
}

function earlier(left: number | undefined, right: number | undefined): number | undefined {
  return left === undefined || right === undefined ? (left ?? right) : Math.min(left, right);
}

/** What the plan reads of a node. */
function offerOf(node: Node | undefined): unknown {
  if (node === undefined) return undefined;
  const { spec, status, metadata } = node;
  const ready = status?.conditions?.find((one) => one.type === "Ready")?.status;
  return [spec, status?.allocatable, status?.capacity, metadata.labels, metadata.deletionTimestamp, ready];
}
