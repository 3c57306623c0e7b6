import type { Env } from "../../../src/base/env.js";
import type { EvictionOrder } from "../pod-record.js";
import type { PodWorker } from "../pod-worker.js";
import type { ContainerInfo } from "../runtime.js";
import type { EvictablePods } from "./evictable.js";
import type { MeasuredPod } from "./pod-meter.js";

/** The agent's Pods, as pressure sees them. */
export class WorkerPods implements EvictablePods {
  readonly #env: Pick<Env, "clock" | "timers">;
  readonly #workers: ReadonlyMap<string, PodWorker>;
  readonly #containersOf: (podUid: string) => readonly ContainerInfo[];

  constructor(
    env: Pick<Env, "clock" | "timers">,
    workers: ReadonlyMap<string, PodWorker>,
    containersOf: (podUid: string) => readonly ContainerInfo[],
  ) {
    this.#env = env;
    this.#workers = workers;
    this.#containersOf = containersOf;
  }

  candidates(): readonly MeasuredPod[] {
    return [...this.#workers].flatMap(([uid, { livingPod: pod }]) =>
      pod === undefined ? [] : [{ uid, pod, containers: this.#containersOf(uid) }],
    );
  }

  evict(uid: string, order: EvictionOrder): void {
    this.#workers.get(uid)?.evict(order);
  }

  isCleared(uid: string): boolean {
    return this.#workers.get(uid)?.isCleared ?? true;
  }

  dropDead(done: () => void): void {
    for (const worker of this.#workers.values()) worker.dropDead();
    const until = this.#env.clock.monotonic() + dropMsMax;
    const wait = (): void => {
      const isOver = ![...this.#workers.values()].some(({ hasDead }) => hasDead);
      if (isOver || this.#env.clock.monotonic() >= until) done();
      else this.#env.timers.after(dropPollMs, wait);
    };
    wait();
  }
}

const dropMsMax = 5_000;
const dropPollMs = 100;
