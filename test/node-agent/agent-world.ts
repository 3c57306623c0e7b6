import type { Env, Timers } from "../../src/base/env.js";
import type { ConfigMap, Secret } from "../../src/api/kinds/core.js";
import type { Pod, PodSpec, PodStatus } from "../../src/api/kinds/pod.js";
import { silentLog } from "../../src/host/log.js";
import { Agent } from "../../node-agent/core/agent.js";
import type { Assignments } from "../../node-agent/core/assignment-book.js";
import type { LeaseRequest } from "../../node-agent/core/fencing-leases.js";
import { FakeEngine, type FakeEngineOptions } from "../../node-agent/core/fake-engine.js";
import { shellImage, type FakeImage } from "../../node-agent/core/fake-program.js";
import { FakeProbeNetwork } from "../../node-agent/core/fake-network.js";
import { FakeRuntime } from "../../node-agent/core/fake-runtime.js";
import type { AgentEvent, EventBatch } from "../../node-agent/core/agent-events.js";
import type { PressureOptions } from "../../node-agent/core/pressure/pressure.js";
import type { ReportBatch } from "../../node-agent/core/report-outbox.js";
import { MemoryDisk } from "./memory-disk.js";
import { VirtualWorld } from "./virtual-world.js";

/** What the tests on the real engine make; the fake engine has it from the start. */
export const testImage = "ikada-test/busybox:2";

export function podOf(name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", uid: `uid-${name}`, ...metadata },
    spec: {
      nodeName: "node-1",
      restartPolicy: "Always",
      containers: [{ name: "main", image: testImage, command: ["sleep", "9999999"] }],
      ...spec,
    },
  };
}

/** One agent on a fake engine, a disk that forgets what was not synced, and a server that is the test. */
export class AgentWorld {
  readonly world = new VirtualWorld();
  readonly disk = new MemoryDisk();
  readonly engine: FakeEngine;
  agent!: Agent;
  #runtime!: FakeRuntime;
  #incarnation = 0;
  /** Called at each failpoint; may call `crash`. */
  onFailpoint: (name: string) => void = () => undefined;
  revision = 0;
  term = 1;
  #assigned = new Map<string, Pod>();
  #connected = false;
  /** Acknowledge what arrives. */
  acknowledging = true;
  readonly statuses = new Map<string, PodStatus>();
  readonly gone = new Set<string>();
  readonly batches: ReportBatch[] = [];
  readonly events: AgentEvent[] = [];
  /** What the next process of the agent does about pressure; nothing when undefined. */
  pressure: Omit<PressureOptions, "machine"> | undefined;
  /** Turns of the Node's conditions. */
  turns = 0;
  engineErrors: (string | undefined)[] = [];
  fatal: Error | undefined;
  bootId = "boot-1";
  /** Answers requests for leases; undefined: no answer. */
  onRenew: (request: LeaseRequest) => void = () => undefined;
  readonly inUse: boolean[] = [];

  constructor(images: Record<string, FakeImage> = {}, registry: FakeEngineOptions["registry"] = () => "no registry") {
    const { clock, timers } = this.world;
    this.engine = new FakeEngine({ clock, timers, images: { [testImage]: shellImage, ...images }, registry });
  }

  /** Starts the agent's process. */
  boot(): void {
    this.#incarnation += 1;
    const incarnation = this.#incarnation;
    const alive = (): boolean => incarnation === this.#incarnation;
    const timers: Timers = {
      after: (delayMs, run) => this.world.timers.after(delayMs, () => alive() && run()),
    };
    const env: Env = {
      clock: this.world.clock,
      timers,
      random: { next: () => 0.5, int: () => 0, bytes: (length) => new Uint8Array(length).fill(incarnation) },
      disk: this.disk.open(timers),
      log: silentLog,
      failpoint: (name) => alive() && this.onFailpoint(name),
    };
    this.#runtime = new FakeRuntime(this.engine, { clusterId: "c1", node: "node-1" });
    this.agent = new Agent({
      env,
      runtime: this.#runtime,
      network: new FakeProbeNetwork(this.engine),
      volumes: this.engine.volumes,
      bootClock: { bootId: this.bootId, sinceBootMs: () => this.world.now },
      nodeName: "node-1",
      clusterId: "c1",
      hostIP: "192.0.2.1",
      keyedHash: (text) => text,
      ...(this.pressure && {
        pressure: {
          ...this.pressure,
          machine: { read: (done) => void timers.after(1, () => done(null, this.engine.machine)) },
        },
      }),
      onPressure: () => void (this.turns += 1),
      onEngine: (error) => this.engineErrors.push(error?.message),
      onLeases: (inUse) => this.inUse.push(inUse),
      onFatal: (error) => (this.fatal = error),
    });
    const started: { error?: Error | null } = {};
    this.agent.start((error) => (started.error = error));
    this.world.until("agent start", () => started.error !== undefined);
    if (started.error) throw started.error;
  }

  /** Ends the agent's process as kill -9 and, for the disk, a power cut do. */
  crash(): void {
    this.#incarnation += 1;
    this.#connected = false;
    this.#runtime.detach();
    this.disk.crash();
  }

  /** A session with a server that has all assignments. */
  connect(): string | undefined {
    this.agent.connect(
      "node-uid-1",
      (batch) => this.#receive(batch),
      (batch) => this.#receiveEvents(batch),
      (request) => this.onRenew(request),
    );
    this.#connected = true;
    return this.agent.receive(this.message("complete", [...this.#assigned.values()], []));
  }

  disconnect(): void {
    this.#connected = false;
    this.agent.disconnect();
  }

  message(type: Assignments["type"], pods: readonly Pod[], removedUids: readonly string[]): Assignments {
    return {
      type,
      term: this.term,
      appliesTo: this.agent.position.revision,
      resultsIn: this.revision,
      pods: pods.map((pod) => ({ uid: pod.metadata.uid ?? "", pod })),
      removedUids,
      objects: [],
      removedObjects: [],
    };
  }

  assign(...pods: readonly Pod[]): void {
    this.revision += 1;
    for (const pod of pods) this.#assigned.set(pod.metadata.uid ?? "", pod);
    if (this.#connected) this.agent.receive(this.message("increment", pods, []));
  }

  assignWith(pod: Pod, objects: readonly (ConfigMap | Secret)[]): void {
    this.revision += 1;
    this.#assigned.set(pod.metadata.uid ?? "", pod);
    this.agent.receive({
      ...this.message("increment", [pod], []),
      objects: objects.map((object) => ({
        kind: object.kind,
        namespace: object.metadata.namespace ?? "default",
        name: object.metadata.name,
        object,
      })),
    });
  }

  unassign(...uids: readonly string[]): void {
    this.revision += 1;
    for (const uid of uids) this.#assigned.delete(uid);
    if (this.#connected) this.agent.receive(this.message("increment", [], uids));
  }

  /** `uid/role-or-name/attempt` of the containers in this phase. */
  containers(phase: "created" | "running" | "exited" | "any" = "any"): string[] {
    return [...this.engine.containers.values()]
      .filter(({ info }) => phase === "any" || info.phase === phase)
      .map(({ info }) => `${info.podUid}/${info.role === "sandbox" ? "sandbox" : info.containerName}/${info.attempt}`)
      .sort();
  }

  find(key: string): string {
    for (const { id, info } of this.engine.containers.values()) {
      const name = `${info.podUid}/${info.role === "sandbox" ? "sandbox" : info.containerName}/${info.attempt}`;
      if (name === key) return id;
    }
    throw new Error(`no container ${key}, only ${this.containers().join(" ")}`);
  }

  status(name: string): PodStatus {
    const status = this.statuses.get(`uid-${name}`);
    if (status === undefined) throw new Error(`no status of ${name} yet`);
    return status;
  }

  ready(name: string): boolean {
    const conditions = this.statuses.get(`uid-${name}`)?.conditions ?? [];
    return conditions.some(({ type, status }) => type === "Ready" && status === "True");
  }

  /** `reason message` of what was told of a Pod; of the Node without a name. */
  told(name?: string): string[] {
    const own = this.events.filter(({ pod }) => pod?.name === name);
    return own.map(({ reason, message }) => `${reason} ${message}`);
  }

  #receiveEvents(batch: EventBatch): void {
    if (!this.acknowledging) return;
    this.events.push(...batch.events.map(({ event }) => event));
    const incarnation = this.#incarnation;
    this.world.timers.after(1, () => {
      if (incarnation === this.#incarnation && this.#connected) this.agent.acknowledgeEvents(batch.sequence);
    });
  }

  #receive(batch: ReportBatch): void {
    this.batches.push(batch);
    if (!this.acknowledging) return;
    for (const report of batch.reports) {
      this.statuses.set(report.uid, report.status);
      if (report.gone) this.gone.add(report.uid);
    }
    const incarnation = this.#incarnation;
    this.world.timers.after(1, () => {
      if (incarnation === this.#incarnation && this.#connected) this.agent.acknowledge(batch.sequence);
    });
  }
}
