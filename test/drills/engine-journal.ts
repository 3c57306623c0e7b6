import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { followEngineEvents, type EngineEvent, type EngineEventStream } from "../e2e/engine-events.js";
import { ContainerLedger } from "./container-ledger.js";

const againMs = 50;

/**
 * Follows an engine's events into a ledger, also over the engine's own ends: what happened before the next connection is told again by
 * the engine, and of what ended while there was no engine the containers themselves tell.
 */
export class EngineJournal {
  readonly ledger: ContainerLedger;
  readonly #docker: Docker;
  #lastNano = 0n;
  #stream: EngineEventStream | undefined;
  #isOpen = false;
  #closed = false;
  #ended: Promise<void> = Promise.resolve();

  private constructor(docker: Docker, clusterId: string) {
    this.#docker = docker;
    this.ledger = new ContainerLedger(clusterId);
  }

  /** Before any container of the cluster has started. */
  static async start(docker: Docker, clusterId: string): Promise<EngineJournal> {
    const journal = new EngineJournal(docker, clusterId);
    await journal.#connect();
    journal.#ended = journal.#follow();
    return journal;
  }

  /** Whether all that has happened is booked, or about to be. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stream?.close();
    await this.#ended;
  }

  async #follow(): Promise<void> {
    for (;;) {
      await this.#stream?.ended;
      this.#isOpen = false;
      while (!this.#closed) {
        try {
          await this.#connect();
          break;
        } catch {
          await sleep(againMs); // The engine is away: a drill's doing.
        }
      }
      if (this.#closed) return;
    }
  }

  async #connect(): Promise<void> {
    const held: EngineEvent[] = [];
    let isReady = false;
    const take = (event: EngineEvent): void => {
      if (isReady) this.#take(event);
      else held.push(event);
    };
    const since = this.#lastNano === 0n ? {} : { sinceNano: this.#lastNano + 1n };
    const stream = await followEngineEvents(this.#docker, since, take);
    this.#stream = stream;
    try {
      for (const id of this.ledger.running) await this.#lookAt(id);
    } catch (caught) {
      stream.close();
      throw caught;
    }
    isReady = true;
    for (const event of held) this.#take(event);
    this.#isOpen = true;
  }

  #take(event: EngineEvent): void {
    if (event.atNano > this.#lastNano) this.#lastNano = event.atNano;
    this.ledger.take(event);
  }

  /** A container that ran when the last connection ended. */
  async #lookAt(id: string): Promise<void> {
    try {
      const { State } = await this.#docker.getContainer(id).inspect();
      if (!State.Running) this.ledger.ended(id, nanoOf(State.FinishedAt));
    } catch (caught) {
      if ((caught as { statusCode?: number }).statusCode !== 404) throw caught;
      // Removed, and no word of when: before anything that is told from now on.
      this.ledger.ended(id, this.#lastNano);
    }
  }
}

/** `2026-11-27T10:00:00.123456789Z` */
function nanoOf(text: string): bigint {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  return BigInt(Math.floor(Date.parse(text) / 1000)) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0").slice(0, 9));
}
