import { randomUUID } from "node:crypto";
import type Docker from "dockerode";
import { containerSpec, sandboxSpec } from "../../node-agent/core/container-spec.js";
import { resolveEnvironment } from "../../node-agent/core/environment.js";
import type { ContainerSpec } from "../../node-agent/core/runtime.js";
import { createOptions } from "../../node-agent/docker/container-form.js";
import { machineResolver } from "../../node-agent/docker/machine-files.js";
import { Messages } from "../../node-agent/docker/messages.js";
import { ownerFilter } from "../../node-agent/docker/ownership.js";
import { sandboxImageReference } from "../../node-agent/docker/sandbox-image.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { Starts, type Made, type PodsContestant } from "./contestant.js";

export interface PlainPodsOptions {
  readonly docker: Docker;
  /** As the servers have it, with all defaults. */
  readonly pod: Pod;
  /** For the files that containers write their last words to. */
  readonly folder: string;
  readonly atOnce: number;
}

/**
 * The same sandboxes and containers as the agent makes of a Pod, with the same options, by four calls to the engine each and nothing
 * else: so many Pods at a time, each one call after the other.
 */
export class PlainPods implements PodsContestant {
  readonly #docker: Docker;
  readonly #pod: Pod;
  readonly #atOnce: number;
  readonly #messages: Messages;
  readonly #owner = { clusterId: `plain-${randomUUID()}`, node: "plain" };

  constructor({ docker, pod, folder, atOnce }: PlainPodsOptions) {
    this.#docker = docker;
    this.#pod = pod;
    this.#atOnce = atOnce;
    this.#messages = new Messages(folder);
  }

  get name(): string {
    return `plain calls, ${this.#atOnce} at once`;
  }

  async make(count: number): Promise<Made> {
    const starts = await Starts.watch(this.#docker, [...ownerFilter(this.#owner), "ikada.role=container"]);
    const beganAt = performance.now();
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < count) {
        next += 1;
        await this.#makeOne();
      }
    };
    await Promise.all(Array.from({ length: this.#atOnce }, work));
    const toldAt = performance.now();
    return { runningMs: (await starts.reach(count)) - beganAt, toldMs: toldAt - beganAt };
  }

  async remove(): Promise<void> {
    const filters = { label: ownerFilter(this.#owner) };
    const found = await this.#docker.listContainers({ all: true, filters });
    const left = found.map(({ Id }) => Id);
    await this.#messages.keepOnly([]);
    const work = async (): Promise<void> => {
      for (let id = left.pop(); id !== undefined; id = left.pop())
        await this.#docker.getContainer(id).remove({ force: true, v: true });
    };
    await Promise.all(Array.from({ length: this.#atOnce }, work));
  }

  async #makeOne(): Promise<void> {
    const [container] = this.#pod.spec.containers;
    const uid = randomUUID();
    const pod = { ...this.#pod, metadata: { ...this.#pod.metadata, name: `plain-${uid.slice(0, 8)}`, uid } };
    const environment = resolveEnvironment(container!, {
      pod,
      podIP: "",
      hostIP: "",
      nodeName: this.#owner.node,
      allocatable: {},
      configMap: () => undefined,
      secret: () => undefined,
    });
    if (typeof environment === "string") throw new Error(environment);
    const sandbox = await this.#run(sandboxSpec(pod, 0, sandboxImageReference), undefined);
    const spec = containerSpec(pod, container!, 0, sandbox, environment, { reference: container!.image, user: "" }, []);
    await this.#run(spec, (await this.#messages.create(spec)).file);
  }

  async #run(spec: ContainerSpec, messageFile: string | undefined): Promise<string> {
    const parts = { seccompProfile: undefined, messageFile, mounts: [], resolver: await machineResolver() };
    const { id } = await this.#docker.createContainer(createOptions(this.#owner, randomUUID(), spec, parts));
    await this.#docker.getContainer(id).start();
    return id;
  }
}
