import type { ImageFailureReason, ImageResult } from "./images.js";
import type { Container, Pod } from "../../src/api/kinds/pod.js";
import { absorb } from "./absorb.js";
import { allContainers, endedForGood, initDone, isFinished, restartPolicyOf } from "./container-role.js";
import { rootRefusal } from "./container-security.js";
import { containerSpec } from "./container-spec.js";
import type { Environment } from "./environment.js";
import type { LeaseView } from "./lease-book.js";
import { Plan, type Action, type SlotFailure, type Waiting } from "./plan.js";
import { planEviction } from "./pod-eviction.js";
import { wantedPin, withImages } from "./pod-images.js";
import { planFence, withFence, withoutFence } from "./pod-fence.js";
import { planRemoval, preStopOf, stopInOrder } from "./pod-removal.js";
import { mountsOf, volumesRefusal, type VolumesView } from "./pod-volumes.js";
import { nextAttempt, type ContainerRecord, type PodRecord } from "./pod-record.js";
import type { ContainerInfo } from "./runtime.js";
import { specHash } from "./spec-hash.js";

/** All that a decision about one Pod depends on. */
export interface PodView {
  /** Undefined: containers of a Pod that is not assigned. */
  readonly pod: Pod | undefined;
  /** The grace period when the Pod is to be removed; undefined when it is to be kept. */
  readonly removalGraceMs: number | undefined;
  /** Of a Pod with a fencing lease. */
  readonly lease: LeaseView | undefined;
  readonly record: PodRecord;
  readonly observed: readonly ContainerInfo[];
  /** By container name. */
  readonly images: ReadonlyMap<string, ImageState>;
  /** Slots with an action in flight; for stops when the kill comes. */
  readonly busy: ReadonlyMap<string, { readonly killAt?: number }>;
  readonly failures: ReadonlyMap<string, SlotFailure>;
  readonly startErrors: ReadonlyMap<string, string>;
  /** Containers that failed their liveness or startup probe, or their postStart hook. */
  readonly unhealthy: ReadonlyMap<string, Unhealthy>;
  environment(container: Container, podIP: string): Environment | string;
  /** Why no sandbox is to be made; undefined: one is. */
  readonly sandboxRefusal?: string | undefined;
  readonly volumes: VolumesView;
  /** That the Pod is evicted is on disk. */
  readonly isEvictionSaved?: boolean;
  /** Containers that had ended by then (wall milliseconds) are removed, though their logs go with them. */
  readonly dropDeadUpTo?: number | undefined;
  /** The longest pause between restarts. */
  readonly restartMsMax: number;
  /** Wall milliseconds. */
  readonly now: number;
}

export interface Unhealthy {
  readonly why: string;
  /** In place of the Pod's. */
  readonly graceMs: number | undefined;
}

export type ImageState =
  | (ImageLookup & Ready)
  /** Seen by a pull that is in flight. */
  | (ImageLookup & { readonly status: "pulling"; readonly message: string })
  | (ImageLookup & {
      readonly status: "failed";
      /** Of the failure itself; while waiting for the next try the reason is ImagePullBackOff. */
      readonly reason: ImageFailureReason;
      readonly message: string;
      readonly failedAt: number;
      readonly retryAt: number;
    });

/** What an image was looked up for: the container's attempt, and the bytes that alone would do. */
interface ImageLookup {
  readonly attempt: number;
  readonly pin: string | undefined;
}

type Ready = ImageResult & { readonly status: "ready" };

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
 * The next steps for one Pod: sandbox, then init containers one after the other, then all containers; each by image, create, start,
 * postStart hook. Sidecars are init containers that run on: the next one follows when they have started.
 * Pure: the same view gives the same decision. Attempts and ends only move forward; the same decision taken again after a crash of
 * the agent makes the same containers, since their names derive from Pod, container and attempt.
 */
export function decide(seen: PodView): Decision {
  const impostors = seen.observed.filter(({ impostor }) => impostor);
  if (impostors.length === 0) return decideOwn(seen, new Plan(seen.now, seen.busy, seen.failures));
  const plan = new Plan(seen.now, seen.busy, seen.failures);
  for (const { id } of impostors) plan.act({ kind: "remove", slot: `remove/${id}`, containerId: id });
  const decision = decideOwn({ ...seen, observed: seen.observed.filter(({ impostor }) => !impostor) }, plan);
  return { ...decision, gone: false };
}

function decideOwn(view: PodView, plan: Plan): Decision {
  const isEnding = view.removalGraceMs !== undefined || view.record.terminatingSince !== undefined;
  // What ends for good ends in its own way, whatever its lease does.
  const known = isEnding ? view.record : withFence(view.record, view.lease, view.now);
  const fencedSince = isEnding ? undefined : known.fencedSince;
  const record = withImages(absorb(known, view.pod, { ...view, fencedSince }), view.pod, view.observed);
  if (view.pod === undefined || isEnding) return planRemoval(plan, view, record);
  if (record.eviction !== undefined) return planEviction(plan, view, record, record.eviction);
  if (view.lease !== undefined) {
    if (view.lease.stopInMs <= 0) return planFence(plan, view, view.lease, record);
    // Whole milliseconds, so that the wall clock, which is less exact, shows that time has passed.
    plan.wake(view.now + Math.ceil(view.lease.stopInMs));
  }
  const next = new PodPlanner(plan, view, view.pod, withoutFence(record, view.busy)).plan();
  return { record: next, actions: plan.actions, wakeAt: plan.wakeAt, waiting: plan.waiting, gone: false };
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
      if (this.#endSidecars()) return this.#record;
      // The address is given back; the containers stay for their logs.
      for (const info of this.#view.observed) if (info.role === "sandbox" || this.#isUnwanted(info)) this.#remove(info);
      return this.#record;
    }
    this.#takeBackAlterations();
    this.#keepVolumes();
    const sandbox = this.#keepSandbox();
    if (sandbox !== undefined && this.#hasStrayedInit())
      this.#stop(sandbox, "an init container has run other bytes than its revision does", 0);
    this.#keepInits(sandbox);
    for (const container of this.#pod.spec.containers) {
      if (this.#record.initialized === true) this.#keep(container, sandbox);
      else this.#plan.wait(container.name, "PodInitializing");
    }
    this.#collectGarbage();
    return this.#record;
  }

  /** What somebody did by hand. Of a sandbox that can't be as it was, the containers go with it. */
  #takeBackAlterations(): void {
    for (const info of this.#view.observed) {
      if (info.altered === undefined || info.phase !== "running") continue;
      const { what, isRevocable } = info.altered;
      if (isRevocable) this.#plan.act({ kind: "restore", slot: `restore/${info.id}`, containerId: info.id, what });
      else this.#stop(info, `it was changed by hand: ${what}`, info.role === "sandbox" ? 0 : this.#graceMs());
    }
  }

  /** Also while containers run: what changes is brought to them. */
  #keepVolumes(): void {
    const { wanted, applied } = this.#view.volumes;
    for (const [name, plan] of wanted) {
      if (typeof plan === "string" || applied.get(name) === plan) continue;
      this.#plan.act({ kind: "volume", slot: `volume/${name}`, plan });
    }
  }

  #volumesRefusal(): string | undefined {
    const { volumes, failures } = this.#view;
    return volumesRefusal(volumes, (volume) => failures.get(`volume/${volume}`)?.message);
  }

  /** Sidecars of a Pod that has done its work, in reverse order and within the Pod's grace. True while one of them runs. */
  #endSidecars(): boolean {
    const ends = this.#pod.spec.containers.map(({ name }) => this.#record.containers[name]?.exit?.finishedAt ?? 0);
    const inits = (this.#pod.spec.initContainers ?? []).map(
      ({ name }) => this.#record.containers[name]?.exit?.finishedAt ?? 0,
    );
    const graceMs = this.#graceMs();
    const endedAt = Math.max(...(ends.every((at) => at > 0) ? ends : inits));
    const killAt = Math.min(endedAt, this.#view.now) + graceMs;
    return stopInOrder(this.#plan, this.#view, { killAt, graceMs, why: "its pod has done its work" });
  }

  /**
   * Keeps the init containers up to the first that is not done; the others wait for it. One is passed for good when a later one was
   * made: a sidecar that crashes then is started again without holding the others up.
   */
  #keepInits(sandbox: ContainerInfo | undefined): void {
    const inits = this.#pod.spec.initContainers ?? [];
    const lastMade = inits.findLastIndex(({ name }) => this.#recordOf(name).created);
    let open = true;
    for (const [at, container] of inits.entries()) {
      if (!open) {
        this.#plan.wait(container.name, "PodInitializing");
        continue;
      }
      const record = this.#recordOf(container.name);
      const info = this.#present(container.name, record.attempt);
      const done = initDone(container, record, info?.phase === "running");
      if (container.restartPolicy === "Always" || !done) this.#keep(container, sandbox);
      open = done || at < lastMade || this.#record.initialized === true;
    }
    if (open && this.#record.initialized !== true) this.#record = { ...this.#record, initialized: true };
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
    for (const info of running) this.#stop(info, "its sandbox ended", this.#graceMs());
    if (running.length > 0 || [...busy.keys()].some((slot) => slot.startsWith("container/"))) return undefined;
    if (this.#view.sandboxRefusal !== undefined) return undefined;
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
      initialized: false,
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
      // After a restart of the machine what is kept in memory is made anew first.
      if (sandbox && this.#volumesRefusal() === undefined)
        this.#plan.act({ kind: "start", slot: `container/${name}`, containerId: info.id });
    } else if (info.specHash !== specHash(container)) {
      this.#stop(info, "its spec changed", this.#graceMs());
    } else if (restartPolicyOf(this.#pod, container) !== "Never" && this.#hasStrayed(container, info)) {
      this.#stop(info, "it runs other bytes than its revision does", this.#graceMs());
    } else {
      this.#keepRunning(container, record, info);
    }
  }

  /** It was made of other bytes than those that alone will do. Never said before those are here. */
  #hasStrayed(container: Container, info: ContainerInfo): boolean {
    const pin = wantedPin(this.#pod, this.#record, container.image);
    if (pin === undefined || pin === info.image || info.imageId === "") return false;
    const image = this.#image(container, info.attempt);
    return image !== undefined && image.id !== info.imageId;
  }

  /** What init containers left behind is of their bytes: they run again, and with them all that follows. */
  #hasStrayedInit(): boolean {
    return (this.#pod.spec.initContainers ?? []).some((container) => {
      const info = this.#present(container.name, this.#recordOf(container.name).attempt);
      return info?.phase === "exited" && container.restartPolicy !== "Always" && this.#hasStrayed(container, info);
    });
  }

  #keepRunning(container: Container, record: ContainerRecord, info: ContainerInfo): void {
    const unhealthy = this.#view.unhealthy.get(info.id);
    if (unhealthy !== undefined) return this.#stop(info, unhealthy.why, unhealthy.graceMs ?? this.#graceMs());
    const handler = container.lifecycle?.postStart;
    if (handler === undefined || record.hooked === true) return undefined;
    this.#plan.wait(container.name, "ContainerCreating", "its postStart hook runs");
    return this.#plan.act({ kind: "post-start", slot: `hook/${info.id}`, containerId: info.id, container, handler });
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
    // A new spec is a new beginning.
    const next = nextAttempt(changed ? { ...record, crashes: 0 } : record);
    this.#setRecord(container.name, next);
    this.#bringUp(container, next, sandbox);
  }

  #bringUp(container: Container, record: ContainerRecord, sandbox: ContainerInfo | undefined): void {
    const { name } = container;
    const slot = `container/${name}`;
    this.#plan.wait(name, ...this.#trouble(name, "CreateContainerError", "ContainerCreating"));
    if (sandbox === undefined && this.#view.sandboxRefusal !== undefined) {
      this.#plan.wait(name, "CreateContainerConfigError", this.#view.sandboxRefusal);
      return;
    }
    const volumes = this.#volumesRefusal();
    // The image is fetched meanwhile.
    const image = this.#image(container, record.attempt);
    if (volumes !== undefined) {
      this.#plan.wait(name, "ContainerCreating", volumes);
      return;
    }
    if (image === undefined || sandbox === undefined || this.#view.busy.has(slot)) return;
    const refusal = rootRefusal(this.#pod.spec, container, image.user);
    if (refusal !== undefined) {
      this.#plan.wait(name, "CreateContainerConfigError", refusal);
      return;
    }
    const environment = this.#view.environment(container, sandbox.ip ?? "");
    if (typeof environment === "string") {
      this.#plan.wait(name, "CreateContainerConfigError", environment);
      return;
    }
    const mounts = mountsOf(this.#pod, container, environment);
    if (typeof mounts === "string") {
      this.#plan.wait(name, "CreateContainerConfigError", mounts);
      return;
    }
    const spec = containerSpec(this.#pod, container, record.attempt, sandbox.id, environment, image, mounts);
    this.#plan.act({ kind: "create", slot, spec });
  }

  /** Once it is there. */
  #image(container: Container, attempt: number): Ready | undefined {
    const { name, image: reference, imagePullPolicy: policy = "IfNotPresent" } = container;
    const pin = wantedPin(this.#pod, this.#record, reference);
    const state = this.#view.images.get(name);
    const action: Action = { kind: "image", slot: `image/${name}`, container: name, attempt, reference, pin, policy };
    if (state === undefined || state.attempt !== attempt || state.pin !== pin) {
      this.#plan.act(action);
      return undefined;
    }
    if (state.status === "ready") return state;
    if (state.status === "pulling") {
      this.#plan.wait(name, "ContainerCreating", state.message);
      return undefined;
    }
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
    return undefined;
  }

  #graceMs(): number {
    return (this.#pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  }

  /**
   * Old attempts but the one before the present, whose logs `--previous` shows; sandboxes that are not the present one; containers
   * that the Pod does not have.
   */
  #collectGarbage(): void {
    const names = new Set(allContainers(this.#pod).map(({ name }) => name));
    for (const info of this.#view.observed) {
      if (info.role === "container" && !names.has(info.containerName)) {
        if (info.phase === "running") this.#stop(info, "its pod has no such container", this.#graceMs());
        else this.#remove(info);
        continue;
      }
      if (info.role === "sandbox") {
        if (info.attempt < this.#record.sandboxAttempt) this.#remove(info);
        continue;
      }
      const record = this.#record.containers[info.containerName];
      if (record === undefined || info.phase === "running") continue;
      const keptFrom = record.attempt - 1;
      const isOver = info.attempt < record.attempt || record.exit !== undefined;
      if (isOver && this.#isUnwanted(info)) this.#remove(info);
      else if (info.attempt < keptFrom || (info.phase === "created" && info.attempt < record.attempt))
        this.#remove(info);
    }
  }

  /** Ended, and kept for its log alone while the disk has room for it. */
  #isUnwanted({ phase, finishedAt }: ContainerInfo): boolean {
    const { dropDeadUpTo } = this.#view;
    return phase === "exited" && dropDeadUpTo !== undefined && (finishedAt ?? 0) <= dropDeadUpTo;
  }

  /** The reason to show while the slot's last action has failed. */
  #trouble(name: string, reason: string, otherwise: string): [string, string?] {
    const failure = this.#view.failures.get(`container/${name}`) ?? this.#view.failures.get("sandbox");
    if (failure === undefined) return [otherwise];
    return [this.#view.failures.has(`container/${name}`) ? reason : otherwise, failure.message];
  }

  #stop(info: ContainerInfo, why: string, graceMs: number): void {
    const preStop = preStopOf(this.#pod, info.containerName, graceMs);
    this.#plan.act({ kind: "stop", slot: `stop/${info.id}`, containerId: info.id, graceMs, why, ...preStop });
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
