import type { Env, Finished } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { ConfigMap, Secret } from "../../src/api/kinds/core.js";
import type { Pod, PodStatus } from "../../src/api/kinds/pod.js";
import type { Condition } from "../../src/api/object.js";
import { EventOutbox, type EventBatch } from "./agent-events.js";
import { emptyBook, nextBook, objectKey, type Assignments, type Book } from "./assignment-book.js";
import { restartBackoff } from "./backoff.js";
import { allContainers } from "./container-role.js";
import { ContainerWatch } from "./container-watch.js";
import { EngineSlots } from "./engine-slots.js";
import { FencingLeases, type LeaseAnswer, type LeaseRequest } from "./fencing-leases.js";
import type { PortRange } from "./host-ports.js";
import { taggedReference } from "../../src/api/image-reference.js";
import { Images } from "./images.js";
import { wantedPin } from "./pod-images.js";
import type { BootClock } from "./lease-book.js";
import { OwnImages, type ImageCollection } from "./own-images.js";
import { withFence } from "./pod-fence.js";
import type { PodRecord } from "./pod-record.js";
import { PodWorker, type WorkerContext } from "./pod-worker.js";
import { Pressure, type PressureOptions } from "./pressure/pressure.js";
import { WorkerPods } from "./pressure/worker-pods.js";
import type { ProbeNetwork } from "./prober.js";
import { ReportOutbox, type ReportBatch } from "./report-outbox.js";
import type { ContainerInfo, ContainerRuntime } from "./runtime.js";
import { SandboxImage } from "./sandbox-image.js";
import { StateFile } from "./state-file.js";
import type { VolumeHost } from "./volume-host.js";

/** In the data folder. */
export const bookFileName = "assignments.state";
export const recordFileName = "restarts.state";

export interface AgentOptions {
  readonly env: Env;
  readonly runtime: ContainerRuntime;
  readonly network: ProbeNetwork;
  readonly volumes: VolumeHost;
  readonly bootClock: BootClock;
  readonly nodeName: string;
  readonly clusterId: string;
  /** Address of this machine, for status.hostIP. */
  readonly hostIP: string;
  /** What this machine has to give, by resource, for limits that are not set. */
  readonly allocatable?: Readonly<Record<string, string>>;
  /** Ports of this machine that Pods may have; undefined: none. */
  readonly hostPorts?: PortRange | undefined;
  /** The longest pause between restarts of a container; 300 s by default. */
  readonly restartMsMax?: number;
  /** By a key of this process's own. */
  readonly keyedHash: (text: string) => string;
  /** Pulls at once; 3 by default. */
  readonly imagePullsMax?: number;
  /** When images go that nobody uses; Kubernetes' numbers by default. */
  readonly imageCollection?: ImageCollection;
  /** When Pods go because the machine has too little left, or they take too much; absent: never. */
  readonly pressure?: PressureOptions;
  /** A pressure condition of the Node turned. */
  onPressure?(): void;
  /** The engine answers (undefined), or does not: why. Called when it changes. */
  onEngine(error: Error | undefined): void;
  /** The node has Pods with fencing leases, or has none any more. */
  onLeases?(inUse: boolean): void;
  /** The disk failed: the process must end, for what it remembers can't be trusted any more. */
  onFatal(error: Error): void;
}

/**
 * Everything that the agent decides, on callbacks.
 *
 * 1. Assignments take effect when they are durable, and never go back in term or revision.
 * 2. A container is removed only for what a server said: its Pod terminates, or a complete assignment that came in this process's life
 *    does not have it. Without a control plane all Pods are kept and restarted, but for those with a fencing lease that has run out.
 * 3. What runs is adopted: nothing is made or started before the first list of containers is in.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #bookFile: StateFile<Book>;
  readonly #recordFile: StateFile<Records>;
  readonly #watch: ContainerWatch;
  readonly #outbox: ReportOutbox;
  readonly #events: EventOutbox;
  readonly #pressure: Pressure | undefined;
  readonly #images: OwnImages;
  readonly #leases: FencingLeases;
  readonly #workers = new Map<string, PodWorker>();
  readonly #context: WorkerContext;
  /** The newest accepted book; `#active` is the newest durable one. */
  #book: Book = emptyBook;
  #active: Book = emptyBook;
  #records: Records = {};
  /** Pods that had volumes on this machine when the agent began, and have them still. */
  #volumeUids = new Set<string>();
  #recordsDirty = false;
  /** Who waits for the records to be on disk. */
  #whenSaved: (() => void)[] = [];
  #chained = false;
  /** A complete assignment of this process's life is durable. */
  #confirmed = false;
  #engineError: Error | undefined;
  /** Monotonic milliseconds: when the disk was last found full. */
  #diskFullAt = -Infinity;
  #closed = false;

  constructor(options: AgentOptions) {
    const { env, runtime, network, volumes, nodeName, hostIP } = options;
    this.#options = options;
    this.#bookFile = new StateFile(env.disk, bookFileName);
    this.#recordFile = new StateFile(env.disk, recordFileName);
    this.#outbox = new ReportOutbox(env);
    this.#events = new EventOutbox(env);
    this.#images = new OwnImages(env, runtime, () => this.#wantedImages(), options.imageCollection);
    this.#leases = new FencingLeases({
      env,
      bootClock: options.bootClock,
      onChange: (podUid) => this.#workers.get(podUid)?.kick(),
      onUse: (inUse) => options.onLeases?.(inUse),
      onFatal: (error) => this.#fail(error),
    });
    this.#watch = new ContainerWatch(env, runtime, {
      onReady: () => this.#reconcile(),
      onChange: (podUid) => this.#containersChanged(podUid),
      onEngine: (error) => this.#setEngine(error),
    });
    this.#context = {
      env,
      runtime,
      network,
      volumes,
      nodeName,
      hostIP,
      allocatable: options.allocatable ?? {},
      hostPorts: options.hostPorts,
      restartMsMax: options.restartMsMax ?? restartBackoff.maxMs,
      watch: this.#watch,
      images: new Images({
        env,
        runtime,
        ownership: this.#images,
        keyedHash: options.keyedHash,
        parallelMax: options.imagePullsMax,
      }),
      sandboxImage: new SandboxImage(runtime),
      slots: new EngineSlots(),
      objects: {
        configMap: (namespace, name) => this.#object("ConfigMap", namespace, name) as ConfigMap | undefined,
        secret: (namespace, name) => this.#object("Secret", namespace, name) as Secret | undefined,
      },
      lease: (uid, pod) => this.#leases.of(uid, pod),
      onRecord: (uid, record) => this.#saveRecord(uid, record),
      whenSaved: (run) => this.#saveRecords(run),
      tell: (event) => this.#events.tell(event),
      onStatus: (uid, pod, status) => this.#report(uid, pod, status),
      onGone: (uid, leaseEpoch) => this.#podGone(uid, leaseEpoch),
    };
    this.#pressure =
      options.pressure &&
      new Pressure(options.pressure, runtime, volumes, {
        env,
        pods: new WorkerPods(env, this.#workers, (uid) => this.#watch.ofPod(uid)),
        collectImages: (done) => this.#images.collectAll(done),
        isReady: () => this.#watch.ready && this.#engineError === undefined,
        tell: (event) => this.#events.tell(event),
        onTurn: () => options.onPressure?.(),
      });
  }

  /** Loads what the agent knew before and begins to work, with or without servers. */
  start(done: Finished): void {
    this.#load(this.#bookFile, "assignments", (bookError, book) => {
      if (bookError) return done(bookError);
      return this.#load(this.#recordFile, "restarts", (recordError, records) => {
        if (recordError) return done(recordError);
        if (book !== undefined && book.clusterId !== "" && book.clusterId !== this.#options.clusterId) {
          const hint = "use an empty data folder for another cluster";
          const message = `the data folder belongs to cluster ${book.clusterId}, not ${this.#options.clusterId}`;
          return done(new IkadaError("Invalid", message, { hint }));
        }
        this.#book = this.#active = { ...(book ?? emptyBook), clusterId: this.#options.clusterId };
        this.#records = records ?? {};
        return this.#leases.load((leaseError) => (leaseError ? done(leaseError) : this.#begin(done)));
      });
    });
  }

  #begin(done: Finished): void {
    this.#recordFences();
    this.#options.volumes.list((listError, uids) => {
      if (listError) return done(listError);
      this.#volumeUids = new Set(uids);
      return this.#images.start((imageError) => {
        if (imageError !== null) return done(imageError);
        const begin: Finished = (error) => {
          if (error === null) {
            this.#leases.assign(this.#active.pods);
            this.#watch.start();
          }
          done(error);
        };
        return this.#pressure === undefined ? begin(null) : this.#pressure.start(begin);
      });
    });
  }

  /** What ended while no agent ran, and its lease had run out, has not crashed. */
  #recordFences(): void {
    const now = this.#options.env.clock.now();
    const entries = Object.entries(this.#records).map(([uid, record]) => {
      const lease = this.#leases.of(uid, this.#active.pods[uid]);
      return [uid, lease?.stopInMs === -Infinity ? record : withFence(record, lease, now)] as const;
    });
    this.#records = Object.fromEntries(entries);
  }

  /** Containers run on. */
  close(): void {
    this.#closed = true;
    this.#outbox.disconnect();
    this.#events.disconnect();
    this.#pressure?.close();
    this.#leases.close();
    this.#watch.close();
    this.#images.close();
    for (const worker of this.#workers.values()) worker.close();
  }

  /** What the agent says in its hello: older assignments than these are refused. */
  get position(): { readonly term: number; readonly revision: number; readonly nodeUid: string } {
    return this.#book;
  }

  get statistics(): { pods: number; containers: number; unacknowledged: number; ready: boolean } {
    return {
      pods: Object.keys(this.#active.pods).length,
      containers: [...this.#watch.all()].filter(({ phase }) => phase === "running").length,
      unacknowledged: this.#outbox.unacknowledged,
      ready: this.#watch.ready,
    };
  }

  /** A session is open: reports flow into it, and it has to begin with a complete assignment. */
  connect(
    nodeUid: string,
    send: (batch: ReportBatch) => void,
    sendEvents: (batch: EventBatch) => void,
    renew: (request: LeaseRequest) => void,
  ): void {
    this.#chained = false;
    if (nodeUid !== "") this.#book = { ...this.#book, nodeUid };
    this.#outbox.connect(send);
    this.#events.connect(sendEvents);
    this.#leases.connect(renew);
  }

  disconnect(): void {
    this.#chained = false;
    this.#outbox.disconnect();
    this.#events.disconnect();
    this.#leases.disconnect();
  }

  /** The answer to a request for leases of this session. */
  renewed(answer: LeaseAnswer): void {
    this.#leases.answer(answer);
  }

  acknowledge(sequence: number): void {
    this.#outbox.acknowledge(sequence);
  }

  acknowledgeEvents(sequence: number): void {
    this.#events.acknowledge(sequence);
  }

  /** What the Node is short of, as its conditions; none when nobody looks. */
  get pressureConditions(): readonly Condition[] {
    return this.#pressure?.conditions ?? [];
  }

  /** Undefined when taken; otherwise why not, and the session is to be opened anew. */
  receive(message: Assignments): string | undefined {
    const next = nextBook(this.#book, message, this.#chained);
    if (typeof next === "string") return next;
    this.#chained = true;
    this.#book = next;
    this.#saveBook();
    return undefined;
  }

  #saveBook(): void {
    const book = this.#book;
    this.#bookFile.save(book, (error) => {
      if (error !== null && this.#retries(error, () => this.#saveBook())) return;
      if (error) this.#fail(error);
      // A later book may be durable by now; it never goes back.
      else if (!this.#closed && book.revision >= this.#active.revision) this.#activate(book);
    });
  }

  /** The container whose output a reader wants. */
  findContainer(podUid: string, name: string, previous: boolean): string | IkadaError {
    const infos = this.#watch
      .ofPod(podUid)
      .filter((info) => info.role === "container" && info.containerName === name && !info.impostor)
      .sort((a, b) => b.attempt - a.attempt);
    const shown = infos.filter(({ phase }) => phase !== "created");
    const found = previous ? shown.find(({ attempt }) => attempt < (infos[0]?.attempt ?? 0)) : shown[0];
    if (found !== undefined) return found.id;
    const what = previous ? `no previous container "${name}"` : `container "${name}" has not started yet`;
    return new IkadaError("NotFound", `${what} in pod ${podUid} on node ${this.#options.nodeName}`);
  }

  /** A container that a command, or its own input and output, is wanted of. */
  findRunning(podUid: string, name: string): string | IkadaError {
    const running = this.#watch
      .ofPod(podUid)
      .find((info) => info.role === "container" && info.containerName === name && info.phase === "running");
    if (running !== undefined) return running.id;
    const hint = "'ikada describe pod' shows what its containers do";
    return new IkadaError("Conflict", `container "${name}" is not running`, { hint });
  }

  /** What holds a Pod's network. */
  findSandbox(podUid: string): string | IkadaError {
    const sandbox = this.#watch.ofPod(podUid).find((info) => info.role === "sandbox" && info.phase === "running");
    if (sandbox !== undefined) return sandbox.id;
    const hint = "'ikada describe pod' shows what its containers do";
    return new IkadaError("Conflict", "the Pod has no network yet, or no more", { hint });
  }

  /** Of all Pods. */
  runningContainers(): readonly ContainerInfo[] {
    return [...this.#watch.all()].filter(({ role, phase }) => role === "container" && phase === "running");
  }

  /** Images that this agent brought to the engine. */
  get ownImages(): Pick<OwnImages, "brought" | "book" | "collect"> {
    return this.#images;
  }

  #wantedImages(): ReadonlySet<string> {
    const wanted = new Set<string>();
    for (const [uid, pod] of Object.entries(this.#active.pods)) {
      const worker = this.#workers.get(uid);
      // What has ended is not begun again.
      if (worker !== undefined && worker.livingPod === undefined) continue;
      for (const { image } of allContainers(pod)) {
        wanted.add(taggedReference(image));
        const pin = wantedPin(pod, this.#records[uid], image);
        if (pin !== undefined) wanted.add(pin);
      }
    }
    return wanted;
  }

  #load<T>(file: StateFile<T>, what: string, done: (error: Error | null, value: T | undefined) => void): void {
    file.load((error, value) => {
      if (error === null) return done(null, value);
      // Nothing is removed for lack of this knowledge: a server tells it again, and containers are adopted by their labels.
      this.#options.env.log.error("stored state is damaged and put aside", { what, error: error.message });
      return file.setAside((asideError) => done(asideError, undefined));
    });
  }

  #activate(book: Book): void {
    this.#active = book;
    this.#confirmed = true;
    this.#leases.assign(book.pods);
    this.#reconcile();
  }

  /** Gives each Pod its worker and its orders. */
  #reconcile(): void {
    if (this.#closed) return;
    for (const [uid, pod] of Object.entries(this.#active.pods)) {
      const isNew = this.#watch.ready && !this.#isKnown(uid);
      this.#workerOf(uid).want(pod, removalGraceMs(pod));
      const refusal = isNew ? this.#pressure?.refusal(pod) : undefined;
      if (refusal !== undefined) this.#workerOf(uid).evict({ message: refusal, graceMs: 0, dropsContainers: true });
    }
    if (!this.#confirmed || !this.#watch.ready) return;
    for (const uid of this.#workers.keys()) this.#removeUnlessAssigned(uid);
    for (const { podUid } of this.#watch.all()) this.#removeUnlessAssigned(podUid);
    for (const uid of Object.keys(this.#records)) this.#removeUnlessAssigned(uid);
    for (const uid of this.#volumeUids) this.#removeUnlessAssigned(uid);
  }

  /** Something of the Pod is here already. */
  #isKnown(uid: string): boolean {
    const known = this.#workers.has(uid) || this.#records[uid] !== undefined || this.#volumeUids.has(uid);
    return known || this.#watch.ofPod(uid).length > 0;
  }

  #containersChanged(podUid: string): void {
    const worker = this.#workers.get(podUid);
    if (worker) worker.kick();
    else if (this.#confirmed) this.#removeUnlessAssigned(podUid);
  }

  #removeUnlessAssigned(uid: string): void {
    if (this.#active.pods[uid] === undefined) this.#workerOf(uid).want(undefined, undefined);
  }

  #workerOf(uid: string): PodWorker {
    let worker = this.#workers.get(uid);
    if (worker === undefined) {
      worker = new PodWorker(this.#context, uid, this.#records[uid], this.#volumeUids.has(uid));
      this.#workers.set(uid, worker);
    }
    return worker;
  }

  #podGone(uid: string, leaseEpoch: number): void {
    const pod = this.#active.pods[uid];
    if (pod !== undefined) {
      const status = this.#lastStatus.get(uid);
      if (status !== undefined) this.#report(uid, pod, status, { leaseEpoch });
      return;
    }
    this.#workers.get(uid)?.close();
    this.#workers.delete(uid);
    this.#volumeUids.delete(uid);
    this.#lastStatus.delete(uid);
    this.#outbox.drop(uid);
    this.#leases.forget(uid);
    this.#saveRecord(uid, undefined);
  }

  readonly #lastStatus = new Map<string, PodStatus>();

  #report(uid: string, pod: Pod, status: PodStatus, gone?: { readonly leaseEpoch: number }): void {
    this.#lastStatus.set(uid, status);
    const { namespace = "default", name } = pod.metadata;
    this.#outbox.put({ uid, namespace, name, status, gone: gone !== undefined, leaseEpoch: gone?.leaseEpoch ?? 0 });
  }

  #saveRecord(uid: string, record: PodRecord | undefined): void {
    const records = { ...this.#records };
    if (record === undefined) delete records[uid];
    else records[uid] = record;
    this.#records = records;
    this.#saveRecords(undefined);
  }

  /** `run`: when all records of this moment are on disk. */
  #saveRecords(run: (() => void) | undefined): void {
    if (run !== undefined) this.#whenSaved.push(run);
    if (this.#recordsDirty) return;
    this.#recordsDirty = true;
    // One write for all that changes in this turn.
    this.#options.env.timers.after(0, () => {
      this.#recordsDirty = false;
      if (this.#closed) return;
      const waiting = this.#whenSaved;
      this.#whenSaved = [];
      this.#recordFile.save(this.#records, (error) => {
        const again = error !== null && this.#retries(error, () => this.#saveRecords(undefined));
        if (error !== null && !again) this.#fail(error);
        // On a full disk what waits is the end of Pods, by which there is room again.
        else if (!this.#closed) for (const one of waiting) one();
      });
    });
  }

  /** A full disk gets room again, maybe by what this agent does: what could not be written is written later. */
  #retries(error: Error, save: () => void): boolean {
    if (this.#closed || !isDiskFull(error)) return false;
    const { env } = this.#options;
    const now = env.clock.monotonic();
    if (now - this.#diskFullAt > diskFullQuietMs)
      env.log.warn("the disk is full: what this agent remembers waits to be written", { error: error.message });
    this.#diskFullAt = now;
    env.timers.after(diskFullRetryMs, () => {
      if (!this.#closed) save();
    });
    return true;
  }

  #object(kind: string, namespace: string, name: string): ConfigMap | Secret | undefined {
    return this.#active.objects[objectKey({ kind, namespace, name })];
  }

  #setEngine(error: Error | undefined): void {
    const changed = error?.message !== this.#engineError?.message;
    const returned = error === undefined && this.#engineError !== undefined;
    this.#engineError = error;
    if (changed) this.#options.onEngine(error);
    if (returned) for (const worker of this.#workers.values()) worker.retryNow();
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#options.env.log.error("the disk failed", { error: error.message });
    this.close();
    this.#options.onFatal(error);
  }
}

const diskFullRetryMs = 1_000;
/** A disk that had room for so long is told of anew. */
const diskFullQuietMs = 60_000;

/** Nothing was lost: state is written beside what it takes the place of. */
function isDiskFull(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return code === "ENOSPC" || code === "EDQUOT";
}

type Records = Readonly<Record<string, PodRecord>>;

/** Undefined for a Pod that is to be kept. */
function removalGraceMs(pod: Pod): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (deletionTimestamp === undefined) return undefined;
  return (deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}
