import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { LagProbe, type Lag } from "./lag-probe.js";
import type { Site } from "./site.js";

/** What no request may bring about; each fault is told when it is seen. */
export interface Health {
  readonly term: number;
  /** Megabytes of memory by server: when it began, and the most. */
  readonly memory: ReadonlyMap<string, { readonly first: number; most: number }>;
  readonly lags: ReadonlyMap<string, Lag>;
}

const lookEveryMs = 250;
/** A server that holds on to what it is sent comes here; one that serves stays far below. */
const memoryMegabytesMax = 1_024;

/** Looks after the servers: that none ends, that the same one leads all the time, how much memory they take, and that consensus goes on. */
export class Watchman {
  readonly #site: Site;
  readonly #onFault: (fault: string) => void;
  readonly #pids = new Map<string, number>();
  readonly #memory = new Map<string, { readonly first: number; most: number }>();
  readonly #stop = new AbortController();
  #probe: LagProbe | undefined;
  #term = 0;
  #leader: string | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(site: Site, onFault: (fault: string) => void) {
    this.#site = site;
    this.#onFault = onFault;
  }

  async start(): Promise<void> {
    const { harness, authority } = this.#site;
    const { servers, folder, clusterId } = harness.cluster;
    const { term } = await harness.client.clusterStatus();
    this.#term = term;
    this.#leader = await harness.leaderName();
    for (const { name } of servers) this.#pids.set(name, harness.pid(name) ?? 0);
    const read = (file: string): string => readFileSync(`${folder}/pki/${file}`, "utf8");
    const probed = servers.map(({ name, raft }) => {
      const as = servers.find((other) => other.name !== name && other.name !== this.#leader)!;
      const tls = { authority, certificate: read(`${as.name}.pem`), key: read(`${as.name}.key`) };
      return { name, pid: this.#pids.get(name)!, raft, asId: as.id, asName: as.name, tls };
    });
    this.#probe = new LagProbe({ servers: probed, clusterId }, this.#onFault);
    this.#looking = this.#look();
  }

  get health(): Health {
    return { term: this.#term, memory: this.#memory, lags: this.#probe?.lags ?? new Map<string, Lag>() };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
    await this.#probe?.close();
  }

  async #look(): Promise<void> {
    const { harness } = this.#site;
    while (!this.#stop.signal.aborted) {
      for (const [name, pid] of this.#pids) this.#weigh(name, pid);
      try {
        const { term } = await harness.client.clusterStatus({ deadlineMs: 5_000 });
        const leader = await harness.leaderName();
        if (term !== this.#term) this.#onFault(`the term went from ${this.#term} to ${term}`);
        if (leader !== this.#leader) this.#onFault(`${leader} leads after ${this.#leader}`);
        this.#term = term;
        this.#leader = leader;
      } catch (caught) {
        this.#onFault(`the status can't be asked for: ${(caught as Error).message}`);
      }
      await sleep(lookEveryMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  #weigh(name: string, pid: number): void {
    const file = `/proc/${pid}/status`;
    if (!existsSync(file)) return;
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
    const megabytes = Math.round(kilobytes / 1024);
    const known = this.#memory.get(name);
    if (known === undefined) this.#memory.set(name, { first: megabytes, most: megabytes });
    else known.most = Math.max(known.most, megabytes);
    if (megabytes > memoryMegabytesMax) this.#onFault(`${name} takes more than ${memoryMegabytesMax} MB`);
  }
}
