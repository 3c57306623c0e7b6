import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError } from "../../sdk/index.js";
import { wholeCluster } from "../chaos/whole-cluster.js";
import type { Harness } from "../e2e/harness.js";
import type { SeededRandom } from "../sim/random.js";

/** Between a cluster that is whole again and what happens to it next, at least. */
const calmMs = 300;

export interface DisturberOptions {
  readonly harness: Harness;
  readonly random: SeededRandom;
  /** One so often, in operations. */
  readonly every: number;
  /** Operations begun so far. */
  readonly progress: () => number;
  readonly tell: (line: string) => void;
}

/** What happens to a cluster while it works: servers die, are stopped and started, leadership moves. */
export class Disturber {
  readonly counts = new Map<string, number>();
  readonly #options: DisturberOptions;
  #deck: string[] = [];
  #isOver = false;

  constructor(options: DisturberOptions) {
    this.#options = options;
  }

  /** Until `stop`. @throws Error when the cluster does not come whole again */
  async run(): Promise<void> {
    const { every, progress } = this.#options;
    for (let next = every; !this.#isOver; next += every) {
      while (!this.#isOver && progress() < next) await sleep(20);
      if (this.#isOver) return;
      await this.#disturb();
      await sleep(calmMs);
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  async #disturb(): Promise<void> {
    const { harness, random, tell, progress } = this.#options;
    const leader = await wholeCluster(harness);
    const followers = harness.cluster.servers.map(({ name }) => name).filter((name) => name !== leader);
    if (this.#deck.length === 0) this.#deck = random.shuffle(Object.keys(this.#kinds));
    const name = this.#deck.pop()!;
    const startedMs = performance.now();
    await this.#kinds[name]!(leader, random.pick(followers));
    await wholeCluster(harness);
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
    tell(`at ${progress()} operations: ${name}; whole after ${Math.round(performance.now() - startedMs)} ms`);
  }

  readonly #kinds: Readonly<Record<string, (leader: string, follower: string) => Promise<void>>> = {
    "SIGKILL of the leader": (leader: string) => this.#kill([leader]),
    "SIGKILL of a follower": (_leader: string, follower: string) => this.#kill([follower]),
    "SIGTERM of the leader": (leader: string) => this.#stop(leader),
    "SIGTERM of a follower": (_leader: string, follower: string) => this.#stop(follower),
    "transfer of leadership": (_leader: string, follower: string) => this.#transfer(follower),
    "SIGKILL of all": () => this.#kill(this.#options.harness.cluster.servers.map(({ name }) => name)),
  };

  /** The supervisor starts them again. */
  async #kill(names: readonly string[]): Promise<void> {
    const { harness } = this.#options;
    await Promise.all(names.map((name) => harness.kill(name)));
    harness.startStopped();
  }

  async #stop(name: string): Promise<void> {
    const { harness, random } = this.#options;
    await harness.stop(name);
    await sleep(random.int(700));
    harness.startStopped();
  }

  /** A server that does not lead any more when it is asked refuses it, which is no fault. */
  async #transfer(to: string): Promise<void> {
    const { harness, tell } = this.#options;
    try {
      await harness.client.cluster.transfer(harness.server(to).id, { deadlineMs: 5_000 });
    } catch (caught) {
      tell(`leadership did not move to ${to}: ${IkadaError.from(caught).message}`);
    }
  }
}
