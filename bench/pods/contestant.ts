import type Docker from "dockerode";
import { followEngineEvents } from "../../test/e2e/engine-events.js";

/** What can be told to keep Pods, or something like them, running on one engine. */
export interface PodsContestant {
  readonly name: string;
  /** Makes so many at once. */
  make(count: number): Promise<Made>;
  /** Takes them away; nothing of them is left on the engine then. */
  remove(): Promise<void>;
}

/** Milliseconds since they were asked for. */
export interface Made {
  /** Until the engine had started the last container. */
  readonly runningMs: number;
  /** Until who asked was told that all run. */
  readonly toldMs: number;
}

/** A bound for broken code. */
const startsMsMax = 600_000;

/** Counts the containers with these labels that the engine starts. */
export class Starts {
  readonly #started = new Set<string>();
  #count = Infinity;
  #reached: (() => void) | undefined;
  #reachedAt: number | undefined;
  #close: () => void = () => undefined;

  private constructor() {}

  static async watch(docker: Docker, label: readonly string[]): Promise<Starts> {
    const starts = new Starts();
    const stream = await followEngineEvents(docker, { filters: { label, event: ["start"] } }, ({ id }) => {
      starts.#started.add(id);
      starts.#look();
    });
    starts.#close = () => stream.close();
    return starts;
  }

  /** When so many had started, by `performance.now()`. Ends the watch. @throws Error when they do not */
  async reach(count: number): Promise<number> {
    this.#count = count;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const late = (): void => reject(new Error(`${this.#started.size} of ${count} containers have started`));
        timer = setTimeout(late, startsMsMax);
        this.#reached = resolve;
        this.#look();
      });
    } finally {
      clearTimeout(timer);
      this.#close();
    }
    return this.#reachedAt!;
  }

  #look(): void {
    if (this.#started.size < this.#count) return;
    this.#reachedAt ??= performance.now();
    this.#reached?.();
  }
}
