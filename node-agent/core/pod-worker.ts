import type { Env, Timer } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { sameJson } from "../../src/api/json.js";
import type { AgentEvent } from "./agent-events.js";
import type { Pod, PodStatus } from "../../src/api/kinds/pod.js";
import { backoffMs, engineBackoff } from "./backoff.js";
import { sandboxSpec } from "./container-spec.js";
import { portRefusal, type PortRange } from "./host-ports.js";
import type { ContainerWatch } from "./container-watch.js";
import type { EngineSlots } from "./engine-slots.js";
import { resolveEnvironment, type EnvironmentSources } from "./environment.js";
import type { Images } from "./images.js";
import type { LeaseView } from "./lease-book.js";
import type { Action, SlotFailure } from "./plan.js";
import { evictedWhy } from "./pod-eviction.js";
import { newPodRecord, type ContainerRecord, type EvictionOrder, type PodRecord } from "./pod-record.js";
import { isMaking } from "./pod-removal.js";
import { podStatus } from "./pod-status.js";
import { PodTeller } from "./pod-teller.js";
import { PodVolumes } from "./pod-volumes.js";
import { allContainers, isFinished } from "./container-role.js";
import { afterHookGraceMsMin, postStartMsMax, runHook } from "./hooks.js";
import { decide, type Decision, type ImageState, type PodView, type Unhealthy } from "./pod-task.js";
import { Prober, type ProbeNetwork } from "./prober.js";
import { pullSecrets, type PullSecrets } from "./registry-credentials.js";
import type { ContainerInfo, ContainerRuntime, ContainerSpec } from "./runtime.js";
import type { SandboxImage } from "./sandbox-image.js";
import type { VolumeHost } from "./volume-host.js";
import type { VolumePlan } from "./volume-plan.js";

/** What all workers of an agent share. */
export interface WorkerContext {
  readonly env: Env;
  readonly runtime: ContainerRuntime;
  readonly network: ProbeNetwork;
  readonly volumes: VolumeHost;
  readonly watch: ContainerWatch;
  readonly images: Images;
  readonly sandboxImage: SandboxImage;
  readonly slots: EngineSlots;
  readonly nodeName: string;
  readonly hostIP: string;
  readonly allocatable: Readonly<Record<string, string>>;
  /** Ports of the machine that Pods may have; undefined: none. */
  readonly hostPorts: PortRange | undefined;
  readonly restartMsMax: number;
  readonly objects: Pick<EnvironmentSources, "configMap" | "secret">;
  /** Of a Pod with a fencing lease, as of now. */
  lease(uid: string, pod: Pod | undefined): LeaseView | undefined;
  onRecord(uid: string, record: PodRecord): void;
  /** Runs it when all records that were given are on disk. */
  readonly whenSaved: (run: () => void) => void;
  tell(event: AgentEvent): void;
  onStatus(uid: string, pod: Pod, status: PodStatus): void;
  /** Nothing is left of a Pod that was to be removed. Called once, and again for each epoch of the node's fencing leases when it has one. */
  onGone(uid: string, leaseEpoch: number): void;
}

/**
 * Carries out the decisions about one Pod. Owner: the agent. Every change (assignment, container, timer, end of an action) leads to
 * one new decision in a turn of its own; several changes in one turn lead to one.
 */
export class PodWorker {
  readonly #context: WorkerContext;
  readonly #uid: string;
  #pod: Pod | undefined;
  #removalGraceMs: number | undefined;
  #record: PodRecord;
  #status: PodStatus | undefined;
  readonly #images = new Map<string, ImageState>();
  readonly #busy = new Map<string, { killAt?: number }>();
  readonly #failures = new Map<string, SlotFailure>();
  readonly #volumes: PodVolumes;
  readonly #startErrors = new Map<string, string>();
  readonly #unhealthy = new Map<string, Unhealthy>();
  /** Hooks on their way, by container. `end`: its outcome is of no interest any more; what follows a preStop hook has this much time. */
  readonly #hooks = new Map<string, { cancel(): void; end(leftMs: number): void }>();
  readonly #probers = new Map<string, Prober>();
  /** Containers that this process started; all others are adopted. */
  readonly #startedHere = new Set<string>();
  readonly #teller: PodTeller;
  #evictionSaved: boolean;
  #dropDeadUpTo: number | undefined;
  #turn: Timer | undefined;
  #wake: Timer | undefined;
  #assigned = false;
  #gone = false;
  #goneEpoch = 0;
  #reported = false;
  #closed = false;

  /** `hasVolumes`: the machine has something of the Pod's volumes from before. */
  constructor(context: WorkerContext, uid: string, record: PodRecord | undefined, hasVolumes: boolean) {
    this.#context = context;
    this.#uid = uid;
    this.#volumes = new PodVolumes(hasVolumes);
    this.#record = record ?? newPodRecord(context.env.clock.now());
    this.#teller = new PodTeller(uid, (event) => context.tell(event));
    this.#evictionSaved = record?.eviction !== undefined;
  }

  /** Sets what is wanted. Without a Pod its containers are removed; with a grace the Pod is. */
  want(pod: Pod | undefined, removalGraceMs: number | undefined): void {
    // That it is gone is said once as a terminating Pod and once as one that is not assigned any more.
    if ((pod !== undefined) !== this.#assigned) this.#gone = false;
    this.#assigned = pod !== undefined;
    if (pod !== undefined) this.#heed(pod);
    this.#pod = pod ?? this.#pod;
    this.#teller.pod = this.#pod;
    this.#removalGraceMs = removalGraceMs ?? (pod === undefined ? this.#graceOfPod() : undefined);
    this.kick();
  }

  /** A Pod that the servers know as evicted is, also when this agent lost what it knew of that (its disk was full then). */
  #heed({ status }: Pod): void {
    if (status?.phase !== "Failed" || status.reason !== "Evicted" || this.#record.eviction !== undefined) return;
    const eviction = { message: status.message ?? "", graceMs: 0, dropsContainers: true };
    this.#setRecord({ ...this.#record, eviction: { ...eviction, at: this.#context.env.clock.now() } });
    this.#evictionSaved = true;
  }

  /** Something changed: decide again, soon. */
  kick(): void {
    if (this.#closed || this.#turn !== undefined || !this.#context.watch.ready) return;
    this.#turn = this.#context.env.timers.after(0, () => {
      this.#turn = undefined;
      this.#decide();
    });
  }

  /** Fails the Pod for good. The first word counts. */
  evict(order: EvictionOrder): void {
    if (this.#record.eviction !== undefined) return;
    const { env, whenSaved } = this.#context;
    const { message, graceMs } = order;
    env.log.warn("evicting pod", { pod: this.#name(), graceMs, why: message });
    this.#teller.evicted(message);
    this.#setRecord({ ...this.#record, eviction: { ...order, at: env.clock.now() } });
    whenSaved(() => {
      this.#evictionSaved = true;
      this.kick();
    });
  }

  /** Undefined when the Pod has ended, or is to end. */
  get livingPod(): Pod | undefined {
    const pod = this.#pod;
    if (pod === undefined || this.#terminating() || this.#record.eviction !== undefined) return undefined;
    return isFinished(pod, this.#record) ? undefined : pod;
  }

  /** It was evicted, and has given everything back. */
  get isCleared(): boolean {
    const { eviction } = this.#record;
    const observed = this.#own();
    const isEmpty = observed.every(({ phase, role }) => phase === "exited" && role === "container");
    const isGone = eviction?.dropsContainers !== true || observed.length === 0;
    return eviction !== undefined && isEmpty && isGone && !this.#volumes.present && !isMaking({ busy: this.#busy });
  }

  /** Removes containers that have ended by now; their logs are lost. */
  dropDead(): void {
    this.#dropDeadUpTo = this.#context.env.clock.now();
    this.kick();
  }

  /** There are still some of those. */
  get hasDead(): boolean {
    const upTo = this.#dropDeadUpTo ?? 0;
    return this.#own().some(
      ({ role, phase, finishedAt }) => role === "container" && phase === "exited" && (finishedAt ?? 0) <= upTo,
    );
  }

  /** The engine answers again: what failed is tried at once. */
  retryNow(): void {
    this.#failures.clear();
    this.kick();
  }

  /** Leaves the containers as they are. */
  close(): void {
    this.#closed = true;
    this.#turn?.cancel();
    this.#wake?.cancel();
    for (const prober of this.#probers.values()) prober.close();
    for (const hook of this.#hooks.values()) hook.cancel();
  }

  #decide(): void {
    const { env } = this.#context;
    const now = env.clock.now();
    const decision = decide(this.#view(now));
    this.#setRecord(decision.record);
    for (const action of decision.actions) this.#execute(action);
    this.#keepProbers();
    if (this.livingPod !== undefined) {
      this.#teller.volumes(this.#volumes.wanted);
      this.#teller.waiting(decision.waiting);
    }
    this.#report(decision, now);
    this.#wake?.cancel();
    this.#wake = undefined;
    if (decision.wakeAt !== undefined) {
      this.#wake = env.timers.after(Math.max(0, decision.wakeAt - now), () => this.kick());
    }
    const epoch = this.#context.lease(this.#uid, this.#pod)?.epoch ?? 0;
    if (decision.gone && (!this.#gone || epoch !== this.#goneEpoch)) {
      this.#gone = true;
      this.#goneEpoch = epoch;
      this.#context.onGone(this.#uid, epoch);
    }
  }

  #view(now: number): PodView {
    const { watch, objects, hostIP, nodeName, allocatable, hostPorts, restartMsMax } = this.#context;
    const pod = this.#pod;
    return {
      pod,
      removalGraceMs: this.#removalGraceMs,
      lease: this.#context.lease(this.#uid, pod),
      record: this.#record,
      observed: watch.ofPod(this.#uid),
      images: this.#images,
      busy: this.#busy,
      failures: this.#failures,
      startErrors: this.#startErrors,
      unhealthy: this.#unhealthy,
      environment: (container, ip) =>
        pod === undefined
          ? "no pod"
          : resolveEnvironment(container, {
              pod,
              podIP: ip || this.#podIP(),
              hostIP,
              nodeName,
              allocatable,
              ...objects,
            }),
      sandboxRefusal: pod === undefined ? undefined : portRefusal(pod, hostPorts),
      volumes: pod === undefined ? this.#volumes : this.#volumes.look({ pod, nodeName, allocatable, ...objects }),
      isEvictionSaved: this.#evictionSaved,
      dropDeadUpTo: this.#dropDeadUpTo,
      restartMsMax,
      now,
    };
  }

  #report(decision: Decision, now: number): void {
    if (this.#pod === undefined || this.#gone) return;
    const conditions = this.#record.conditions ?? this.#pod.status?.conditions;
    const status = podStatus({
      pod: this.#pod,
      record: this.#record,
      observed: this.#own(),
      waiting: decision.waiting,
      hostIP: this.#context.hostIP,
      isMaking: isMaking({ busy: this.#busy }),
      before: { ...(this.#status ?? this.#pod.status), ...(conditions && { conditions }) },
      now,
    });
    if (this.#reported && sameJson(status, this.#status)) return;
    this.#reported = true;
    this.#status = status;
    this.#setRecord({ ...this.#record, conditions: status.conditions });
    this.#context.onStatus(this.#uid, this.#pod, status);
  }

  #execute(action: Action): void {
    const { env, runtime, slots, watch } = this.#context;
    const { slot } = action;
    const killAt = action.kind === "stop" ? { killAt: env.clock.now() + action.graceMs } : {};
    this.#busy.set(slot, killAt);
    env.failpoint(`agent.${action.kind}`);
    switch (action.kind) {
      case "create-sandbox":
        slots.run((over) => this.#createSandbox(action.attempt, this.#ending(slot, over)));
        break;
      case "create":
        slots.run((over) => this.#create(action.spec, this.#ending(slot, over)));
        break;
      case "start":
        slots.run((over) => this.#start(action.containerId, this.#ending(slot, over)));
        break;
      case "image":
        this.#image(action);
        break;
      case "post-start":
        this.#postStart(action, this.#ending(slot));
        break;
      case "stop":
        env.log.info("stopping container", { pod: this.#name(), container: action.containerId, why: action.why });
        this.#tellStop(action);
        this.#stop(action, this.#ending(slot));
        break;
      case "volume":
        this.#applyVolume(action.plan, this.#ending(slot));
        break;
      case "remove-volumes":
        this.#removeVolumes(this.#ending(slot));
        break;
      case "restore": {
        const { containerId, what } = action;
        env.log.warn("container was changed by hand and is set back", {
          pod: this.#name(),
          container: containerId,
          what,
        });
        const ending = this.#ending(slot);
        runtime.restore(containerId, (error) => watch.look(containerId, () => ending(error)));
        break;
      }
      case "remove": {
        const ending = this.#ending(slot);
        runtime.remove(action.containerId, (error) => watch.look(action.containerId, () => ending(error)));
        break;
      }
    }
  }

  /** What ends an action: frees its slot, remembers a failure, and leads to the next decision. */
  #ending(slot: string, over?: () => void): (error: Error | null) => void {
    return (error) => {
      over?.();
      this.#busy.delete(slot);
      if (error === null) {
        this.#failures.delete(slot);
      } else {
        const failures = (this.#failures.get(slot)?.failures ?? 0) + 1;
        const retryAt = this.#context.env.clock.now() + backoffMs(engineBackoff, failures);
        this.#failures.set(slot, { failures, message: error.message, retryAt });
        this.#context.env.log.warn("container action failed", {
          pod: this.#name(),
          slot,
          error: error.message,
          failures,
        });
      }
      this.kick();
    };
  }

  #applyVolume(plan: VolumePlan, done: (error: Error | null) => void): void {
    this.#volumes.present = true;
    this.#context.volumes.apply(this.#uid, plan, (error) => {
      if (error === null) this.#volumes.applied.set(plan.name, plan);
      else this.#teller.volumeFailed(plan.name, error.message);
      done(error);
    });
  }

  #removeVolumes(done: (error: Error | null) => void): void {
    this.#context.volumes.remove(this.#uid, (error) => {
      if (error === null) this.#volumes.removed();
      done(error);
    });
  }

  #createSandbox(attempt: number, done: (error: Error | null) => void): void {
    const pod = this.#pod;
    if (pod === undefined) return done(null);
    if (attempt > 0) this.#teller.sandboxReplaced();
    return this.#context.sandboxImage.ensure((error, image) => {
      if (error === null) return this.#create(sandboxSpec(pod, attempt, image), done);
      this.#teller.sandboxFailed(error.message);
      return done(error);
    });
  }

  #create(spec: ContainerSpec, done: (error: Error | null) => void): void {
    const { runtime, watch, sandboxImage } = this.#context;
    // The answer to an earlier order may have changed the mind meanwhile.
    if (this.#closed || this.#isEnding() || this.#isFenced()) return done(null);
    const over = watch.creating(spec);
    return runtime.create(spec, (error, id) => {
      over(error === null ? id : undefined);
      if (spec.role === "sandbox") {
        if (error !== null) this.#teller.sandboxFailed(error.message);
      } else if (error === null) this.#teller.created(spec.containerName);
      else this.#teller.containerFailed(spec.containerName, error.message);
      // The image may have been removed since it was looked up.
      if (error instanceof IkadaError && error.reason === "NotFound") {
        this.#images.delete(spec.containerName);
        sandboxImage.lost();
      }
      done(error);
    });
  }

  #start(id: string, done: (error: Error | null) => void): void {
    const { runtime, watch } = this.#context;
    if (this.#closed || this.#isEnding() || this.#isFenced()) return done(null);
    const over = watch.starting(id);
    return runtime.start(id, (error) => {
      const refused = error instanceof IkadaError && error.reason === "Invalid";
      const name = watch.ofPod(this.#uid).find((info) => info.id === id && info.role === "container")?.containerName;
      if (name !== undefined && error === null) this.#teller.started(name);
      else if (name !== undefined) this.#teller.containerFailed(name, error?.message ?? "");
      else if (error !== null) this.#teller.sandboxFailed(error.message);
      if (refused) this.#startErrors.set(id, error.message);
      if (error === null) this.#startedHere.add(id);
      over(() => done(refused ? null : error));
    });
  }

  /** A hook that fails ends its container; what follows is the restart policy's. */
  #postStart(action: Action & { kind: "post-start" }, done: (error: Error | null) => void): void {
    const { containerId, container, handler } = action;
    const target = { containerId, container, podIP: this.#podIP() };
    const hook = runHook(this.#context, target, handler, postStartMsMax, (failure) => {
      this.#hooks.delete(containerId);
      if (failure === undefined) {
        this.#setContainer(container.name, { hooked: true });
      } else {
        const why = `its postStart hook failed: ${failure}`;
        this.#context.env.log.warn("container hook failed", { pod: this.#name(), container: container.name, why });
        this.#teller.hookFailed(container.name, "PostStart", failure);
        this.#unhealthy.set(containerId, { why, graceMs: undefined });
      }
      done(null);
    });
    const end = (): void => {
      hook.cancel();
      done(null);
    };
    this.#hooks.set(containerId, { cancel: () => hook.cancel(), end });
  }

  /** The preStop hook and what follows it share the grace; a failed hook only shortens it. */
  #stop(action: Action & { kind: "stop" }, done: (error: Error | null) => void): void {
    const { env, runtime, watch } = this.#context;
    const { containerId, graceMs, preStop } = action;
    const stop = (leftMs: number): void =>
      runtime.stop(containerId, leftMs, (error) => watch.look(containerId, () => done(error)));
    // One hook at a time: a container that is to end need not have started well, and one that is to be killed sooner not have said farewell.
    this.#endHook(containerId, graceMs);
    if (preStop === undefined) return stop(graceMs);
    const begunAt = env.clock.monotonic();
    const target = { containerId, container: preStop.container, podIP: this.#podIP() };
    const hook = runHook(this.#context, target, preStop.handler, graceMs, (failure) => {
      this.#hooks.delete(containerId);
      if (failure !== undefined) {
        env.log.warn("container hook failed", { pod: this.#name(), container: preStop.container.name, why: failure });
        this.#teller.hookFailed(preStop.container.name, "PreStop", failure);
      }
      stop(Math.max(graceMs - (env.clock.monotonic() - begunAt), afterHookGraceMsMin));
    });
    const end = (leftMs: number): void => {
      hook.cancel();
      stop(leftMs);
    };
    this.#hooks.set(containerId, { cancel: () => hook.cancel(), end });
    return undefined;
  }

  #tellStop({ containerId, slot, why }: Action & { kind: "stop" }): void {
    const info = this.#own().find(({ id }) => id === containerId);
    if (info?.role !== "container" || slot.startsWith("kill/")) return;
    // That the Pod ends, and why, is told as such.
    const isOwn = why === evictedWhy || this.livingPod === undefined;
    this.#teller.killing(info.containerName, isOwn ? undefined : why);
  }

  #endHook(containerId: string, leftMs: number): void {
    const hook = this.#hooks.get(containerId);
    this.#hooks.delete(containerId);
    hook?.end(leftMs);
  }

  #image(action: Action & { kind: "image" }): void {
    const { container, attempt, reference, pin, policy, slot } = action;
    const ending = this.#ending(slot);
    const pod = this.#pod;
    const secrets = pod === undefined ? noSecrets : pullSecrets(pod, reference, this.#context.objects.secret);
    this.#context.images.ensure(
      { reference, pin, policy, secrets },
      (result) => {
        this.#teller.image(container, reference, result);
        this.#images.set(container, { ...result, attempt, pin });
        ending(null);
      },
      (message) => {
        this.#images.set(container, { attempt, pin, status: "pulling", message });
        this.kick();
      },
      () => this.#teller.pulling(container, reference),
    );
  }

  /** Probes run exactly for the containers that run and are to go on running. */
  #keepProbers(): void {
    const { runtime, network, env } = this.#context;
    const pod = this.#pod;
    const observed = this.#own();
    const running = new Map(observed.filter(({ phase }) => phase === "running").map((info) => [info.id, info]));
    for (const [id, prober] of this.#probers) {
      if (running.has(id) && !this.#isEnding()) continue;
      prober.close();
      this.#probers.delete(id);
    }
    const known = new Set(observed.map(({ id }) => id));
    for (const id of this.#startedHere) if (!known.has(id)) this.#startedHere.delete(id);
    for (const ids of [this.#unhealthy, this.#startErrors])
      for (const id of ids.keys()) if (!known.has(id)) ids.delete(id);
    // What ended by itself needs no more time.
    for (const id of this.#hooks.keys()) if (!running.has(id)) this.#endHook(id, 0);
    if (pod === undefined || this.#isEnding()) return;
    const podIP = this.#podIP();
    for (const info of running.values()) {
      const container = allContainers(pod).find(({ name }) => name === info.containerName);
      const record = this.#record.containers[info.containerName];
      if (info.role !== "container" || container === undefined || record === undefined || podIP === "") continue;
      if (record.attempt !== info.attempt || this.#probers.has(info.id) || this.#unhealthy.has(info.id)) continue;
      if (!container.startupProbe && !container.livenessProbe && !container.readinessProbe) continue;
      if (container.lifecycle?.postStart !== undefined && record.hooked !== true) continue;
      const { ready, started } = record;
      const startedMs = env.clock.now() - (info.startedAt ?? env.clock.now());
      const adopted = this.#startedHere.has(info.id) ? undefined : { startedMs, ready, started };
      const target = { containerId: info.id, pod, container, podIP, adopted };
      const prober = new Prober(env, runtime, network, target, {
        onReadiness: (ready, started) => this.#setContainer(info.containerName, { ready, started }),
        onFailure: (kind, message) => this.#teller.unhealthy(info.containerName, kind, message),
        onUnhealthy: (kind, message) => {
          env.log.warn("container is unhealthy", { pod: this.#name(), container: info.containerName, kind, message });
          const seconds = (kind === "liveness" ? container.livenessProbe : container.startupProbe)
            ?.terminationGracePeriodSeconds;
          const graceMs = seconds === undefined ? undefined : seconds * 1000;
          this.#unhealthy.set(info.id, { why: `it failed its ${kind} probe: ${message}`, graceMs });
          this.kick();
        },
      });
      this.#probers.set(info.id, prober);
    }
  }

  #setContainer(name: string, change: Partial<Pick<ContainerRecord, "ready" | "started" | "hooked">>): void {
    const record = this.#record.containers[name];
    if (record === undefined) return;
    this.#setRecord({
      ...this.#record,
      containers: { ...this.#record.containers, [name]: { ...record, ...change } },
    });
    this.kick();
  }

  #setRecord(record: PodRecord): void {
    if (sameJson(record, this.#record)) return;
    this.#record = record;
    this.#context.onRecord(this.#uid, record);
  }

  /** Without those that only look like containers of this agent. */
  #own(): ContainerInfo[] {
    return this.#context.watch.ofPod(this.#uid).filter(({ impostor }) => !impostor);
  }

  /** "" while there is none. In the machine's network it is the machine's. */
  #podIP(): string {
    const sandbox = this.#own().find((info) => info.role === "sandbox" && info.phase === "running");
    if (sandbox === undefined) return "";
    return sandbox.ip ?? (this.#pod?.spec.hostNetwork === true ? this.#context.hostIP : "");
  }

  #terminating(): boolean {
    return !this.#assigned || this.#removalGraceMs !== undefined || this.#record.terminatingSince !== undefined;
  }

  /** Nothing more is made or started. */
  #isEnding(): boolean {
    return this.#terminating() || this.#record.eviction !== undefined;
  }

  /** Asked just before anything is made or started: this process may have stood still since it was decided. */
  #isFenced(): boolean {
    return (this.#context.lease(this.#uid, this.#pod)?.stopInMs ?? 1) <= 0;
  }

  /** The grace when a Pod that is known is not assigned any more. */
  #graceOfPod(): number | undefined {
    const seconds = this.#pod?.spec.terminationGracePeriodSeconds;
    return this.#pod === undefined ? undefined : (seconds ?? 30) * 1000;
  }

  #name(): string {
    const { namespace = "", name = this.#uid } = this.#pod?.metadata ?? {};
    return `${namespace}/${name}`;
  }
}

const noSecrets: PullSecrets = { credentials: [], faults: [] };
