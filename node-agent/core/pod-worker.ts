import type { Env, Timer } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { sameJson } from "../../src/api/json.js";
import type { Pod, PodStatus } from "../../src/api/kinds/pod.js";
import { backoffMs, engineBackoff } from "./backoff.js";
import { sandboxSpec } from "./container-spec.js";
import type { ContainerWatch } from "./container-watch.js";
import type { EngineSlots } from "./engine-slots.js";
import { resolveEnvironment, type EnvironmentSources } from "./environment.js";
import type { Images } from "./images.js";
import type { Action, SlotFailure } from "./plan.js";
import { newPodRecord, type ContainerRecord, type PodRecord } from "./pod-record.js";
import { podStatus } from "./pod-status.js";
import { decide, type Decision, type ImageState, type PodView } from "./pod-task.js";
import { Prober, type ProbeNetwork } from "./prober.js";
import type { ContainerRuntime, ContainerSpec } from "./runtime.js";

/** What all workers of an agent share. */
export interface WorkerContext {
  readonly env: Env;
  readonly runtime: ContainerRuntime;
  readonly network: ProbeNetwork;
  readonly watch: ContainerWatch;
  readonly images: Images;
  readonly slots: EngineSlots;
  readonly nodeName: string;
  readonly hostIP: string;
  readonly objects: Pick<EnvironmentSources, "configMap" | "secret">;
  onRecord(uid: string, record: PodRecord): void;
  onStatus(uid: string, pod: Pod, status: PodStatus): void;
  /** Nothing is left of a Pod that was to be removed. Called once. */
  onGone(uid: string): void;
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
  readonly #startErrors = new Map<string, string>();
  readonly #unhealthy = new Set<string>();
  readonly #probers = new Map<string, Prober>();
  /** Containers that this process started; all others are adopted. */
  readonly #startedHere = new Set<string>();
  #turn: Timer | undefined;
  #wake: Timer | undefined;
  #assigned = false;
  #gone = false;
  #reported = false;
  #closed = false;

  constructor(context: WorkerContext, uid: string, record: PodRecord | undefined) {
    this.#context = context;
    this.#uid = uid;
    this.#record = record ?? newPodRecord(context.env.clock.now());
  }

  /** Sets what is wanted. Without a Pod its containers are removed; with a grace the Pod is. */
  want(pod: Pod | undefined, removalGraceMs: number | undefined): void {
    // That it is gone is said once as a terminating Pod and once as one that is not assigned any more.
    if ((pod !== undefined) !== this.#assigned) this.#gone = false;
    this.#assigned = pod !== undefined;
    this.#pod = pod ?? this.#pod;
    this.#removalGraceMs = removalGraceMs ?? (pod === undefined ? this.#graceOfPod() : undefined);
    this.kick();
  }

  /** Something changed: decide again, soon. */
  kick(): void {
    if (this.#closed || this.#turn !== undefined || !this.#context.watch.ready) return;
    this.#turn = this.#context.env.timers.after(0, () => {
      this.#turn = undefined;
      this.#decide();
    });
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
  }

  #decide(): void {
    const { env } = this.#context;
    const now = env.clock.now();
    const decision = decide(this.#view(now));
    this.#setRecord(decision.record);
    for (const action of decision.actions) this.#execute(action);
    this.#keepProbers();
    this.#report(decision, now);
    this.#wake?.cancel();
    this.#wake = undefined;
    if (decision.wakeAt !== undefined) {
      this.#wake = env.timers.after(Math.max(0, decision.wakeAt - now), () => this.kick());
    }
    if (decision.gone && !this.#gone) {
      this.#gone = true;
      this.#context.onGone(this.#uid);
    }
  }

  #view(now: number): PodView {
    const { watch, objects, hostIP, nodeName } = this.#context;
    const pod = this.#pod;
    return {
      pod,
      removalGraceMs: this.#removalGraceMs,
      record: this.#record,
      observed: watch.ofPod(this.#uid),
      images: this.#images,
      busy: this.#busy,
      failures: this.#failures,
      startErrors: this.#startErrors,
      unhealthy: this.#unhealthy,
      environment: (container, podIP) =>
        pod === undefined ? "no pod" : resolveEnvironment(container, { pod, podIP, hostIP, nodeName, ...objects }),
      now,
    };
  }

  #report(decision: Decision, now: number): void {
    if (this.#pod === undefined || this.#gone) return;
    const conditions = this.#record.conditions ?? this.#pod.status?.conditions;
    const status = podStatus({
      pod: this.#pod,
      record: this.#record,
      observed: this.#context.watch.ofPod(this.#uid),
      waiting: decision.waiting,
      hostIP: this.#context.hostIP,
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
      case "stop": {
        env.log.info("stopping container", { pod: this.#name(), container: action.containerId, why: action.why });
        const ending = this.#ending(slot);
        runtime.stop(action.containerId, action.graceMs, (error) =>
          watch.look(action.containerId, () => ending(error)),
        );
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

  #createSandbox(attempt: number, done: (error: Error | null) => void): void {
    const pod = this.#pod;
    if (pod === undefined) return done(null);
    return this.#context.runtime.ensureSandboxImage((error, image) => {
      if (error !== null) return done(error);
      return this.#create(sandboxSpec(pod, attempt, image), done);
    });
  }

  #create(spec: ContainerSpec, done: (error: Error | null) => void): void {
    const { runtime, watch } = this.#context;
    // The answer to an earlier order may have changed the mind meanwhile.
    if (this.#closed || this.#terminating()) return done(null);
    return runtime.create(spec, (error, id) => {
      if (error === null) watch.created(id, spec);
      // The image may have been removed since it was looked up.
      else if (error instanceof IkadaError && error.reason === "NotFound") this.#images.delete(spec.containerName);
      done(error);
    });
  }

  #start(id: string, done: (error: Error | null) => void): void {
    const { runtime, watch } = this.#context;
    if (this.#closed || this.#terminating()) return done(null);
    return runtime.start(id, (error) => {
      const refused = error instanceof IkadaError && error.reason === "Invalid";
      if (refused) this.#startErrors.set(id, error.message);
      if (error === null) this.#startedHere.add(id);
      watch.look(id, () => done(refused ? null : error));
    });
  }

  #image(action: Action & { kind: "image" }): void {
    const { container, attempt, reference, policy, slot } = action;
    const ending = this.#ending(slot);
    this.#context.images.ensure(reference, policy, (result) => {
      this.#images.set(container, { ...result, attempt });
      ending(null);
    });
  }

  /** Probes run exactly for the containers that run and are to go on running. */
  #keepProbers(): void {
    const { watch, runtime, network, env } = this.#context;
    const pod = this.#pod;
    const observed = watch.ofPod(this.#uid);
    const running = new Map(observed.filter(({ phase }) => phase === "running").map((info) => [info.id, info]));
    for (const [id, prober] of this.#probers) {
      if (running.has(id) && !this.#terminating()) continue;
      prober.close();
      this.#probers.delete(id);
    }
    const known = new Set(observed.map(({ id }) => id));
    for (const ids of [this.#unhealthy, this.#startedHere]) for (const id of ids) if (!known.has(id)) ids.delete(id);
    for (const id of this.#startErrors.keys()) if (!known.has(id)) this.#startErrors.delete(id);
    if (pod === undefined || this.#terminating()) return;
    const podIP = observed.find((info) => info.role === "sandbox" && info.phase === "running")?.ip;
    for (const info of running.values()) {
      const container = pod.spec.containers.find(({ name }) => name === info.containerName);
      const record = this.#record.containers[info.containerName];
      if (info.role !== "container" || container === undefined || record === undefined || podIP === undefined) continue;
      if (record.attempt !== info.attempt || this.#probers.has(info.id) || this.#unhealthy.has(info.id)) continue;
      if (!container.startupProbe && !container.livenessProbe && !container.readinessProbe) continue;
      const { ready, started } = record;
      const startedMs = env.clock.now() - (info.startedAt ?? env.clock.now());
      const adopted = this.#startedHere.has(info.id) ? undefined : { startedMs, ready, started };
      const target = { containerId: info.id, pod, container, podIP, adopted };
      const prober = new Prober(env, runtime, network, target, {
        onReadiness: (ready, started) => this.#setContainer(info.containerName, { ready, started }),
        onUnhealthy: (kind, message) => {
          env.log.warn("container is unhealthy", { pod: this.#name(), container: info.containerName, kind, message });
          this.#unhealthy.add(info.id);
          this.kick();
        },
      });
      this.#probers.set(info.id, prober);
    }
  }

  #setContainer(name: string, change: Pick<ContainerRecord, "ready" | "started">): void {
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

  #terminating(): boolean {
    return !this.#assigned || this.#removalGraceMs !== undefined || this.#record.terminatingSince !== undefined;
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
