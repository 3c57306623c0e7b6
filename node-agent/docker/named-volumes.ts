import { createHash } from "node:crypto";
import type Dockerode from "dockerode";
import { IkadaError } from "../../src/base/errors.js";
import type { NamedVolume } from "../core/volume-plan.js";
import type { EngineVolume, NamedVolumes } from "../volumes/host-volumes.js";
import { engineDeadlines, type Engine } from "./engine.js";
import { labelNames } from "./ownership.js";

/** Label names of a volume, beside that of the cluster. */
const volumeLabels = { namespace: "ikada.volume-namespace", name: "ikada.volume-name" } as const;

/**
 * Volumes that a Docker engine keeps for the Pods of one cluster. Which one is meant follows from cluster, namespace and name alone, so that no Pod
 * can name one of another namespace, another cluster or somebody else's; all agents on one engine share them.
 */
export class DockerVolumes implements NamedVolumes {
  readonly #engine: Engine;
  readonly #clusterId: string;

  constructor(engine: Engine, clusterId: string) {
    this.#engine = engine;
    this.#clusterId = clusterId;
  }

  async ensure(volume: NamedVolume): Promise<EngineVolume> {
    const id = this.#idOf(volume);
    const present = await this.#find(id);
    if (present !== undefined) return { id, folder: this.#own(present, volume).Mountpoint, isNew: false };
    const options = { Name: id, Driver: "local", Labels: this.#labelsOf(volume) };
    // The answer is what is there also when somebody else was faster.
    await this.#engine.call(`create volume ${id}`, engineDeadlines.createMs, (abortSignal) =>
      this.#engine.docker.createVolume({ ...options, abortSignal }),
    );
    const made = await this.#find(id);
    if (made === undefined) throw new IkadaError("Internal", `docker: volume ${id} is not there after it was made`);
    return { id, folder: this.#own(made, volume).Mountpoint, isNew: true };
  }

  /** All of this cluster. */
  async list(): Promise<readonly NamedVolume[]> {
    const filters = { label: [`${labelNames.cluster}=${this.#clusterId}`] };
    const { Volumes } = await this.#engine.call("list volumes", engineDeadlines.readMs, (abortSignal) =>
      this.#engine.docker.listVolumes({ filters, abortSignal }),
    );
    return Volumes.flatMap(({ Labels: labels }) => {
      const { [volumeLabels.namespace]: namespace, [volumeLabels.name]: name } = labels ?? {};
      return namespace === undefined || name === undefined ? [] : [{ namespace, name }];
    });
  }

  /** With all that is in it. @throws IkadaError NotFound, Conflict while a container has it */
  async remove(volume: NamedVolume): Promise<void> {
    const id = this.#idOf(volume);
    const present = await this.#find(id);
    const what = `volume ${volume.namespace}/${volume.name}`;
    if (present === undefined) throw new IkadaError("NotFound", `${what} is not on this node's engine`);
    this.#own(present, volume);
    await this.#engine.call(`remove ${what}`, engineDeadlines.removeMs, (abortSignal) =>
      this.#engine.docker.getVolume(id).remove({ abortSignal }),
    );
  }

  async #find(id: string): Promise<Dockerode.VolumeInspectInfo | undefined> {
    try {
      return await this.#engine.call(`inspect volume ${id}`, engineDeadlines.readMs, (abortSignal) =>
        this.#engine.docker.getVolume(id).inspect({ abortSignal }),
      );
    } catch (caught) {
      if (caught instanceof IkadaError && caught.reason === "NotFound") return undefined;
      throw caught;
    }
  }

  /** @throws IkadaError Conflict for one that only has the name */
  #own(found: Dockerode.VolumeInspectInfo, volume: NamedVolume): Dockerode.VolumeInspectInfo {
    const labels: Readonly<Record<string, string>> = found.Labels ?? {};
    const isOwn = Object.entries(this.#labelsOf(volume)).every(([name, value]) => labels[name] === value);
    if (isOwn && found.Driver === "local" && Object.keys(found.Options ?? {}).length === 0) return found;
    const hint = "remove it, or choose another name: only volumes that Ikada made are given to Pods";
    throw new IkadaError("Conflict", `the engine has a volume ${found.Name} that is not of Ikada's making`, { hint });
  }

  /** Neither a namespace nor a volume has "_" in its name, so that no two of them give one name together. */
  #idOf({ namespace, name }: NamedVolume): string {
    const cluster = createHash("sha256").update(this.#clusterId).digest("hex").slice(0, 16);
    const id = `ikada_${cluster}_${namespace}_${name}`;
    if (/^[a-z0-9_-]+$/.test(id) && !/_.*_.*_.*_/.test(id)) return id;
    throw new IkadaError("Invalid", `"${namespace}/${name}" can't be the name of a volume`);
  }

  #labelsOf({ namespace, name }: NamedVolume): Readonly<Record<string, string>> {
    return { [labelNames.cluster]: this.#clusterId, [volumeLabels.namespace]: namespace, [volumeLabels.name]: name };
  }
}
