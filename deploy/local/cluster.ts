import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createAuthority, issueCertificate, type Authority, type CertificateRequest } from "../../src/host/pki.js";
import { splitAddress } from "../../src/host/listening.js";
import type { SupervisedProcess } from "./supervisor.js";

/** A cluster on this machine: its files, and the processes to run. Used by `npm run up`, end-to-end tests, chaos and benches. */
export interface LocalCluster {
  /** Absolute; holds everything that the cluster writes. */
  readonly folder: string;
  readonly clusterId: string;
  readonly servers: readonly LocalServer[];
  /** Not members yet: they wait for `ikada cluster add`. */
  readonly joining: readonly LocalServer[];
  readonly agents: readonly LocalAgent[];
  /** Context file for the CLI, as admin. */
  readonly contextFile: string;
}

export interface LocalServer {
  readonly id: number;
  readonly name: string;
  readonly api: string;
  readonly agents: string;
  readonly replicas: string;
  readonly raft: string;
  readonly metrics: string;
  readonly prefix: readonly string[];
}

export interface LocalAgent {
  readonly name: string;
  readonly metrics: string;
}

export interface LocalOptions {
  readonly folder: string;
  /** First of `portsUsed` consecutive ports on 127.0.0.1. */
  readonly portBase: number;
  readonly servers: number;
  /** Further servers, which start with nothing and wait to be added. @default 0 */
  readonly joining?: number;
  readonly agents: number;
  readonly runtime: "docker" | "fake";
  /** Path of the engine's socket; the default one when absent. */
  readonly dockerSocket?: string;
  readonly tickMs?: number;
  /** Settings of the servers' section `store`. */
  readonly store?: Readonly<Record<string, number>>;
  /** Where each server runs; all on 127.0.0.1 when absent. */
  readonly serverHosts?: readonly ServerHost[];
}

/** A stand-in for a machine of its own. */
export interface ServerHost {
  readonly address: string;
  /** Words in front of a command that is to run there. */
  readonly prefix: readonly string[];
}

/** Ports are portBase + 10 * listener + number. */
export const portsUsed = 70;
const certificateDays = 7;
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const launcher = join(root, "bin", "ikada");

/** Writes the files of a cluster: authority, certificates, tokens, configurations. What is there stays, except certificates, which are made fresh. */
export async function prepareCluster(options: LocalOptions): Promise<LocalCluster> {
  const { folder } = options;
  for (const name of ["pki", "data", "logs", "run"]) mkdirSync(join(folder, name), { recursive: true, mode: 0o700 });
  const cluster = describe(
    options,
    keep(join(folder, "cluster-id"), () => randomBytes(8).toString("hex")),
  );
  const authority = await keepAuthority(folder);
  const token = keep(join(folder, "pki", "admin.token"), () => randomBytes(32).toString("base64url"));
  for (const server of [...cluster.servers, ...cluster.joining]) {
    await writeCertificate(folder, authority, {
      role: "server",
      name: server.name,
      addresses: [splitAddress(server.api).host, "127.0.0.1", "localhost"],
      days: certificateDays,
    });
    writeJson(join(folder, `${server.name}.json`), serverConfig(cluster, server, token, options));
  }
  for (const agent of cluster.agents) {
    await writeCertificate(folder, authority, {
      role: "node",
      name: agent.name,
      addresses: ["127.0.0.1", "localhost"],
      days: certificateDays,
    });
    writeJson(join(folder, `${agent.name}.json`), agentConfig(cluster, agent, token, options));
  }
  writeJson(cluster.contextFile, {
    endpoints: cluster.servers.map((server) => server.api),
    caFile: "pki/ca.pem",
    tokenFile: "pki/admin.token",
  });
  return cluster;
}

/** What the supervisor runs. */
export function clusterProcesses(cluster: LocalCluster): SupervisedProcess[] {
  return [
    ...[...cluster.servers, ...cluster.joining].map((server) => serverProcess(cluster, server)),
    ...cluster.agents.map((agent) => processOf(cluster, "agent", agent.name, [])),
  ];
}

export function serverProcess(cluster: LocalCluster, { name, prefix }: LocalServer): SupervisedProcess {
  return processOf(cluster, "server", name, prefix);
}

function processOf(
  { folder }: LocalCluster,
  role: "server" | "agent",
  name: string,
  prefix: readonly string[],
): SupervisedProcess {
  return { name, prefix, args: [launcher, role, "--config", join(folder, `${name}.json`)] };
}

function describe(options: LocalOptions, clusterId: string): LocalCluster {
  const { folder, portBase, servers, joining = 0, agents, serverHosts } = options;
  const port = (listener: number, number: number): number => portBase + 10 * listener + number;
  const address = (listener: number, number: number): string =>
    `${serverHosts?.[number - 1]?.address ?? "127.0.0.1"}:${port(listener, number)}`;
  const count = (length: number): number[] => Array.from({ length }, (_, index) => index + 1);
  const all = count(servers + joining).map((id) => ({
    id,
    name: `server-${id}`,
    api: address(0, id),
    agents: address(1, id),
    replicas: address(2, id),
    raft: address(3, id),
    metrics: address(4, id),
    prefix: serverHosts?.[id - 1]?.prefix ?? [],
  }));
  return {
    folder,
    clusterId,
    servers: all.slice(0, servers),
    joining: all.slice(servers),
    agents: count(agents).map((number) => ({ name: `node-${number}`, metrics: `127.0.0.1:${port(5, number)}` })),
    contextFile: join(folder, "admin.json"),
  };
}

function serverConfig(cluster: LocalCluster, server: LocalServer, token: string, options: LocalOptions): object {
  const { tickMs, store } = options;
  const isJoining = cluster.joining.includes(server);
  return {
    id: server.id,
    clusterId: cluster.clusterId,
    dataFolder: `data/${server.name}`,
    ...(isJoining && { join: true }),
    members: (isJoining ? [server] : cluster.servers).map(({ id, name, api, agents, replicas, raft }) => ({
      id,
      name,
      api,
      agents,
      replicas,
      raft,
    })),
    listen: { metrics: server.metrics },
    tls: tlsFiles(server.name),
    users: [{ name: "admin", role: "admin", sha256: sha256(token) }],
    ...(tickMs === undefined ? {} : { tickMs }),
    ...(store === undefined ? {} : { store }),
  };
}

const smallThresholds = {
  "nodefs.available": "2Mi",
  "nodefs.inodesFree": "1%",
  "imagefs.available": "2Mi",
  "imagefs.inodesFree": "1%",
};

function agentConfig(
  cluster: LocalCluster,
  agent: LocalAgent,
  token: string,
  { runtime, dockerSocket }: LocalOptions,
): object {
  return {
    name: agent.name,
    clusterId: cluster.clusterId,
    dataFolder: `data/${agent.name}`,
    servers: cluster.servers.map((server) => server.agents),
    tls: tlsFiles(agent.name),
    runtime,
    ...(dockerSocket === undefined ? {} : { dockerSocket }),
    // A machine for trying things out may be fuller than one would let a node be.
    eviction: { hard: smallThresholds },
    listen: { metrics: agent.metrics },
    users: [{ name: "admin", role: "admin", sha256: sha256(token) }],
  };
}

function tlsFiles(name: string): object {
  return { ca: "pki/ca.pem", certificate: `pki/${name}.pem`, key: `pki/${name}.key` };
}

async function keepAuthority(folder: string): Promise<Authority> {
  const certificateFile = join(folder, "pki", "ca.pem");
  const keyFile = join(folder, "pki", "ca.key");
  if (!existsSync(certificateFile)) {
    const made = await createAuthority("ikada local");
    writeFileSync(keyFile, made.key, { mode: 0o600 });
    writeFileSync(certificateFile, made.certificate);
  }
  return { certificate: readFileSync(certificateFile, "utf8"), key: readFileSync(keyFile, "utf8") };
}

async function writeCertificate(folder: string, authority: Authority, request: CertificateRequest): Promise<void> {
  const issued = await issueCertificate(authority, request);
  writeFileSync(join(folder, "pki", `${request.name}.pem`), issued.certificate);
  writeFileSync(join(folder, "pki", `${request.name}.key`), issued.key, { mode: 0o600 });
}

/** The content of a file, made once. */
function keep(file: string, make: () => string): string {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600 });
  return readFileSync(file, "utf8").trim();
}

function writeJson(file: string, value: object): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
