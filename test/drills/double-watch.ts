import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";

const lookEveryMs = 200;

/** Looks all the time whether two containers of one Pod run at one instant. */
export class DoubleWatch {
  readonly #docker: Docker;
  readonly #clusterId: string;
  readonly #seen = new Set<string>();
  readonly #closing = new AbortController();
  readonly #ended: Promise<void>;

  constructor(docker: Docker, clusterId: string) {
    this.#docker = docker;
    this.#clusterId = clusterId;
    this.#ended = this.#run();
  }

  /** In words, since the start. */
  seen(): readonly string[] {
    return [...this.#seen];
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#look();
      await sleep(lookEveryMs);
    }
  }

  async #look(): Promise<void> {
    let running: Docker.ContainerInfo[];
    try {
      running = await this.#docker.listContainers({
        filters: { label: [`ikada.cluster=${this.#clusterId}`, "ikada.role"] },
        abortSignal: this.#closing.signal,
      });
    } catch {
      return; // The engine is away or closing: a drill's doing, and what it does when it is back is looked at.
    }
    const known = new Map<string, string>();
    for (const { Id, Labels } of running) {
      const whose = `${Labels["ikada.role"]} ${Labels["ikada.container"]} of pod ${Labels["ikada.pod-name"]}`;
      const other = known.get(whose);
      if (other !== undefined) this.#seen.add(`${whose}: ${other.slice(0, 12)} and ${Id.slice(0, 12)}`);
      known.set(whose, Id);
    }
  }
}
