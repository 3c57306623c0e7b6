import type { SeededRandom } from "./random.js";
import type { SimulatedReplica } from "./simulated-replica.js";
import type { Swarm } from "./swarm.js";
import type { World } from "./world.js";

export interface PatientOptions {
  readonly name: string;
  readonly world: World;
  readonly random: SeededRandom;
  readonly swarm: Swarm;
}

/** After so many attempts without an answer a client turns to something else; the outcome stays unknown. */
const attemptsMax = 12;

/** One who makes one request at a time, each sent to another replica when no answer comes. */
export abstract class PatientClient {
  /** Replicas that it asks. */
  replicas: readonly SimulatedReplica[] = [];
  /** True while it waits for an answer. */
  busy = false;
  /** Requests that were answered. */
  answered = 0;
  /** Makes no new requests. */
  stopped = false;
  /** False: goes on asking until there is an answer. */
  givesUp = true;
  /** Makes no new request once it has so many answers. */
  #target = Infinity;
  readonly #options: PatientOptions;
  #isIdle = false;
  /** Sends the request it waits for to the next replica. */
  #askAgain: (() => void) | undefined;

  constructor(options: PatientOptions) {
    this.#options = options;
  }

  start(): void {
    const { random, swarm, world } = this.#options;
    world.after(random.int(2 * swarm.thinkMs * 1000 + 1), () => this.#request());
  }

  /** From now on it insists on answers, and rests after so many more. Asks anew at once if it waits for one. */
  insist(answers: number): void {
    this.givesUp = false;
    this.#target = this.answered + answers;
    if (this.#isIdle) this.start();
    this.#askAgain?.();
  }

  /** It has all the answers it wanted. */
  get rests(): boolean {
    return this.answered >= this.#target;
  }

  /** Makes one request, by `attempt`. */
  protected abstract request(): void;

  protected finish(answered: boolean): void {
    if (answered) this.answered++;
    this.busy = false;
    this.#askAgain = undefined;
    this.start();
  }

  /** `send` calls the given function once it has an answer; that gives false when another attempt was faster. */
  protected attempt(first: number, send: (replica: SimulatedReplica, answered: () => boolean) => void): void {
    const { world, random, swarm } = this.#options;
    let open = true;
    const ask = (replica: SimulatedReplica): void => {
      const { epoch } = replica.process;
      send(replica, () => {
        // What a crashed process still does while its code unwinds reaches nobody.
        const counts = open && replica.process.epoch === epoch;
        if (counts) open = false;
        return counts;
      });
    };
    let latest = 0;
    const start = (number: number): void => {
      if (!open || number <= latest) return;
      latest = number;
      if (this.givesUp && number > attemptsMax) {
        open = false;
        this.finish(false);
        return;
      }
      const replica = this.replicas[(first + number) % this.replicas.length];
      // As an event of the replica's process: a dead one does not hear it, a paused one hears it late.
      if (replica?.process.alive) world.after(random.int(300), () => ask(replica), replica.process);
      const waitMs = replica?.store ? swarm.clientTimeoutMs : swarm.tickMs;
      world.after(waitMs * 1000, () => start(number + 1));
    };
    this.#askAgain = () => start(latest + 1);
    start(1);
  }

  protected deadlineMs(): number {
    return this.#options.swarm.clientTimeoutMs * (this.#options.random.chance(0.2) ? 3 : 1);
  }

  #request(): void {
    this.#isIdle = this.givesUp && this.answered >= this.#options.swarm.operationsMax;
    if (this.stopped || this.#isIdle || this.rests) return;
    this.busy = true;
    this.request();
  }
}
