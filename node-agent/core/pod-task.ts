import type { Container, Pod } from "../../src/api/kinds/pod.js";
import { absorb } from "./absorb.js";
import { containerSpec } from "./container-spec.js";
import type { Environment } from "./environment.js";
import { Plan, type Action, type SlotFailure, type Waiting } from "./plan.js";
import { planRemoval } from "./pod-removal.js";
import { nextAttempt, type ContainerRecord, type PodRecord } from "./pod-record.js";
import type { ContainerInfo } from "./runtime.js";
import { specHash } from "./spec-hash.js";

/** All that a decision about one Pod depends on. */
export interface PodView {
  /** Undefined: containers of a Pod that is not assigned. */
  readonly pod: Pod | undefined;
  /** The grace period when the Pod is to be removed; undefined when it is to be kept. */
  readonly removalGraceMs: number | undefined;
  readonly record: PodRecord;
  readonly observed: readonly ContainerInfo[];
  /** By container name. */
  readonly images: ReadonlyMap<string, ImageState>;
  /** Slots with an action in flight; for stops when the kill comes. */
  readonly busy: ReadonlyMap<string, { readonly killAt?: number }>;
  readonly failures: ReadonlyMap<string, SlotFailure>;
  readonly startErrors: ReadonlyMap<string, string>;
  /** Containers that failed their liveness or startup probe. */
  readonly unhealthy: ReadonlySet<string>;
  environment(container: Container, podIP: string): Environment | string;
  /** Wall milliseconds. */
  readonly now: number;
}

/** `attempt` is the container's attempt that the image was looked up for. */
export type ImageState =
  | { readonly attempt: number; readonly status: "ready" }
  | {
      readonly attempt: number;
      readonly status: "failed";
      /** Of the failure itself; while waiting for the next try the reason is ImagePullBackOff. */
      readonly reason: "ErrImagePull" | "ErrImageNeverPull" | "ImageInspectError";
      readonly message: string;
      readonly failedAt: number;
      readonly retryAt: number;
    };

export interface Decision {
  readonly record: PodRecord;
  readonly actions: readonly Action[];
  /** Wall milliseconds; undefined: only a change can make the next decision differ. */
  readonly wakeAt: number | undefined;
  /** Why containers do not run yet, by name. */
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** True when the Pod was to be removed and nothing is left of it. */
  readonly gone: boolean;
}

/**
 * The next steps for one Pod: sandbox, then init containers one after the other, then all containers; each by image, create, start.
 * Pure: the same view gives the same decision. Attempts and ends only move forward; the same decision taken again after a crash of
 * the agent makes the same containers, since their names derive from Pod, container and attempt.
 */
export function decide(view: PodView): Decision {
  const plan = new Plan(view.now, view.busy, view.failures);
  const record = absorb(view.record, view.pod, view);
  if (view.pod === undefined || view.removalGraceMs !== undefined || record.terminatingSince !== undefined) {
    return planRemoval(plan, view, record);
  }
  const next = new PodPlanner(plan, view, view.pod, record).plan();
  return { record: next, actions: plan.actions, wakeAt: plan.wakeAt, waiting: plan.waiting, gone: false };
}

export type RestartPolicy = "Always" | "OnFailure" | "Never";

/** Init containers that failed are tried again under Always too, those that succeeded never. */
export function restartPolicyOf(pod: Pod, container: Container): RestartPolicy {
  const policy = pod.spec.restartPolicy ?? "Always";
  const init = (pod.spec.initContainers ?? []).some(({ name }) => name === container.name);
  return init && policy === "Always" ? "OnFailure" : policy;
}

/** True when this attempt ended and no other will follow. */
export function endedForGood(record: ContainerRecord | undefined, policy: RestartPolicy): boolean {
  if (record?.exit === undefined) return false;
  return policy === "Never" || (policy === "OnFailure" && record.exit.exitCode === 0);
}

/** True when the Pod has done all that it ever will: phase Succeeded or Failed. */
export function isFinished(pod: Pod, record: PodRecord): boolean {
  const over = (container: Container): boolean =>
    endedForGood(record.containers[container.name], restartPolicyOf(pod, container));
  const initFailed = (pod.spec.initContainers ?? []).some(
    (container) => over(container) && record.containers[container.name]?.exit?.exitCode !== 0,
  );
  return initFailed || pod.spec.containers.every(over);
}

class PodPlanner {
  readonly #plan: Plan;
  readonly #view: PodView;
  readonly #pod: Pod;
  #record: PodRecord;

  constructor(plan: Plan, view: PodView, pod: Pod, record: PodRecord) {
    this.#plan = plan;
    this.#view = view;
    this.#pod = pod;
    this.#record = record;
  }

  plan(): PodRecord {
    if (isFinished(this.#pod, this.#record)) {
      // The address is given back; the containers stay for their logs.
      for (const info of this.#view.observed) if (info.role === "sandbox") this.#remove(info);
      return this.#record;
    }
    const sandbox = this.#keepSandbox();
    const inits = this.#pod.spec.initContainers ?? [];
    const pending = inits.find(({ name }) => this.#record.containers[name]?.exit?.exitCode !== 0);
    if (pending !== undefined) {
      for (const container of this.#pod.spec.containers) this.#plan.wait(container.name, "PodInitializing");
      this.#keep(pending, sandbox);
    } else {
      for (const container of this.#pod.spec.containers) this.#keep(container, sandbox);
    }
    this.#collectGarbage();
    return this.#record;
  }

  /** The running sandbox, or undefined after having planned how to get one. */
  #keepSandbox(): ContainerInfo | undefined {
    const { observed, busy } = this.#view;
    const current = observed.find((info) => info.role === "sandbox" && info.attempt === this.#record.sandboxAttempt);
    if (current?.phase === "running") return current;
    if (busy.has("sandbox")) return undefined;
    if (current?.phase === "created") {
      this.#plan.act({ kind: "start", slot: "sandbox", containerId: current.id });
      return undefined;
    }
    // Containers of a lost sandbox have no network that anybody reaches; they end before a new one is made.
    const running = observed.filter((info) => info.role === "container" && info.phase === "running");
    for (const info of running) this.#stop(info, "its sandbox ended");
    if (running.length > 0 || [...busy.keys()].some((slot) => slot.startsWith("container/"))) return undefined;
    if (this.#record.sandboxCreated) this.#replaceSandbox();
    this.#plan.act({ kind: "create-sandbox", slot: "sandbox", attempt: this.#record.sandboxAttempt });
    return undefined;
  }

  /** Init containers run again in a new sandbox. Containers that were made for the old one and not started are made again. */
  #replaceSandbox(): void {
    const containers = { ...this.#record.containers };
    const inits = new Set((this.#pod.spec.initContainers ?? []).map(({ name }) => name));
    for (const [name, record] of Object.entries(containers)) {
      const unstarted = record.created && record.exit === undefined;
      if (inits.has(name) ? record.created : unstarted) containers[name] = nextAttempt(record);
    }
    this.#record = {
      ...this.#record,
      containers,
      sandboxAttempt: this.#record.sandboxAttempt + 1,
      sandboxCreated: false,
    };
  }

  #keep(container: Container, sandbox: ContainerInfo | undefined): void {
    const { name } = container;
    const record = this.#recordOf(name);
    const info = this.#present(name, record.attempt);
    if (record.exit !== undefined) {
      this.#afterExit(container, record, sandbox);
    } else if (info === undefined) {
      this.#bringUp(container, record, sandbox);
    } else if (info.phase === "created") {
      this.#plan.wait(name, ...this.#trouble(name, "RunContainerError", "ContainerCreating"));
      if (sandbox) this.#plan.act({ kind: "start", slot: `container/${name}`, containerId: info.id });
    } else if (info.specHash !== specHash(container)) {
      this.#stop(info, "its spec changed");
    } else if (this.#view.unhealthy.has(info.id)) {
      this.#stop(info, "it failed its probe");
    }
  }

  #afterExit(container: Container, record: ContainerRecord, sandbox: ContainerInfo | undefined): void {
    const policy = restartPolicyOf(this.#pod, container);
    const changed = policy !== "Never" && record.specHash !== "" && record.specHash !== specHash(container);
    if (endedForGood(record, policy) && !changed) return;
    // A wall clock that was set back must not make the pause longer than it was meant.
    const due = Math.min(record.nextRestartAt ?? 0, this.#view.now + record.restartDelayMs);
    if (due > this.#view.now && !changed) {
      const seconds = Math.round(record.restartDelayMs / 1000);
      const message = `back-off ${seconds}s restarting failed container=${container.name} pod=${this.#pod.metadata.name}`;
      this.#plan.wait(container.name, "CrashLoopBackOff", message);
      this.#plan.wake(due);
      return;
    }
    const next = nextAttempt(record);
    this.#setRecord(container.name, next);
    this.#bringUp(container, next, sandbox);
  }

  #bringUp(container: Container, record: ContainerRecord, sandbox: ContainerInfo | undefined): void {
    const { name } = container;
    const slot = `container/${name}`;
    this.#plan.wait(name, ...this.#trouble(name, "CreateContainerError", "ContainerCreating"));
    if (!this.#imageReady(container, record)) return;
    if (sandbox === undefined || this.#view.busy.has(slot)) return;
    const environment = this.#view.environment(container, sandbox.ip ?? "");
    if (typeof environment === "string") {
      this.#plan.wait(name, "CreateContainerConfigError", environment);
      return;
    }
    const spec = containerSpec(this.#pod, container, record.attempt, sandbox.id, environment);
    this.#plan.act({ kind: "create", slot, spec });
  }

  #imageReady(container: Container, { attempt }: ContainerRecord): boolean {
    const { name, image: reference, imagePullPolicy: policy = "IfNotPresent" } = container;
    const state = this.#view.images.get(name);
    const action: Action = { kind: "image", slot: `image/${name}`, container: name, attempt, reference, policy };
    if (state === undefined || state.attempt !== attempt) {
      this.#plan.act(action);
      return false;
    }
    if (state.status === "ready") return true;
    const { now } = this.#view;
    if (now >= state.retryAt) {
      this.#plan.act(action);
    } else {
      this.#plan.wake(state.retryAt);
    }
    const shownUntil = state.failedAt + failureShownMs;
    const backingOff = state.reason === "ErrImagePull" && now >= shownUntil;
    if (!backingOff && state.reason === "ErrImagePull") this.#plan.wake(shownUntil);
    if (backingOff)
      this.#plan.wait(name, "ImagePullBackOff", `Back-off pulling image "${reference}": ${state.message}`);
    else this.#plan.wait(name, state.reason, state.message);
    return false;
  }

  /** Old attempts but the one before the present, whose logs `--previous` shows; sandboxes that are not the present one. */
  #collectGarbage(): void {
    for (const info of this.#view.observed) {
      if (info.role === "sandbox") {
        if (info.attempt < this.#record.sandboxAttempt) this.#remove(info);
        continue;
      }
      const record = this.#record.containers[info.containerName];
      if (record === undefined || info.phase === "running") continue;
      const keptFrom = record.attempt - 1;
      if (info.attempt < keptFrom || (info.phase === "created" && info.attempt < record.attempt)) this.#remove(info);
    }
  }

  /** The reason to show while the slot's last action has failed. */
  #trouble(name: string, reason: string, otherwise: string): [string, string?] {
    const failure = this.#view.failures.get(`container/${name}`) ?? this.#view.failures.get("sandbox");
    if (failure === undefined) return [otherwise];
    return [this.#view.failures.has(`container/${name}`) ? reason : otherwise, failure.message];
  }

  #stop(info: ContainerInfo, why: string): void {
    const graceMs = (this.#pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    this.#plan.act({ kind: "stop", slot: `stop/${info.id}`, containerId: info.id, graceMs, why });
  }

  #remove(info: ContainerInfo): void {
    this.#plan.act({ kind: "remove", slot: `remove/${info.id}`, containerId: info.id });
  }

  #present(name: string, attempt: number): ContainerInfo | undefined {
    return this.#view.observed.find(
      (info) => info.role === "container" && info.containerName === name && info.attempt === attempt,
    );
  }

  #recordOf(name: string): ContainerRecord {
    return this.#record.containers[name] as ContainerRecord;
  }

  #setRecord(name: string, record: ContainerRecord): void {
    this.#record = { ...this.#record, containers: { ...this.#record.containers, [name]: record } };
  }
}

/** How long a failed pull is shown as ErrImagePull before it becomes ImagePullBackOff. */
const failureShownMs = 1_000;
