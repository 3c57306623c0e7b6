import { sameJson } from "../../src/api/json.js";
import type { Env, Timer } from "../../src/base/env.js";
import { backoffMs, engineBackoff } from "./backoff.js";
import type { ContainerEvent, ContainerInfo, ContainerRuntime, ContainerSpec } from "./runtime.js";

export interface ContainerWatchListener {
  /** The first list is in: from now on what is not known is not there. */
  onReady(): void;
  /** Something about this Pod's containers changed. */
  onChange(podUid: string): void;
  /** The engine answers, or does not: why. */
  onEngine(error: Error | undefined): void;
}

/**
 * The agent's picture of its containers, kept by events. Invariants: (1) a list is trusted only the first time; later ones may have been
 * taken before a change that is known already, so they only say which containers to look at; (2) one look at a container is in flight
 * at a time, and another follows when something happened meanwhile, so the last look began after the last event.
 */
export class ContainerWatch {
  readonly #env: Pick<Env, "timers">;
  readonly #runtime: ContainerRuntime;
  readonly #listener: ContainerWatchListener;
  readonly #containers = new Map<string, ContainerInfo>();
  /** Containers that are being looked at. */
  readonly #looking = new Map<string, { again: boolean; done: (() => void)[] }>();
  /** Containers that are being started from here: who does looks at them when the engine has answered. */
  readonly #starting = new Set<string>();
  /** How many are being made from here. */
  #creating = 0;
  /** What was made meanwhile, by whomever. */
  readonly #madeMeanwhile = new Set<string>();
  /** Containers of which there is a look that the first list may be older than. */
  readonly #lookedEarly = new Set<string>();
  #ready = false;
  #listing = false;
  #listAgain = false;
  #failures = 0;
  #events: { close(): void } | undefined;
  #timer: Timer | undefined;
  #pingTimer: Timer | undefined;
  /** The engine did not answer the last ping. */
  #silent = false;
  #closed = false;

  constructor(env: Pick<Env, "timers">, runtime: ContainerRuntime, listener: ContainerWatchListener) {
    this.#env = env;
    this.#runtime = runtime;
    this.#listener = listener;
  }

  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    this.#events = this.#runtime.events({
      onOpen: () => this.#list(),
      onEvent: (event) => this.#hear(event),
      onLost: (error) => {
        if (!this.#closed) this.#listener.onEngine(error);
      },
    });
    this.#ping();
  }

  /** An engine that hangs keeps its connections, so that nothing else tells of it until it is asked for something. */
  #ping(): void {
    this.#pingTimer = this.#env.timers.after(pingMs, () =>
      this.#runtime.ping((error) => {
        if (this.#closed) return;
        if (error !== null) this.#listener.onEngine(error);
        // What happened meanwhile may never be told.
        else if (this.#silent) this.#list();
        this.#silent = error !== null;
        this.#ping();
      }),
    );
  }

  close(): void {
    this.#closed = true;
    this.#events?.close();
    this.#pingTimer?.cancel();
    this.#timer?.cancel();
  }

  all(): IterableIterator<ContainerInfo> {
    return this.#containers.values();
  }

  ofPod(podUid: string): ContainerInfo[] {
    return [...this.#containers.values()].filter((info) => info.podUid === podUid);
  }

  /** A container is being made, until the function is called that this gives, with its id when it is there. */
  creating(spec: ContainerSpec): (id: string | undefined) => void {
    this.#creating += 1;
    return (id) => {
      this.#creating -= 1;
      if (id !== undefined) this.#created(id, spec);
      if (this.#creating > 0) return;
      for (const other of this.#madeMeanwhile) this.look(other);
      this.#madeMeanwhile.clear();
    };
  }

  #created(id: string, spec: ContainerSpec): void {
    this.#madeMeanwhile.delete(id);
    if (this.#containers.has(id)) return;
    const { podUid, podNamespace, podName, containerName, role, attempt, specHash, image } = spec;
    this.#containers.set(id, {
      id,
      podUid,
      podNamespace,
      podName,
      containerName,
      role,
      attempt,
      specHash,
      phase: "created",
      image,
      imageId: "",
      startedAt: undefined,
      finishedAt: undefined,
      exitCode: undefined,
      oomKilled: false,
      message: undefined,
      ip: undefined,
      altered: undefined,
      impostor: false,
    });
  }

  /** The engine tells also of what is done from here, and of that no look is needed. */
  #hear({ type, containerId }: ContainerEvent): void {
    // A sandbox is connected to its network by its start.
    if ((type === "start" || type === "network") && this.#starting.has(containerId)) return;
    if (type === "create" && this.#containers.has(containerId)) return;
    if (type === "create" && this.#creating > 0) this.#madeMeanwhile.add(containerId);
    else this.look(containerId);
  }

  /** A start is under way, until the function is called that this gives: it looks, and `done` is called. */
  starting(id: string): (done: () => void) => void {
    this.#starting.add(id);
    return (done) =>
      this.look(id, () => {
        // The event may come after the answer.
        this.#starting.delete(id);
        done();
      });
  }

  /** Looks at one container; `done` when a look that began after this call is over. */
  look(id: string, done?: () => void): void {
    const waiting = done === undefined ? [] : [done];
    const looking = this.#looking.get(id);
    if (looking !== undefined) {
      looking.again = true;
      looking.done.push(...waiting);
      return;
    }
    this.#looking.set(id, { again: false, done: [] });
    this.#runtime.inspect(id, (error, info) => {
      const { again, done: later } = this.#looking.get(id) ?? { again: false, done: [] };
      this.#looking.delete(id);
      if (this.#closed) return;
      if (error === null) this.#take(id, info);
      else this.#listSoon();
      for (const one of waiting) one();
      if (again) this.look(id, () => later.forEach((one) => one()));
    });
  }

  #take(id: string, info: ContainerInfo | undefined): void {
    const before = this.#containers.get(id);
    if (!this.#ready) this.#lookedEarly.add(id);
    if (info === undefined) this.#containers.delete(id);
    else this.#containers.set(id, info);
    const podUid = info?.podUid ?? before?.podUid;
    if (podUid !== undefined && this.#ready) this.#listener.onChange(podUid);
  }

  #list(): void {
    this.#timer?.cancel();
    if (this.#listing) {
      this.#listAgain = true;
      return;
    }
    this.#listing = true;
    this.#runtime.list((error, listed) => {
      this.#listing = false;
      if (this.#closed) return;
      if (error !== null) {
        this.#listener.onEngine(error);
        this.#listSoon();
        return;
      }
      this.#failures = 0;
      this.#listener.onEngine(undefined);
      this.#compare(listed);
      this.#timer = this.#env.timers.after(resyncMs, () => this.#list());
      if (this.#listAgain) {
        this.#listAgain = false;
        this.#list();
      }
    });
  }

  #compare(listed: readonly ContainerInfo[]): void {
    if (!this.#ready) {
      for (const info of listed) {
        if (this.#lookedEarly.has(info.id)) this.look(info.id);
        else this.#containers.set(info.id, info);
      }
      this.#lookedEarly.clear();
      this.#ready = true;
      this.#listener.onReady();
      return;
    }
    const present = new Set(listed.map(({ id }) => id));
    for (const info of listed) if (!sameJson(this.#containers.get(info.id), info)) this.look(info.id);
    for (const id of this.#containers.keys()) if (!present.has(id)) this.look(id);
  }

  #listSoon(): void {
    this.#failures += 1;
    this.#timer?.cancel();
    this.#timer = this.#env.timers.after(backoffMs(engineBackoff, this.#failures), () => this.#list());
  }
}

const pingMs = 5_000;

/** A slow second look, should the engine ever drop an event. */
const resyncMs = 60_000;
