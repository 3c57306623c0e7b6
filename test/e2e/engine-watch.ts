import type Docker from "dockerode";
import type { Readable } from "node:stream";

interface EngineEvent {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

/** What the engine itself saw of the containers of one cluster's Pods, sandboxes left out. */
export class EngineWatch {
  /** Most containers that ran at one instant since the last `reset`. */
  runningMost = 0;
  /** Fewest. */
  runningLeast = Infinity;
  readonly #running = new Set<string>();
  #stream: Readable | undefined;

  private constructor() {}

  static async start(docker: Docker, clusterId: string): Promise<EngineWatch> {
    const watch = new EngineWatch();
    const label = [`ikada.cluster=${clusterId}`, "ikada.role=container"];
    const stream = (await docker.getEvents({
      filters: { type: ["container"], label, event: ["start", "die"] },
    })) as Readable;
    for (const { Id } of await docker.listContainers({ filters: { label } })) watch.#running.add(Id);
    watch.#stream = stream;
    let rest = "";
    stream.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") watch.#take(JSON.parse(line) as EngineEvent);
    });
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
    this.#stream?.destroy();
  }

  #take({ Action, Actor }: EngineEvent): void {
    if (Action === "start") this.#running.add(Actor.ID);
    else this.#running.delete(Actor.ID);
    this.runningMost = Math.max(this.runningMost, this.#running.size);
    this.runningLeast = Math.min(this.runningLeast, this.#running.size);
  }
}
