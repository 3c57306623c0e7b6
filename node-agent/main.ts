import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { IkadaError } from "../src/base/errors.js";
import { Scope } from "../src/base/lifecycle.js";
import { hostEnv, type HostEnv } from "../src/host/env.js";
import { failureText } from "../src/host/failure-text.js";
import { hostLog } from "../src/host/log.js";
import { createMetrics, serveMetrics } from "../src/host/metrics.js";
import { loadTlsFiles } from "../src/host/tls.js";
import { tokenOwner } from "../src/host/tokens.js";
import { readAgentConfig, type AgentConfig } from "./agent-config.js";
import { registerAgentMetrics } from "./agent-metrics.js";
import { hostBootClock } from "./boot-clock.js";
import { removeAllContainers } from "./cleanup.js";
import { Agent } from "./core/agent.js";
import type { MachineReader, MachineSupplies } from "./core/pressure/signals.js";
import { parseThresholds } from "./core/pressure/thresholds.js";
import { Engine } from "./docker/engine.js";
import { DockerVolumes } from "./docker/named-volumes.js";
import { lockDataFolder } from "./instance-lock.js";
import { GuardProcess } from "./guard-process.js";
import { openMachine } from "./machine.js";
import { NodeReport } from "./node-report.js";
import { nodeResources } from "./node-resources.js";
import { StatsKeeper } from "./stats-keeper.js";
import { GrpcUplink } from "./uplink.js";

/** A process that has to stop, and has not after this time, is ended. */
const closeMsMax = 10_000;
/** What containers get to end themselves with --cleanup. */
const cleanupGraceMs = 10_000;

/** Kubernetes' monitoring interval. */
const pressureIntervalMs = 10_000;
/** Between two rounds over Pods that may only write so much. */
const storageIntervalMs = 10_000;

const usage =
  "usage: ikada agent --config FILE [--print-config | --cleanup | --list-volumes | --remove-volume NAMESPACE/NAME]";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Builds an agent in order, and gives the scope that closes it in reverse order. Containers outlive it. */
async function start(config: AgentConfig, configFile: string, env: HostEnv, scope: Scope): Promise<void> {
  const { log } = env;
  const machine = openMachine(config, env, () => agent.position.nodeUid || undefined);
  const { runtime, network, volumes, supplies } = machine;
  const thresholds = parseThresholds(config.eviction, "eviction");
  const resources = nodeResources({ ...config, thresholds }, await machineNow(supplies, log));
  const pressure = () => agent.pressureConditions;
  const report: NodeReport = new NodeReport({ ...config, resources, pressure, version, now: () => env.clock.now() });
  const hashKey = randomBytes(32);
  let uplink: GrpcUplink | undefined;
  let engineUp = false;
  // The fake engine ends with this process.
  const guard = config.runtime === "docker" ? scope.use(new GuardProcess(configFile, log)) : undefined;
  const agent: Agent = new Agent({
    env,
    runtime,
    network,
    volumes,
    bootClock: hostBootClock(),
    nodeName: config.name,
    clusterId: config.clusterId,
    hostIP: report.address,
    allocatable: resources.allocatable,
    hostPorts: config.hostPorts,
    restartMsMax: config.restartSecondsMax * 1000,
    keyedHash: (text) => createHmac("sha256", hashKey).update(text).digest("base64"),
    imagePullsMax: config.imagePullsMax,
    pressure: {
      machine: supplies,
      thresholds,
      holdMs: config.eviction.pressureHoldSeconds * 1000,
      intervalMs: pressureIntervalMs,
      softGraceMsMax: config.eviction.softPodGraceSecondsMax * 1000,
      storageIntervalMs,
    },
    onPressure: () => uplink?.reportNode(),
    imageCollection: { ...config.imageCollection, ageMsMin: config.imageCollection.ageSecondsMin * 1000 },
    onEngine: (error) => {
      engineUp = error === undefined;
      if (report.setEngine(error)) uplink?.reportNode();
    },
    onLeases: (inUse) => guard?.keep(inUse),
    onFatal: (error) => die(log, error),
  });
  await new Promise<void>((resolve, reject) => agent.start((error) => (error ? reject(error) : resolve())));
  scope.use(agent);
  const stats = scope.use(new StatsKeeper({ agent, runtime, log }));
  uplink = scope.use(
    new GrpcUplink({
      env,
      agent,
      runtime,
      stats,
      servers: config.servers,
      tls: config.tls,
      node: config.name,
      clusterId: config.clusterId,
      version,
      labels: config.labels,
      nodeStatus: () => report.status(),
    }),
  );
  if (config.metrics === undefined) return;
  const registry = createMetrics({ cluster: config.clusterId, node: config.name });
  const { engineCalls } = machine;
  registerAgentMetrics(registry, { agent, uplink, engineUp: () => engineUp, engineCalls });
  const tls = loadTlsFiles(config.tls);
  scope.use(await serveMetrics({ registry, address: config.metrics, tls, ownerOf: tokenOwner(config.users) }));
}

/** What the machine has, for what the Node offers; without an answer it offers no disk. */
function machineNow(reader: MachineReader, log: HostEnv["log"]): Promise<MachineSupplies["supplies"]> {
  return new Promise((resolve) =>
    reader.read((error, { supplies }) => {
      if (error !== null) log.warn("what the machine has can't be read", { error: error.message });
      resolve(supplies);
    }),
  );
}

async function cleanUp(config: AgentConfig, env: HostEnv): Promise<void> {
  const { runtime, volumes } = openMachine(config, env, () => undefined);
  const count = await removeAllContainers({ runtime, volumes }, config.dataFolder, cleanupGraceMs, env.log);
  env.log.info("removed all containers of this node", { count });
}

/**
 * Lists the volumes that the engine keeps for this cluster, or removes one of them: nothing else ever does. For an agent that runs or not.
 * @throws IkadaError BadRequest, NotFound, Conflict while a container has it
 */
async function keepVolumes(config: AgentConfig, removed: string | undefined): Promise<string> {
  if (config.runtime !== "docker") throw new IkadaError("Unsupported", "the fake engine keeps no volumes");
  const volumes = new DockerVolumes(new Engine(config.dockerSocket), config.clusterId);
  if (removed === undefined) {
    const all = await volumes.list();
    return all.map(({ namespace, name }) => `${namespace}/${name}\n`).join("");
  }
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(removed) ?? [];
  if (namespace === undefined || name === undefined)
    throw new IkadaError("BadRequest", `--remove-volume ${removed}: NAMESPACE/NAME is expected`);
  await volumes.remove({ namespace, name });
  return `volume ${namespace}/${name} removed\n`;
}

/** What the agent remembers can't be trusted any more: nothing is closed, the process ends; its containers run on. */
function die(log: HostEnv["log"], error: unknown): void {
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  log.error("this agent can't go on", { error: message, stack });
  // The last line has to reach its file.
  setImmediate(() => process.exit(1));
}

function stopOnSignals(log: HostEnv["log"], scope: Scope): void {
  const close = async (): Promise<void> => {
    try {
      await scope.close();
    } catch (caught) {
      die(log, caught);
      return;
    }
    log.info("stopped");
    // The engine's event stream and answers that are still to come need not be waited for.
    setImmediate(() => process.exit(0));
  };
  const stop = (signal: string): void => {
    log.info("stopping; containers run on", { signal });
    setTimeout(() => die(log, new Error(`not closed within ${closeMsMax} ms`)), closeMsMax).unref();
    void close();
  };
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGINT", () => stop("SIGINT"));
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      config: { type: "string" },
      "print-config": { type: "boolean" },
      cleanup: { type: "boolean" },
      "list-volumes": { type: "boolean" },
      "remove-volume": { type: "string" },
    },
  });
  if (values.config === undefined) throw new IkadaError("BadRequest", usage);
  const config = readAgentConfig(values.config);
  if (values["print-config"] === true) {
    process.stdout.write(`${JSON.stringify(config, undefined, 2)}\n`);
    return;
  }
  if (values["list-volumes"] === true || values["remove-volume"] !== undefined) {
    process.stdout.write(await keepVolumes(config, values["remove-volume"]));
    return;
  }
  const log = hostLog({ level: config.logLevel, fields: { node: config.name } });
  process.on("uncaughtException", (error) => die(log, error));
  process.on("unhandledRejection", (error) => die(log, error));
  const scope = new Scope();
  scope.use(await lockDataFolder(config.dataFolder));
  log.info("starting", { version, cluster: config.clusterId, data: config.dataFolder, pid: process.pid });
  const failpoints = process.env["IKADA_FAILPOINTS"] ?? "";
  const env = scope.use(hostEnv({ dataFolder: config.dataFolder, log, failpoints }));
  try {
    if (values.cleanup === true) {
      await cleanUp(config, env);
      await scope.close();
      return;
    }
    stopOnSignals(log, scope);
    await start(config, values.config, env, scope);
  } catch (caught) {
    await scope.close();
    throw caught;
  }
}

try {
  await main();
} catch (caught) {
  process.stderr.write(failureText(caught));
  process.exit(1);
}
