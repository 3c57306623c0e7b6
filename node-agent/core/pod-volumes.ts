import type { ConfigMap, Secret } from "../../src/api/kinds/core.js";
import type { Container, Pod } from "../../src/api/kinds/pod.js";
import { expand, type Environment } from "./environment.js";
import type { MountedVolume } from "./runtime.js";
import { namedVolumeOf, planVolume, setUpFailed, type VolumePlan, type VolumeSources } from "./volume-plan.js";

/** What a decision knows of a Pod's volumes. */
export interface VolumesView {
  /** By name: what each is to be, or why that can't be known. */
  readonly wanted: ReadonlyMap<string, VolumePlan | string>;
  /** By name: the plan that the machine has carried out last, since the agent runs. */
  readonly applied: ReadonlyMap<string, VolumePlan>;
  /** The machine has, or may have, something of them. */
  readonly present: boolean;
}

/**
 * The volumes of one Pod as this agent knows them. Plans are made anew only when the Pod or an object that they came from was replaced,
 * so that an unchanged plan is the same object.
 */
export class PodVolumes implements VolumesView {
  readonly applied = new Map<string, VolumePlan>();
  present: boolean;
  wanted: ReadonlyMap<string, VolumePlan | string> = new Map();
  #pod: Pod | undefined;
  #seen: { readonly look: () => ConfigMap | Secret | undefined; readonly found: ConfigMap | Secret | undefined }[] = [];

  constructor(present: boolean) {
    this.present = present;
  }

  /** Takes what is wanted from the sources as they are now. */
  look(sources: VolumeSources): this {
    const { pod } = sources;
    if (pod === this.#pod && this.#seen.every(({ look, found }) => look() === found)) return this;
    this.#pod = pod;
    this.#seen = [];
    const noting = <T extends ConfigMap | Secret>(look: () => T | undefined): T | undefined => {
      const found = look();
      this.#seen.push({ look, found });
      return found;
    };
    const noted: VolumeSources = {
      ...sources,
      configMap: (namespace, name) => noting(() => sources.configMap(namespace, name)),
      secret: (namespace, name) => noting(() => sources.secret(namespace, name)),
    };
    this.wanted = new Map((pod.spec.volumes ?? []).map((volume) => [volume.name, planVolume(volume, noted)]));
    return this;
  }

  /** Nothing is left of them on the machine. */
  removed(): void {
    this.present = false;
    this.applied.clear();
  }
}

/**
 * Why no container of the Pod can be made yet; undefined: all volumes are there. One that was there once is good enough: what it came from
 * may be gone since.
 */
export function volumesRefusal(
  { wanted, applied }: VolumesView,
  failure: (volume: string) => string | undefined,
): string | undefined {
  for (const [name, plan] of wanted) {
    if (applied.has(name)) continue;
    if (typeof plan === "string") return plan;
    const message = failure(name);
    return message === undefined ? `volume "${name}" is being made` : setUpFailed(name, message);
  }
  return undefined;
}

/** Where a container finds the Pod's volumes; a string is why it can't have them (kubelet's words). */
export function mountsOf(pod: Pod, container: Container, environment: Environment): readonly MountedVolume[] | string {
  const variables = new Map(environment.variables);
  const mounts: MountedVolume[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = (pod.spec.volumes ?? []).find(({ name }) => name === mount.name);
    if (volume === undefined) return `no volume "${mount.name}" in the pod`;
    let subPath = mount.subPath || undefined;
    if (mount.subPathExpr) {
      subPath = expand(mount.subPathExpr, variables);
      const missing = /\$\(([^()]*)\)/.exec(mount.subPathExpr.replaceAll("$$", ""))?.[1];
      if (missing !== undefined && !variables.has(missing)) return `missing value for "${missing}" in subPathExpr`;
    }
    if (subPath !== undefined && !isBelow(subPath))
      return `subPath "${subPath}" of volume "${mount.name}" must be a path below the volume, without ".."`;
    const { hostPath } = volume;
    mounts.push({
      volume: mount.name,
      hostPath: hostPath?.path,
      named: namedVolumeOf(pod, volume),
      target: mount.mountPath,
      subPath,
      // What the agent writes no container may (Kubernetes since 1.9.6).
      readOnly:
        mount.readOnly === true ||
        volume.csi?.readOnly === true ||
        writtenByAgent.some((kind) => volume[kind] !== undefined),
    });
  }
  return mounts;
}

const writtenByAgent = ["configMap", "secret", "downwardAPI", "projected"] as const;

export function isBelow(path: string): boolean {
  return path !== "" && !path.startsWith("/") && !path.includes("\0") && !path.split("/").includes("..");
}
