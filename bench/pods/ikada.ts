import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterProcesses, portsUsed, prepareCluster, type LocalCluster } from "../../deploy/local/cluster.js";
import { freePorts } from "../../deploy/local/free-ports.js";
import { ownPid, startProcesses, stopProcesses } from "../../deploy/local/processes.js";
import { Client } from "../../sdk/index.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { OwnEngine } from "../../test/e2e/own-engine.js";
import { Starts, type Made, type PodsContestant } from "./contestant.js";

const namespace = "default";
const name = "bench";
const settleMsMax = 60_000;
const removeMsMax = 300_000;

export interface IkadaPodsOptions {
  readonly engine: OwnEngine;
  readonly servers: number;
  readonly image: string;
  readonly command: readonly string[];
  /** Where each thread leaves a profile of its processor time when it ends; none when absent. */
  readonly profileFolder: string | undefined;
}

/** Servers and one agent; all Pods are of one Deployment. */
export class IkadaPods implements PodsContestant {
  readonly name = "Ikada";
  readonly client: Client;
  readonly #options: IkadaPodsOptions;
  readonly #cluster: LocalCluster;

  private constructor(options: IkadaPodsOptions, cluster: LocalCluster, client: Client) {
    this.#options = options;
    this.#cluster = cluster;
    this.client = client;
  }

  static async start(options: IkadaPodsOptions): Promise<IkadaPods> {
    const { servers, engine, profileFolder } = options;
    const folder = mkdtempSync(join(tmpdir(), "ikada-bench-pods-"));
    const portBase = await freePorts(portsUsed);
    const local = { folder, portBase, servers, agents: 1, runtime: "docker", dockerSocket: engine.socket } as const;
    const cluster = await prepareCluster(local);
    const flags = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
    const processes = clusterProcesses(cluster).map(({ name, prefix, args }) => ({
      name,
      prefix,
      args: [...flags, ...args],
    }));
    await startProcesses(folder, processes);
    const read = (file: string): string => readFileSync(join(folder, "pki", file), "utf8").trim();
    const endpoints = cluster.servers.map(({ api }) => api);
    const client = await Client.connect({ endpoints, ca: read("ca.pem"), token: read("admin.token") });
    const ikada = new IkadaPods(options, cluster, client);
    try {
      await ikada.#settle();
    } catch (caught) {
      await ikada.close();
      throw caught;
    }
    return ikada;
  }

  get agentPid(): number {
    return this.#pid(this.#cluster.agents[0]!.name);
  }

  get serverPids(): readonly number[] {
    return this.#cluster.servers.map((server) => this.#pid(server.name));
  }

  async make(count: number): Promise<Made> {
    const starts = await Starts.watch(this.#options.engine.docker, [...this.#labels, "ikada.role=container"]);
    const abort = new AbortController();
    const told = this.#toldReady(count, abort.signal);
    try {
      const beganAt = performance.now();
      await this.client.deployments.create(deployment(count, this.#options));
      const [runningAt, toldAt] = await Promise.all([starts.reach(count), told]);
      return { runningMs: runningAt - beganAt, toldMs: toldAt - beganAt };
    } finally {
      abort.abort();
    }
  }

  async remove(): Promise<void> {
    await this.client.deployments.delete(name, { namespace });
    const deadline = performance.now() + removeMsMax;
    for (;;) {
      if (performance.now() > deadline) throw new Error("the Pods were not gone in time");
      const { objects: items } = await this.client.pods.listPage({ namespace });
      const label = [...this.#labels];
      const left = await this.#options.engine.docker.listContainers({ all: true, filters: { label } });
      if (items.length === 0 && left.length === 0) return;
      await sleep(200);
    }
  }

  /** One of the Pods that there are. */
  async aPod(): Promise<Pod> {
    const { objects: items } = await this.client.pods.listPage({ namespace });
    return items[0]!;
  }

  /** Calls to the engine since the agent began, by kind. */
  async engineCalls(): Promise<ReadonlyMap<string, number>> {
    const text = await this.#metrics();
    const lines = text.matchAll(/^ikada_agent_engine_calls_total\{.*call="(\w+)".*\} (\d+)$/gm);
    return new Map([...lines].map(([, call, count]) => [call!, Number(count)]));
  }

  async close(): Promise<void> {
    await this.client.close();
    await stopProcesses(this.#cluster.folder);
    rmSync(this.#cluster.folder, { recursive: true, force: true });
  }

  get #labels(): readonly string[] {
    return [`ikada.cluster=${this.#cluster.clusterId}`];
  }

  #pid(process: string): number {
    const pid = ownPid(this.#cluster.folder, process);
    if (pid === undefined) throw new Error(`${process} does not run`);
    return pid;
  }

  /** When so many Pods were told to be ready, by `performance.now()`. */
  async #toldReady(count: number, signal: AbortSignal): Promise<number> {
    const ready = new Set<string>();
    for await (const event of this.client.pods.watch({ namespace, onlyChanges: true, signal })) {
      if (event.type === "BOOKMARK") continue;
      const { metadata, status } = event.object;
      if (status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True"))
        ready.add(metadata.name);
      if (ready.size === count) break;
    }
    return performance.now();
  }

  async #settle(): Promise<void> {
    const deadline = performance.now() + settleMsMax;
    while (performance.now() < deadline) {
      try {
        const { objects: items } = await this.client.nodes.listPage({});
        if (items[0]?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) return;
      } catch {
        // There is no leader yet.
      }
      await sleep(50);
    }
    throw new Error(`no node came up; the logs are in ${join(this.#cluster.folder, "logs")}`);
  }

  #metrics(): Promise<string> {
    const { folder, agents } = this.#cluster;
    const ca = readFileSync(join(folder, "pki", "ca.pem"));
    const token = readFileSync(join(folder, "pki", "admin.token"), "utf8").trim();
    const headers = { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      get(`https://${agents[0]!.metrics}/metrics`, { ca, headers, agent: false }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve(text)).on("error", reject);
      }).on("error", reject);
    });
  }
}

function deployment(replicas: number, { image, command }: IkadaPodsOptions) {
  const labels = { app: name };
  const containers = [{ name: "main", image, command: [...command] }];
  const spec = { terminationGracePeriodSeconds: 0, containers };
  return {
    metadata: { name, namespace },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  };
}
