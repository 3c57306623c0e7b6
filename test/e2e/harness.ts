import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import {
  clusterProcesses,
  portsUsed,
  prepareCluster,
  serverProcess,
  type LocalCluster,
  type LocalOptions,
  type LocalServer,
} from "../../deploy/local/cluster.js";
import { removeContainers } from "../../deploy/local/containers.js";
import { freePorts } from "../../deploy/local/free-ports.js";
import { restoreCluster } from "../../deploy/local/restore.js";
import {
  addProcess,
  dropProcess,
  ownPid,
  startProcesses,
  startStopped,
  stopProcess,
  stopProcesses,
} from "../../deploy/local/processes.js";
import { Client } from "../../sdk/index.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError } from "../../src/base/errors.js";
import type { MachineNetwork } from "./machine-network.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export interface HarnessOptions extends Pick<
  LocalOptions,
  "servers" | "joining" | "agents" | "runtime" | "dockerSocket" | "store"
> {
  /** The joining servers are made ready, and run only once they are launched. @default false */
  readonly joiningWait?: boolean;
  /** Servers whose data lie on a disk of their own in memory, with its size in MiB. Needs root. */
  readonly smallDisks?: ReadonlyMap<string, number>;
}

/** A large backup is taken over first. */
const restoredMsMax = 300_000;
/** What a killed run leaves behind is found by this name and the number of the process that made it. */
const folderPattern = /^ikada-e2e-([0-9]+)-/;

/** What a command did. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A cluster of real processes in a temporary folder, on free ports, with an id of its own. */
export class Harness {
  readonly cluster: LocalCluster;
  readonly client: Client;
  /** The engine of the cluster's agents. */
  readonly docker: Docker;

  private constructor(cluster: LocalCluster, client: Client, dockerSocket: string | undefined) {
    this.cluster = cluster;
    this.client = client;
    this.docker = new Docker(dockerSocket === undefined ? {} : { socketPath: dockerSocket });
  }

  /** With `network` each server runs on a machine of it, which has to have as many; the network stays the caller's. */
  static async start(options: HarnessOptions, network?: MachineNetwork): Promise<Harness> {
    await removeLeftovers();
    const folder = mkdtempSync(join(tmpdir(), `ikada-e2e-${process.pid}-`));
    const serverHosts = network?.addresses.map((address, at) => ({ address, prefix: network.prefix(at + 1) }));
    const cluster = await prepareCluster({
      ...options,
      ...(serverHosts && { serverHosts }),
      folder,
      portBase: await freePorts(portsUsed),
    });
    for (const [name, mebibytes] of options.smallDisks ?? []) mountSmallDisk(join(folder, "data", name), mebibytes);
    const started = options.joiningWait === true ? { ...cluster, joining: [] } : cluster;
    await startProcesses(folder, clusterProcesses(started));
    const harness = new Harness(
      cluster,
      await Harness.#connect(
        cluster,
        cluster.servers.map((server) => server.api),
      ),
      options.dockerSocket,
    );
    try {
      await harness.eventually("a leader", async () => (await harness.leaderName()) !== undefined);
    } catch (caught) {
      process.stderr.write(harness.logs());
      await harness.close();
      throw caught;
    }
    return harness;
  }

  /** A cluster that begins with what is in a backup: one server has it, the other ones wait to be added. */
  static async restored(file: string, options: HarnessOptions, onRestored?: () => void): Promise<Harness> {
    const folder = mkdtempSync(join(tmpdir(), `ikada-e2e-${process.pid}-`));
    const cluster = await restoreCluster({ ...options, folder, portBase: await freePorts(portsUsed) }, file);
    onRestored?.();
    await startProcesses(folder, clusterProcesses(cluster));
    const endpoints = cluster.servers.map((server) => server.api);
    const harness = new Harness(cluster, await Harness.#connect(cluster, endpoints), options.dockerSocket);
    try {
      await harness.eventually("a leader", async () => (await harness.leaderName()) !== undefined, restoredMsMax);
    } catch (caught) {
      process.stderr.write(harness.logs());
      await harness.close();
      throw caught;
    }
    return harness;
  }

  static #connect({ folder }: LocalCluster, endpoints: readonly string[], pinned = false): Promise<Client> {
    const read = (name: string): string => readFileSync(join(folder, "pki", name), "utf8").trim();
    return Client.connect({ endpoints, ca: read("ca.pem"), token: read("admin.token"), pinned });
  }

  /** One more client, of all servers. */
  anotherClient(): Promise<Client> {
    return Harness.#connect(
      this.cluster,
      this.cluster.servers.map((server) => server.api),
    );
  }

  /** A client that speaks to one server alone. */
  clientOf(name: string): Promise<Client> {
    return Harness.#connect(this.cluster, [this.server(name).api], true);
  }

  server(name: string): LocalServer {
    const { servers, joining } = this.cluster;
    return [...servers, ...joining].find((candidate) => candidate.name === name)!;
  }

  /** Where a server's data lie. */
  dataFolder(name: string): string {
    return join(this.cluster.folder, "data", name);
  }

  /** Starts a joining server that waits. */
  launch(name: string): void {
    addProcess(this.cluster.folder, serverProcess(this.cluster, this.server(name)));
  }

  /** Ends a server that was launched, for good. */
  forget(name: string): void {
    dropProcess(this.cluster.folder, name);
  }

  async leaderName(): Promise<string | undefined> {
    const status = await this.client.clusterStatus({ deadlineMs: 2_000 });
    return status.members.find((server) => server.id === status.leader)?.name;
  }

  /** kill -9; the supervisor starts it again after a moment. Returns once the process is gone. */
  async kill(name: string): Promise<void> {
    const pid = ownPid(this.cluster.folder, name);
    if (pid === undefined) throw new Error(`${name} does not run`);
    process.kill(pid, "SIGKILL");
    await this.ended(name, pid);
  }

  /** Returns once this process of the server is gone and the supervisor knows: `startStopped` before that would find it running. */
  async ended(name: string, pid: number): Promise<void> {
    // It takes the file away.
    const file = join(this.cluster.folder, "run", `${name}.pid`);
    const isSeen = (): boolean => !existsSync(file) || readFileSync(file, "utf8") !== String(pid);
    await this.eventually(`the end of ${name}`, () => Promise.resolve(isSeen()));
  }

  /** SIGTERM: it stays down. */
  async stop(name: string): Promise<void> {
    await stopProcess(this.cluster.folder, name);
  }

  /** Starts again what was stopped. */
  startStopped(): void {
    startStopped(this.cluster.folder);
  }

  pid(name: string): number | undefined {
    return ownPid(this.cluster.folder, name);
  }

  /** Runs bin/ikada against this cluster. */
  ikada(...words: string[]): Promise<Run> {
    return this.program(...words, "--config", this.cluster.contextFile);
  }

  /** Runs bin/ikada with these words alone. */
  program(...words: string[]): Promise<Run> {
    return new Promise((resolve) => {
      const args = [join(root, "bin", "ikada"), ...words];
      execFile(
        process.execPath,
        args,
        { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
        },
      );
    });
  }

  async list<T = AnyObject>(
    kind: Parameters<Client["list"]>[0],
    options: Parameters<Client["list"]>[1] = {},
  ): Promise<T[]> {
    const found: T[] = [];
    for await (const object of this.client.list(kind, options)) found.push(object as unknown as T);
    return found;
  }

  /** Polls until `look` is true. The bound is for broken code, not for slow machines; past it the error says what there was instead. */
  async eventually(what: string, look: () => Promise<boolean>, waitMsMax = 120_000): Promise<void> {
    const deadline = performance.now() + waitMsMax;
    let last: unknown;
    while (performance.now() < deadline) {
      try {
        if (await look()) return;
        last = undefined;
      } catch (caught) {
        last = caught;
      }
      await sleep(25);
    }
    const seen = await this.#whatIsThere().catch((caught: unknown) => `nothing: ${String(caught)}`);
    throw new Error(`${what} did not come within ${waitMsMax} ms; there was ${seen}`, {
      cause: last === undefined ? undefined : IkadaError.from(last),
    });
  }

  /** Nodes and Pods in a line each, for the error of a test that waited in vain. */
  async #whatIsThere(): Promise<string> {
    const nodes = (await this.list<Node>("nodes")).map(({ metadata, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return `node ${metadata.name} Ready=${ready?.status} ${ready?.reason ?? ""}`;
    });
    const pods = (await this.list<Pod>("pods")).map(({ metadata, spec, status }) => {
      const containers = (status?.containerStatuses ?? []).map(
        ({ name, ready, restartCount, state }) =>
          `${name} ready=${ready} restarts=${restartCount} ${JSON.stringify(state)}`,
      );
      const ending = metadata.deletionTimestamp === undefined ? "" : " ending";
      return `pod ${metadata.name} on ${spec.nodeName ?? "no node"} ${status?.phase}${ending}: ${containers.join(", ")}`;
    });
    return [...nodes, ...pods].map((line) => `\n  ${line}`).join("");
  }

  /** How often a process has logged this message, over all its lives. */
  logLines(name: string, message: string): number {
    return this.logFields(name, message).length;
  }

  /** What a process has logged with this message, over all its lives, oldest first. */
  logFields(name: string, message: string): Record<string, unknown>[] {
    const lines = this.#log(name).filter((line) => line.includes(`"message":${JSON.stringify(message)}`));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** In how many lines a process has logged this text. */
  logMentions(name: string, text: string): number {
    return this.#log(name).filter((line) => line.includes(text)).length;
  }

  /** The ends of all logs, for a failed test. */
  logs(): string {
    const { servers, joining, agents } = this.cluster;
    const names = [...servers, ...joining, ...agents].map(({ name }) => name);
    return names.map((name) => `--- ${name}\n${this.#log(name).slice(-15).join("\n")}\n`).join("");
  }

  #log(name: string): string[] {
    const file = join(this.cluster.folder, "logs", `${name}.log`);
    return existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  }

  /** As a fire would: kill -9 to everything at once, and nothing is left. */
  async destroy(): Promise<void> {
    const { servers, joining, agents, folder } = this.cluster;
    const pids = ["supervisor", ...[...servers, ...joining, ...agents].map(({ name }) => name)].map((name) =>
      ownPid(folder, name),
    );
    for (const pid of pids) if (pid !== undefined) process.kill(pid, "SIGKILL");
    await this.close();
  }

  async close(): Promise<void> {
    await this.client.close();
    await stopProcesses(this.cluster.folder);
    if (this.cluster.agents.length > 0) await removeContainers(this.docker, this.cluster.clusterId);
    removeFolder(this.cluster.folder);
  }
}

function mountSmallDisk(folder: string, mebibytes: number): void {
  mkdirSync(folder, { mode: 0o700 });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=700`, "ikada-e2e", folder]);
}

/** Processes, small disks and folders of runs whose process is gone. */
async function removeLeftovers(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const pid = folderPattern.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    const folder = join(tmpdir(), name);
    await stopProcesses(folder);
    removeFolder(folder);
  }
}

function removeFolder(folder: string): void {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  for (const mount of mounts.map((line) => line.split(" ")[1]))
    if (mount?.startsWith(`${folder}/`)) execFileSync("umount", [mount]);
  rmSync(folder, { recursive: true, force: true });
}
