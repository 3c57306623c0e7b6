import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterProcesses, prepareCluster, type LocalCluster } from "../deploy/local/cluster.js";
import { ownPid, startProcesses, stopProcesses } from "../deploy/local/processes.js";
import { Client } from "../sdk/index.js";
import { freePorts } from "../deploy/local/free-ports.js";
import type { BenchClient, Contestant } from "./contestant.js";

const settleMsMax = 60_000;

/**
 * Three servers without agents; values are ConfigMaps, so a write passes validation and field ownership too. `profileFolder`: where each
 * thread leaves a profile of its processor time when it ends.
 */
export async function startIkada(profileFolder?: string): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), "ikada-bench-"));
  const portBase = await freePorts(70);
  const cluster = await prepareCluster({ folder, portBase, servers: 3, agents: 0, runtime: "fake" });
  const flags = profileFolder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`];
  const processes = clusterProcesses(cluster).map(({ name, prefix, args }) => ({
    name,
    prefix,
    args: [...flags, ...args],
  }));
  await startProcesses(folder, processes);
  const control = await connect(cluster);
  const leader = async (): Promise<string | undefined> => {
    const { leader: id, members } = await control.clusterStatus({ deadlineMs: 2_000 });
    return members.every(({ reachable }) => reachable) ? members.find((member) => member.id === id)?.name : undefined;
  };
  return {
    name: "Ikada",
    connect: async () => benchClient(await connect(cluster)),
    async endpoint() {
      const name = await leader();
      const found = cluster.servers.find((server) => server.name === name);
      if (!found) throw new Error("not all servers answer, or there is no leader");
      const { ca, token } = await credentials(cluster);
      return { address: found.api, all: cluster.servers.map(({ api }) => api), authority: ca, token };
    },
    pids: () => cluster.servers.map(({ name }) => ownPid(folder, name)).filter((pid) => pid !== undefined),
    async killLeader() {
      const name = await leader();
      const pid = name === undefined ? undefined : ownPid(folder, name);
      if (pid === undefined) throw new Error("there is no leader to kill");
      process.kill(pid, "SIGKILL");
    },
    async settle() {
      const end = performance.now() + settleMsMax;
      while (performance.now() < end) {
        if ((await leader().catch(() => undefined)) !== undefined) return;
        await sleep(50);
      }
      throw new Error(`the servers did not come up; their logs are in ${join(folder, "logs")}`);
    },
    async close() {
      await control.close();
      await stopProcesses(folder);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function connect(cluster: LocalCluster): Promise<Client> {
  return Client.connect({ endpoints: cluster.servers.map(({ api }) => api), ...(await credentials(cluster)) });
}

async function credentials({ folder }: LocalCluster): Promise<{ readonly ca: string; readonly token: string }> {
  const read = (name: string): Promise<string> => readFile(join(folder, "pki", name), "utf8");
  const [ca, token] = await Promise.all([read("ca.pem"), read("admin.token")]);
  return { ca, token };
}

function benchClient(client: Client): BenchClient {
  const namespace = "default";
  const watches: AbortController[] = [];
  return {
    async put(name, value) {
      await client.configMaps.create({ metadata: { name, namespace }, data: { value } });
    },
    async get(name) {
      await client.configMaps.get(name, { namespace });
    },
    watch(onChange) {
      const abort = new AbortController();
      watches.push(abort);
      return new Promise((resolve, reject) => {
        const follow = async (): Promise<void> => {
          for await (const event of client.configMaps.watch({ namespace, onlyChanges: true, signal: abort.signal })) {
            if (event.type === "BOOKMARK") resolve();
            else onChange(event.object.metadata.name);
          }
        };
        follow().catch((error: unknown) => {
          if (!abort.signal.aborted) reject(error as Error);
        });
      });
    },
    async close() {
      for (const abort of watches) abort.abort();
      await client.close();
    },
  };
}
