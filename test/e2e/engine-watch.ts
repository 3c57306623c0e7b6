import type Docker from "dockerode";
import { followEngineEvents, type EngineEvent, type EngineEventStream } from "./engine-events.js";

/** What the engine itself saw of the containers of one cluster's Pods, sandboxes left out. */
export class EngineWatch {
  /** Most containers that ran at one instant since the last `reset`. */
  runningMost = 0;
  /** Fewest. */
  runningLeast = Infinity;
  readonly #running = new Set<string>();
  #stream: EngineEventStream | undefined;

  private constructor() {}

  static async start(docker: Docker, clusterId: string): Promise<EngineWatch> {
    const watch = new EngineWatch();
    const label = [`ikada.cluster=${clusterId}`, "ikada.role=container"];
    const filters = { label, event: ["start", "die"] };
    watch.#stream = await followEngineEvents(docker, { filters }, (event) => watch.#take(event));
    for (const { Id } of await docker.listContainers({ filters: { label } })) watch.#running.add(Id);
    watch.reset();
    return watch;
  }

  get running(): number {
    return this.#running.size;
  }

  reset(): void {
    this.runningMost = this.#running.size;
    this.runningLeast = this.#running.size;
  }

  close(): void {
    this.#stream?.close();
  }

  #take({ action, id }: EngineEvent): void {
    if (action === "start") this.#running.add(id);
    else this.#running.delete(id);
    this.runningMost = Math.max(this.runningMost, this.#running.size);
    this.runningLeast = Math.min(this.runningLeast, this.#running.size);
  }
}
