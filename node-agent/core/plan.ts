import type { Container, LifecycleHandler } from "../../src/api/kinds/pod.js";
import type { ContainerSpec } from "./runtime.js";
import type { VolumePlan } from "./volume-plan.js";

/**
 * One step of work for one Pod. At most one action is in flight per slot: `sandbox`, `container/<name>` (create, start),
 * `image/<name>`, `hook/<id>` (postStart), `stop/<id>`, `kill/<id>`, `remove/<id>`, `restore/<id>`, `volume/<name>`, `volumes` (removal).
 */
export type Action =
  | { readonly kind: "create-sandbox"; readonly slot: string; readonly attempt: number }
  | {
      readonly kind: "image";
      readonly slot: string;
      readonly container: string;
      readonly attempt: number;
      readonly reference: string;
      /** Which bytes of it alone will do. */
      readonly pin: string | undefined;
      readonly policy: "Always" | "IfNotPresent" | "Never";
    }
  | { readonly kind: "create"; readonly slot: string; readonly spec: ContainerSpec }
  | { readonly kind: "start"; readonly slot: string; readonly containerId: string }
  | {
      readonly kind: "post-start";
      readonly slot: string;
      readonly containerId: string;
      readonly container: Container;
      readonly handler: LifecycleHandler;
    }
  | {
      readonly kind: "stop";
      readonly slot: string;
      readonly containerId: string;
      readonly graceMs: number;
      readonly why: string;
      /** What comes before the stop signal, within the grace. */
      readonly preStop?: { readonly container: Container; readonly handler: LifecycleHandler };
    }
  | { readonly kind: "remove"; readonly slot: string; readonly containerId: string }
  | { readonly kind: "restore"; readonly slot: string; readonly containerId: string; readonly what: string }
  | { readonly kind: "volume"; readonly slot: string; readonly plan: VolumePlan }
  | { readonly kind: "remove-volumes"; readonly slot: string };

export interface Waiting {
  /** Kubernetes' reasons: ContainerCreating, PodInitializing, CrashLoopBackOff, ErrImagePull, ImagePullBackOff, … */
  readonly reason: string;
  readonly message?: string;
}

/** An action that failed, and when to try it again. */
export interface SlotFailure {
  readonly failures: number;
  readonly message: string;
  /** Wall milliseconds. */
  readonly retryAt: number;
}

/** Collects what one decision wants. */
export class Plan {
  readonly actions: Action[] = [];
  readonly waiting = new Map<string, Waiting>();
  /** Wall milliseconds; undefined: nothing to wake up for. */
  wakeAt: number | undefined;
  readonly #now: number;
  readonly #busy: ReadonlyMap<string, unknown>;
  readonly #failures: ReadonlyMap<string, SlotFailure>;

  constructor(now: number, busy: ReadonlyMap<string, unknown>, failures: ReadonlyMap<string, SlotFailure>) {
    this.#now = now;
    this.#busy = busy;
    this.#failures = failures;
  }

  /** Takes the action unless its slot is busy, or has failed and is not to be tried again yet. */
  act(action: Action): void {
    if (this.#busy.has(action.slot)) return;
    const failure = this.#failures.get(action.slot);
    if (failure !== undefined && failure.retryAt > this.#now) this.wake(failure.retryAt);
    else this.actions.push(action);
  }

  wake(at: number): void {
    this.wakeAt = Math.min(this.wakeAt ?? Infinity, at);
  }

  wait(container: string, reason: string, message?: string): void {
    this.waiting.set(container, message === undefined ? { reason } : { reason, message });
  }
}
