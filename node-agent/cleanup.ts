import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "../src/base/env.js";
import { bookFileName, recordFileName } from "./core/agent.js";
import { leaseFileName } from "./core/fencing-leases.js";
import type { ContainerInfo, ContainerRuntime } from "./core/runtime.js";
import type { VolumeHost } from "./core/volume-host.js";

/**
 * Takes a node out of service for good: ends and removes all containers of this agent and its volumes, then forgets its assignments. For an agent that
 * does not run. Gives the number of containers. @throws IkadaError when the engine does not answer
 */
export async function removeAllContainers(
  { runtime, volumes }: { readonly runtime: ContainerRuntime; readonly volumes: VolumeHost },
  dataFolder: string,
  graceMs: number,
  log: Log,
): Promise<number> {
  const all = await new Promise<readonly ContainerInfo[]>((resolve, reject) => {
    runtime.list((error, containers) => (error ? reject(error) : resolve(containers)));
  });
  const end = async ({ id, podNamespace, podName, containerName, phase, role }: ContainerInfo): Promise<void> => {
    log.info("removing container", { pod: `${podNamespace}/${podName}`, container: containerName || role });
    if (phase === "running" && role === "container") await call((done) => runtime.stop(id, graceMs, done));
    await call((done) => runtime.remove(id, done));
  };
  await Promise.all(all.filter(({ role }) => role === "container").map(end));
  await Promise.all(all.filter(({ role }) => role === "sandbox").map(end));
  const pods = await new Promise<readonly string[]>((resolve, reject) => {
    volumes.list((error, uids) => (error ? reject(error) : resolve(uids)));
  });
  for (const uid of pods) await call((done) => volumes.remove(uid, done));
  for (const name of [bookFileName, recordFileName, leaseFileName]) await rm(join(dataFolder, name), { force: true });
  return all.length;
}

function call(run: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => run((error) => (error ? reject(error) : resolve())));
}
