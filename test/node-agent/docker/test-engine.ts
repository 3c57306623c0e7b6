import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { randomUUID } from "node:crypto";
import Dockerode from "dockerode";
import { pack } from "tar-stream";
import { silentLog } from "../../../src/host/log.js";
import { DockerRuntime } from "../../../node-agent/docker/docker-runtime.js";
import { Engine } from "../../../node-agent/docker/engine.js";
import { DockerVolumes } from "../../../node-agent/docker/named-volumes.js";
import { DiskMeter } from "../../../node-agent/volumes/disk-meter.js";
import { HostVolumes } from "../../../node-agent/volumes/host-volumes.js";
import { labelNames } from "../../../node-agent/docker/ownership.js";
import { testImage } from "../agent-world.js";
import type { ByHand } from "../contract/alterations.js";

export const socketPath = "/var/run/docker.sock";
export { testImage };

/** A shell image made from this machine's static busybox (Debian package busybox-static), so that no registry is needed. */
export async function ensureTestImage(): Promise<void> {
  const docker = new Dockerode({ socketPath });
  const present = await docker
    .getImage(testImage)
    .inspect()
    .catch(() => undefined);
  if (present !== undefined) return;
  const archive = pack();
  archive.entry({ name: "bin/busybox", mode: 0o755 }, readFileSync("/bin/busybox"));
  for (const name of [
    "sh",
    "sleep",
    "echo",
    "true",
    "false",
    "env",
    "cat",
    "hostname",
    "httpd",
    "nc",
    "wget",
    "mkdir",
    "id",
    "grep",
  ]) {
    archive.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox" });
  }
  archive.finalize();
  const [repo, tag] = testImage.split(":");
  const changes = ["ENV PATH=/bin"];
  const answer = (await docker.importImage(Readable.from(archive), { repo, tag, changes })) as NodeJS.ReadableStream;
  for await (const chunk of answer) {
    if (String(chunk).includes('"error"')) throw new Error(`import of ${testImage}: ${String(chunk)}`);
  }
}

/** As the engine's own command line does it. */
export async function byHand(docker: Dockerode, id: string, how: ByHand): Promise<void> {
  const container = docker.getContainer(id);
  const memory = 64 * 1024 * 1024;
  if (how === "pause") await container.pause();
  else if (how === "update") await container.update({ Memory: memory, MemorySwap: memory });
  else if (how === "limit") await container.update({ CpusetCpus: "0" });
  else if (how === "rename") await container.rename({ name: `by-hand-${id.slice(0, 8)}` });
  else await docker.getNetwork("bridge").disconnect({ Container: id });
}

/** A cluster id of its own, and what removes all its containers. */
export function testCluster(): {
  clusterId: string;
  folder: string;
  readonly volumes: HostVolumes;
  readonly named: DockerVolumes;
  runtime(node: string): DockerRuntime;
  close(): Promise<void>;
} {
  const folder = mkdtempSync(join(tmpdir(), "ikada-docker-"));
  const clusterId = `t${randomUUID().replaceAll("-", "").slice(0, 15)}`;
  const meter = new DiskMeter();
  const named = new DockerVolumes(new Engine(socketPath), clusterId);
  const volumes = new HostVolumes({ folder: join(folder, "pods"), hostPaths: [], named, meter });
  return {
    clusterId,
    volumes,
    named,
    folder,
    runtime: (node) =>
      new DockerRuntime({
        socketPath,
        owner: { clusterId, node },
        nodeUid: () => undefined,
        messageFolder: join(folder, "messages"),
        seccompFolder: folder,
        volumes,
        meter,
        log: silentLog,
      }),
    async close() {
      const docker = new Dockerode({ socketPath });
      const filters = { label: [`${labelNames.cluster}=${clusterId}`] };
      const containers = await docker.listContainers({ all: true, filters });
      for (const { Id } of containers) await docker.getContainer(Id).remove({ force: true, v: true });
      const pods = existsSync(join(folder, "pods")) ? readdirSync(join(folder, "pods")) : [];
      for (const uid of pods) await removed(volumes, uid);
      for (const volume of await named.list()) await named.remove(volume);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function removed(volumes: HostVolumes, uid: string): Promise<void> {
  return new Promise((resolve, reject) => volumes.remove(uid, (error) => (error ? reject(error) : resolve())));
}
