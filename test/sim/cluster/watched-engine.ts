import { FakeEngine, type FakeContainer, type FakeEngineOptions } from "../../../node-agent/core/fake-engine.js";

/** Sees what happens on a machine's engine, as it happens. */
export interface EngineObserver {
  onStarted(container: FakeContainer): void;
  onEnded(container: FakeContainer): void;
  /** The agent has asked for the end of a container that runs. */
  onAsked(container: FakeContainer, what: string): void;
}

/** The fake engine, observed. */
export class WatchedEngine extends FakeEngine {
  readonly #observer: EngineObserver;

  constructor(options: FakeEngineOptions, observer: EngineObserver) {
    super(options);
    this.#observer = observer;
  }

  override start(id: string): void {
    const wasRunning = this.require(id).info.phase === "running";
    super.start(id);
    if (!wasRunning) this.#observer.onStarted(this.require(id));
  }

  override signal(id: string, signal: string): void {
    const container = this.require(id);
    if (container.info.phase === "running") this.#observer.onAsked(container, signal);
    super.signal(id, signal);
  }

  override remove(id: string): void {
    const container = this.containers.get(id);
    if (container?.info.phase === "running") this.#observer.onAsked(container, "removal");
    super.remove(id);
  }

  override exit(container: FakeContainer, exitCode: number, oomKilled: boolean): void {
    const wasRunning = container.info.phase === "running";
    super.exit(container, exitCode, oomKilled);
    if (wasRunning) this.#observer.onEnded(container);
  }
}
