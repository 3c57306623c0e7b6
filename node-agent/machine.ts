import { join } from "node:path";
import type { Env } from "../src/base/env.js";
import type { AgentConfig } from "./agent-config.js";
import { FakeEngine } from "./core/fake-engine.js";
import { FakeProbeNetwork } from "./core/fake-network.js";
import { obligingImage } from "./core/fake-program.js";
import { FakeRuntime } from "./core/fake-runtime.js";
import type { ProbeNetwork } from "./core/prober.js";
import type { ContainerRuntime } from "./core/runtime.js";
import type { VolumeHost } from "./core/volume-host.js";
import type { MachineReader } from "./core/pressure/signals.js";
import { DockerRuntime } from "./docker/docker-runtime.js";
import { Engine } from "./docker/engine.js";
import { DockerVolumes } from "./docker/named-volumes.js";
import { HostSupplies } from "./machine-supplies.js";
import { hostProbeNetwork } from "./probe-network.js";
import { DiskMeter } from "./volumes/disk-meter.js";
import { HostVolumes } from "./volumes/host-volumes.js";

/** In the data folder: the volumes of each Pod. */
const podsFolderName = "pods";

/** Where Pods run, and how they are reached. */
export interface Machine {
  readonly runtime: ContainerRuntime;
  readonly network: ProbeNetwork;
  readonly volumes: VolumeHost;
  /** What is left of it. */
  readonly supplies: MachineReader;
  /** How many calls the engine was asked, by kind. */
  readonly engineCalls: () => ReadonlyMap<string, number>;
}

export function openMachine(
  config: Pick<
    AgentConfig,
    "runtime" | "dockerSocket" | "clusterId" | "name" | "dataFolder" | "seccompFolder" | "hostPaths"
  >,
  env: Env,
  nodeUid: () => string | undefined,
): Machine {
  const owner = { clusterId: config.clusterId, node: config.name };
  if (config.runtime === "docker") {
    const { log } = env;
    const { dataFolder: ownFolder, hostPaths } = config;
    const meter = new DiskMeter();
    const named = new DockerVolumes(new Engine(config.dockerSocket), config.clusterId);
    const volumes = new HostVolumes({ folder: join(ownFolder, podsFolderName), hostPaths, ownFolder, named, meter });
    const runtime = new DockerRuntime({
      socketPath: config.dockerSocket,
      owner,
      nodeUid,
      messageFolder: join(config.dataFolder, "messages"),
      seccompFolder: config.seccompFolder,
      volumes,
      meter,
      log,
    });
    const supplies = new HostSupplies({ dataFolder: config.dataFolder, runtime });
    return { runtime, network: hostProbeNetwork, volumes, supplies, engineCalls: () => runtime.engineCalls };
  }
  const { clock, timers } = env;
  const engine = new FakeEngine({ clock, timers, images: {}, registry: () => obligingImage });
  const network = new FakeProbeNetwork(engine);
  const { volumes } = engine;
  const supplies: MachineReader = { read: (done) => void timers.after(0, () => done(null, engine.machine)) };
  return { runtime: new FakeRuntime(engine, owner), network, volumes, supplies, engineCalls: () => new Map() };
}
