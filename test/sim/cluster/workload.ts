import type { Container, Pod, PodSpec } from "../../../src/api/kinds/pod.js";
import type { AnyObject } from "../../../src/api/object.js";
import type { GroupKind, Snapshot } from "../../../src/objects/snapshot.js";
import type { SeededRandom } from "../random.js";
import type { Census } from "./census.js";
import type { ClusterSwarm } from "./cluster-swarm.js";
import type { Machine } from "./machine.js";

/** What a judge of the end sees. */
export interface ClusterView {
  readonly snapshot: Snapshot;
  readonly census: Census;
  readonly machines: readonly Machine[];
}

/**
 * One kind of workload that users make, change and delete. To add one: a file in workloads/ that gives one of these, and its line in
 * workloads/all.ts.
 */
export interface WorkloadKind {
  /** Lower case, also the beginning of its objects' names. */
  readonly name: string;
  readonly groupKind: GroupKind;
  /** How often it is drawn, beside the others. */
  readonly weight: number;
  /** It is there in the end, whatever happened before. */
  readonly lasts?: boolean;
  /** The object as a user would write it, without defaults. */
  create(wishes: Wishes, name: string): AnyObject;
  /** Another wish: what a user would make of it. Undefined: it can't be changed, only deleted. */
  change(wishes: Wishes, live: AnyObject): AnyObject | undefined;
  /** The last wish, which can be fulfilled on what is left of the cluster. Undefined: it is deleted. */
  settle(wishes: Wishes, live: AnyObject): AnyObject | undefined;
  /** What of the object's wish is not there yet, in words; undefined: all is. */
  missing(object: AnyObject, view: ClusterView): string | undefined;
}

/** Draws what users want. */
export class Wishes {
  readonly random: SeededRandom;
  readonly #swarm: ClusterSwarm;

  constructor(random: SeededRandom, swarm: ClusterSwarm) {
    this.random = random;
    this.#swarm = swarm;
  }

  /** Now and then one that no registry has. */
  image(): string {
    if (this.random.chance(this.#swarm.cluster.badImageRate)) return "bad:v1";
    return this.goodImage();
  }

  goodImage(): string {
    return `app:v${this.random.between(1, 4)}`;
  }

  replicas(): number {
    return this.random.pick([0, 1, 1, 2, 3, 3, 5]);
  }

  /** What Pods of a template look like. */
  podSpec(): PodSpec {
    const { random } = this;
    const ignoresTerm = random.chance(0.2);
    const probed = random.chance(0.4);
    const container: Container = {
      name: "main",
      image: this.image(),
      resources: { requests: { cpu: random.pick(["10m", "50m", "150m"]) } },
      env: [
        ...(ignoresTerm ? [{ name: "FAKE_IGNORE_TERM", value: "true" }] : []),
        ...(random.chance(0.25)
          ? [{ name: "TOKEN", valueFrom: { secretKeyRef: { name: secretName, key: "token" } } }]
          : []),
      ],
      ...(probed && {
        readinessProbe: { httpGet: { port: 80 }, periodSeconds: random.pick([1, 3]), failureThreshold: 1 },
      }),
    };
    return { containers: [container], terminationGracePeriodSeconds: random.pick([1, 2, 5]) };
  }

  /** The same Pods from another image, maybe with other needs. */
  otherPodSpec(spec: PodSpec): PodSpec {
    const [first, ...others] = spec.containers;
    return { ...spec, containers: [{ ...(first as Container), image: this.image() }, ...others] };
  }

  /** The same Pods from an image that is there. */
  goodPodSpec(spec: PodSpec): PodSpec {
    const containers = spec.containers.map((one) =>
      one.image.startsWith("app:") ? one : { ...one, image: this.goodImage() },
    );
    return { ...spec, containers };
  }
}

/** The one Secret that some Pods need. */
export const secretName = "shared";

/** Why a Pod is not as it should be: it runs on its node's engine, and says that it is ready. */
export function podMissing(pod: Pod, { census }: ClusterView): string | undefined {
  const { name, uid = "", deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) return `${name} is still terminating`;
  if (!pod.spec.nodeName) return `${name} has no node`;
  const ready = pod.status?.conditions?.find(({ type }) => type === "Ready");
  if (ready?.status !== "True") return `${name} on ${pod.spec.nodeName} is not ready: ${JSON.stringify(pod.status)}`;
  const running = census.ofPod(uid);
  if (running.length !== pod.spec.containers.length)
    return `${name} has ${running.length} containers running, and says that it is ready`;
  const elsewhere = running.find(({ machine }) => machine.name !== pod.spec.nodeName);
  return elsewhere && `${name} runs on ${elsewhere.machine.name}, and its node is ${pod.spec.nodeName}`;
}
