import type { Env, Timer } from "../../../src/base/env.js";
import type { EvictablePods } from "./evictable.js";
import { isSpared } from "./eviction-order.js";
import type { MeasuredPod, PodMeter } from "./pod-meter.js";
import { hasStorageLimit, limitExceeded } from "./storage-limits.js";

export interface StorageMeans {
  readonly env: Pick<Env, "timers" | "log">;
  readonly meter: PodMeter;
  readonly pods: EvictablePods;
  readonly isReady: () => boolean;
}

/**
 * Measures the Pods that may only write so much, one after the other and again after a pause, and evicts those that have gone over. Between two
 * measurements a Pod can write more than its limit: the limit is kept by its end, not by an error at the write.
 */
export class StorageKeeper {
  readonly #means: StorageMeans;
  readonly #intervalMs: number;
  #timer: Timer | undefined;
  #closed = false;

  constructor(intervalMs: number, means: StorageMeans) {
    this.#means = means;
    this.#intervalMs = intervalMs;
  }

  start(): void {
    this.#later();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  #later(): void {
    if (!this.#closed) this.#timer = this.#means.env.timers.after(this.#intervalMs, () => this.#round());
  }

  #round(): void {
    const { pods, isReady } = this.#means;
    if (!isReady()) return this.#later();
    const limited = pods.candidates().filter(({ pod }) => hasStorageLimit(pod) && !isSpared(pod));
    return this.#next(limited, 0);
  }

  #next(limited: readonly MeasuredPod[], at: number): void {
    const { env, meter, pods } = this.#means;
    const one = limited[at];
    if (one === undefined) return this.#later();
    return meter.onDisk([one], "gently", (error, [usage]) => {
      if (this.#closed) return;
      if (error !== null || usage === undefined) {
        env.log.warn("what a Pod has on the disk was not measured", {
          pod: one.pod.metadata.name,
          error: error?.message,
        });
      } else {
        const message = limitExceeded(usage);
        if (message !== undefined) pods.evict(one.uid, { message, graceMs: 0, dropsContainers: true });
      }
      this.#next(limited, at + 1);
    });
  }
}
