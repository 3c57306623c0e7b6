import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { isFinished } from "../../src/controllers/pod-state.js";
import type { Cluster } from "./cluster.js";
import { any, endedStatus, readyStatus } from "./objects.js";

/** What a node's agent does with Pods, in virtual time. */
export interface AgentBehaviour {
  /** From seeing a Pod to its being ready; undefined: it never gets ready. */
  readyAfterMs(pod: Pod): number | undefined;
  /** From seeing the deletion to the containers being gone. */
  stopAfterMs(pod: Pod): number;
  /** How its containers end by themselves, from their start on; undefined or absent: they do not. */
  endsAfterMs?(pod: Pod): { readonly ms: number; readonly exitCode: number } | undefined;
}

const reportWindowMs = 10;

/**
 * Keeps the containers of one node: starts what is bound to the node, reports it ready, stops what is being deleted,
 * removes what has no object any more. While it is dead its containers run on and nobody reports.
 */
export class FakeAgent {
  readonly node: string;
  /** Uids of Pods with running containers: the engine's view. */
  readonly engine = new Map<string, { readonly namespace: string; readonly name: string; ghost: boolean }>();
  readonly #cluster: Cluster;
  readonly #stopping = new Set<string>();
  /** Uids of Pods whose containers ended for good. */
  readonly #ended = new Set<string>();
  /** Counts lives; what an earlier life had planned does not happen. */
  #life = 1;
  #dead = false;

  constructor(cluster: Cluster, node: string) {
    this.#cluster = cluster;
    this.node = node;
  }

  get dead(): boolean {
    return this.#dead;
  }

  die(): void {
    this.#dead = true;
    this.#life += 1;
    this.#stopping.clear();
    // Nobody can say whether these still run: they are left out of the bounds until they are gone.
    for (const one of this.engine.values()) one.ghost = true;
  }

  revive(): void {
    this.#dead = false;
    // What was about to get ready gets ready anew.
    for (const pod of this.#cluster.snapshot().podsOnNode<Pod>(this.node)) {
      const { uid = "", deletionTimestamp } = pod.metadata;
      if (deletionTimestamp === undefined && this.engine.has(uid) && pod.status?.phase === "Pending")
        this.#start(uid, pod);
    }
    this.look();
  }

  /** Brings the engine in step with the store. */
  look(): void {
    if (this.#dead) return;
    const snapshot = this.#cluster.snapshot();
    const running = this.engine.size;
    const assigned = new Map(snapshot.podsOnNode<Pod>(this.node).map((pod) => [pod.metadata.uid ?? "", pod]));
    for (const uid of this.engine.keys()) if (!assigned.has(uid)) this.engine.delete(uid);
    for (const [uid, pod] of assigned) {
      if (pod.metadata.deletionTimestamp !== undefined) this.#stop(uid, pod);
      else if (!this.engine.has(uid) && !this.#ended.has(uid) && pod.status?.phase === "Pending") this.#start(uid, pod);
    }
    if (this.engine.size > running) this.#cluster.checkBounds();
  }

  #start(uid: string, pod: Pod): void {
    const { namespace = "", name } = pod.metadata;
    this.engine.set(uid, { namespace, name, ghost: false });
    const delay = this.#cluster.behaviour.readyAfterMs(pod);
    if (delay !== undefined) this.#later(delay, () => this.report(uid, (now) => readyStatus(now)));
    else this.report(uid, (now) => readyStatus(now, false));
    const end = this.#cluster.behaviour.endsAfterMs?.(pod);
    if (end !== undefined) this.#later(end.ms, () => this.end(uid, (now) => endedStatus(now, end.exitCode)));
  }

  #stop(uid: string, pod: Pod): void {
    if (this.#stopping.has(uid)) return;
    this.#stopping.add(uid);
    this.#later(this.#cluster.behaviour.stopAfterMs(pod), () => {
      this.engine.delete(uid);
      this.#stopping.delete(uid);
      this.#cluster.change("/Pod", pod.metadata.namespace ?? "", pod.metadata.name, (live) =>
        live.metadata.uid === uid ? gone(live) : undefined,
      );
    });
  }

  /** Writes a Pod's status, unless the object is another one by now or is being deleted. */
  report(uid: string, status: (now: number) => Pod["status"]): void {
    const where = this.engine.get(uid);
    if (where === undefined) return;
    this.#cluster.change("/Pod", where.namespace, where.name, (live) => {
      if (live.metadata.uid !== uid || live.metadata.deletionTimestamp !== undefined) return undefined;
      const pod = live as unknown as Pod;
      const kept = (pod.status?.conditions ?? []).filter((one) => one.type !== "Ready");
      const next = status(this.#cluster.time.now());
      return any({ ...pod, status: { ...next, conditions: [...kept, ...(next?.conditions ?? [])] } } as Pod);
    });
  }

  /** The Pod's containers end and are not started again. */
  end(uid: string, status: (now: number) => Pod["status"] = () => ({ phase: "Failed", reason: "Evicted" })): void {
    this.report(uid, status);
    this.#ended.add(uid);
    this.engine.delete(uid);
  }

  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    // Reports of one window go together, as the servers fold them into one entry.
    const { time } = this.#cluster;
    const end = Math.ceil((time.monotonic() + delayMs) / reportWindowMs) * reportWindowMs;
    time.after(end - time.monotonic(), () => {
      if (this.#life === life && !this.#dead) run();
    });
  }
}

/** What the server makes of the word that all containers of a terminating Pod are removed. */
function gone(live: AnyObject): AnyObject | "remove" | undefined {
  if ((live.metadata.finalizers ?? []).length === 0) return "remove";
  const pod = live as unknown as Pod;
  if (live.metadata.deletionGracePeriodSeconds === 0) return undefined;
  const phase = isFinished(pod) ? (pod.status?.phase ?? "Failed") : "Failed";
  const metadata = { ...pod.metadata, deletionGracePeriodSeconds: 0 };
  return any({ ...pod, metadata, status: { ...pod.status, phase } } as Pod);
}
