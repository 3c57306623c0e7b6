import { join } from "node:path";
import type { Env } from "../src/base/env.js";
import type { AgentConfig } from "./agent-config.js";
import { FakeEngine } from "./core/fake-engine.js";
import { FakeProbeNetwork } from "./core/fake-network.js";
import { obligingImage } from "./core/fake-program.js";
import { FakeRuntime } from "./core/fake-runtime.js";
import type { ProbeNetwork } from "./core/prober.js";
import type { ContainerRuntime } from "./core/runtime.js";
import { DockerRuntime } from "./docker/docker-runtime.js";
import { hostProbeNetwork } from "./probe-network.js";

/** Where Pods run, and how they are reached. */
export function openMachine(
  config: Pick<AgentConfig, "runtime" | "dockerSocket" | "clusterId" | "name" | "dataFolder" | "seccompFolder">,
  env: Env,
  nodeUid: () => string | undefined,
): { readonly runtime: ContainerRuntime; readonly network: ProbeNetwork } {
  const owner = { clusterId: config.clusterId, node: config.name };
  if (config.runtime === "docker") {
    const { log } = env;
    const runtime = new DockerRuntime({
      socketPath: config.dockerSocket,
      owner,
      nodeUid,
      messageFolder: join(config.dataFolder, "messages"),
      seccompFolder: config.seccompFolder,
      log,
    });
    return { runtime, network: hostProbeNetwork };
  }
  const { clock, timers } = env;
  const engine = new FakeEngine({ clock, timers, images: {}, registry: () => obligingImage });
  return { runtime: new FakeRuntime(engine, owner), network: new FakeProbeNetwork(engine) };
}
