import { setTimeout as sleep } from "node:timers/promises";
import type { SeededRandom } from "../sim/random.js";
import { NotNow, shuffled, type Ongoing, type Site } from "./fault.js";
import { faults } from "./faults.js";
import { wholeCluster } from "./whole-cluster.js";
import type { Workload } from "./workload.js";

/** Between a cluster that is whole again and the next faults. */
const calmMs = 500;
/** Faults of one round begin within this time. */
const spreadMs = 1_500;
/** So many writes show that a cluster takes writes. */
const writesWhenWhole = 10;

/** One fault of a round, and when it begins and ends after the round's begin, in milliseconds. */
export interface Planned {
  readonly name: string;
  readonly beginMs: number;
  readonly lastsMs: number;
  readonly random: SeededRandom;
}

/** Draws the faults of each round: all of them come up before one comes again. */
export class Deck {
  readonly #names: readonly string[];
  readonly #random: SeededRandom;
  #left: string[] = [];
  /** What did not happen is at the front of the next time around, so that one which can't happen holds up no other. */
  #again: string[] = [];

  constructor(names: readonly string[], random: SeededRandom) {
    this.#names = names;
    this.#random = random;
  }

  /** One to three faults, each of another area. */
  draw(): Planned[] {
    const random = this.#random;
    const dice = random.int(100);
    const wanted = dice < 45 ? 1 : dice < 80 ? 2 : 3;
    const drawn: string[] = [];
    for (let at = 0; drawn.length < wanted;) {
      if (this.#left.length === 0 && drawn.length === 0) this.#left = [...this.#again.splice(0), ...this.#shuffled()];
      const name = this.#left[at];
      if (name === undefined) break;
      if (drawn.some((other) => faults[other]!.area === faults[name]!.area)) at += 1;
      else drawn.push(...this.#left.splice(at, 1));
    }
    return drawn.map((name) => {
      const [least, range] = faults[name]!.lastsMs;
      return {
        name,
        beginMs: random.int(spreadMs),
        lastsMs: least + random.int(range),
        random: random.fork(),
      };
    });
  }

  /** It did not happen: it comes up again soon. */
  putBack(name: string): void {
    this.#again.push(name);
  }

  #shuffled(): string[] {
    return shuffled(this.#names, this.#random);
  }
}

export interface RoundsOptions {
  readonly names: readonly string[];
  /** Rounds begin within this time. */
  readonly durationMs: number;
  readonly random: SeededRandom;
  readonly tell: (line: string) => void;
}

/**
 * Lets faults happen, round by round; after each the cluster has to come whole by itself and take writes.
 * Returns how often each has happened. @throws Error when the cluster does not come whole, or a client has failed
 */
export async function runRounds(site: Site, workload: Workload, options: RoundsOptions): Promise<Map<string, number>> {
  const { names, durationMs, random, tell } = options;
  const counts = new Map(names.map((name) => [name, 0]));
  const deck = new Deck(names, random);
  const startMs = performance.now();
  const say = (line: string): void => tell(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(6)} ${line}`);
  await wholeCluster(site.harness);
  while (performance.now() - startMs < durationMs) {
    for (const { name, happened } of await round(site, deck.draw(), say)) {
      if (happened) counts.set(name, counts.get(name)! + 1);
      else deck.putBack(name);
    }
    const healedMs = performance.now();
    await wholeCluster(site.harness);
    await workload.moreWrites(writesWhenWhole);
    say(`whole, ${Math.round(performance.now() - healedMs)} ms after the last fault`);
    await sleep(calmMs);
  }
  return counts;
}

interface Outcome {
  readonly name: string;
  readonly happened: boolean;
}

/** The faults of one round; at its end none is left, whatever happens. */
async function round(site: Site, planned: readonly Planned[], say: (line: string) => void): Promise<Outcome[]> {
  const ends = await Promise.allSettled(planned.map((each) => one(site, each, say)));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
  return ends.map((end) => (end as PromiseFulfilledResult<Outcome>).value);
}

async function one(
  site: Site,
  { name, beginMs, lastsMs, random }: Planned,
  say: (line: string) => void,
): Promise<Outcome> {
  await sleep(beginMs);
  let ongoing: Ongoing;
  try {
    ongoing = await faults[name]!.begin(site, random);
  } catch (caught) {
    if (!(caught instanceof NotNow)) throw caught;
    say(`${name} not now: ${caught.message}`);
    return { name, happened: false };
  }
  say(`${name} begins: ${ongoing.what}`);
  await sleep(lastsMs);
  try {
    await ongoing.end();
  } catch (caught) {
    if (!(caught instanceof NotNow)) throw caught;
    say(`${name} had no effect: ${caught.message}`);
    return { name, happened: false };
  }
  say(`${name} ends`);
  return { name, happened: true };
}
