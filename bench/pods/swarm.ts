import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../deploy/local/free-ports.js";
import type { OwnEngine } from "../../test/e2e/own-engine.js";
import { Starts, type Made, type PodsContestant } from "./contestant.js";

const name = "bench";
const label = [`com.docker.swarm.service.name=${name}`];
const removeMsMax = 300_000;

/** Docker Swarm of one node, which is manager and worker; all are replicas of one service. */
export class SwarmPods implements PodsContestant {
  readonly name = "Docker Swarm";
  readonly #engine: OwnEngine;
  readonly #imageId: string;
  readonly #command: readonly string[];

  private constructor(engine: OwnEngine, imageId: string, command: readonly string[]) {
    this.#engine = engine;
    this.#imageId = imageId;
    this.#command = command;
  }

  /** An engine in a swarm can't leave its containers running without it, so it must be one without live-restore. */
  static async start(engine: OwnEngine, image: string, command: readonly string[]): Promise<SwarmPods> {
    const port = await freePorts(1);
    const address = `127.0.0.1:${port}`;
    await engine.docker.swarmInit({ ListenAddr: address, AdvertiseAddr: address } as never);
    // By its id no registry is asked.
    const { Id } = await engine.docker.getImage(image).inspect();
    return new SwarmPods(engine, Id, command);
  }

  async make(count: number): Promise<Made> {
    const { docker } = this.#engine;
    const starts = await Starts.watch(docker, label);
    const beganAt = performance.now();
    await docker.createService({
      Name: name,
      Mode: { Replicated: { Replicas: count } },
      TaskTemplate: { ContainerSpec: { Image: this.#imageId, Command: [...this.#command], StopGracePeriod: 0 } },
    });
    const runningAt = await starts.reach(count);
    for (;;) {
      const tasks = (await docker.listTasks({ filters: { service: [name] } })) as { Status: { State: string } }[];
      if (tasks.filter(({ Status }) => Status.State === "running").length === count) break;
      await sleep(20);
    }
    return { runningMs: runningAt - beganAt, toldMs: performance.now() - beganAt };
  }

  async remove(): Promise<void> {
    const { docker } = this.#engine;
    await docker.getService(name).remove();
    const deadline = performance.now() + removeMsMax;
    while ((await docker.listContainers({ all: true, filters: { label } })).length > 0) {
      if (performance.now() > deadline) throw new Error("the containers of the service were not gone in time");
      await sleep(200);
    }
  }

  async close(): Promise<void> {
    await this.#engine.docker.swarmLeave({ force: true });
  }
}
