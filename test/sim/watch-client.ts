import type { WatchBatch } from "../../store/store.js";
import { IkadaError } from "../../src/base/errors.js";
import { equalBytes } from "./invariants.js";
import { sameRecord } from "./history.js";
import type { SeededRandom } from "./random.js";
import type { SimulatedReplica } from "./simulated-replica.js";
import type { StateModel } from "./state-model.js";
import { Violation } from "./violation.js";
import type { World } from "./world.js";

/** One who watches everything, from the beginning, through one replica after another, and resumes where it was. */
export class WatchClient {
  replicas: readonly SimulatedReplica[] = [];
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #sessionUsMax: number;
  /** What it was given, by revision from 1 on; with holes where it came too late for what was compacted. */
  readonly #batches: WatchBatch[] = [];
  #revision = 0;

  constructor(world: World, random: SeededRandom, sessionUsMax: number) {
    this.#world = world;
    this.#random = random;
    this.#sessionUsMax = sessionUsMax;
  }

  get revision(): number {
    return this.#revision;
  }

  start(): void {
    this.#world.after(this.#random.int(5_000), () => this.#open());
  }

  /** What was seen is what happened. */
  check(model: StateModel): void {
    this.#batches.forEach((batch, at) => {
      const expected = model.batches[at];
      const equal =
        expected?.events.length === batch.events.length &&
        batch.events.every((event, position) => {
          const other = expected.events[position];
          return (
            other !== undefined &&
            event.type === other.type &&
            sameRecord(event.record, other.record) &&
            sameRecord(event.previous, other.previous) &&
            equalBytes(event.record.value, other.record.value)
          );
        });
      if (!equal)
        throw new Violation("watch", `revision ${at + 1} was seen as ${text(batch)}, it is ${text(expected)}`);
    });
  }

  #open(): void {
    const replica = this.#random.pick(this.replicas);
    const { store, process } = replica;
    if (!store) return this.start();
    const { epoch } = process;
    let open = true;
    const end = (): void => {
      if (!open) return;
      open = false;
      this.start();
    };
    const onError = (error: Error): void => {
      if (open) this.#onError(error);
      end();
    };
    let watch: { close(): void };
    try {
      watch = store.watch("", this.revision, {
        onBatch: (batch) => {
          if (open) this.#onBatch(batch);
        },
        onError,
      });
    } catch (error) {
      return onError(error as Error);
    }
    const stop = (): void => {
      if (process.epoch === epoch) watch.close();
      end();
    };
    // Short sessions: most mistakes are made at the seams. The end of the process is noticed after as long.
    this.#world.after(this.#random.int(this.#sessionUsMax), stop);
  }

  #onBatch(batch: WatchBatch): void {
    if (batch.events.length === 0) {
      if (batch.revision <= this.revision) return;
      return this.#fail(`progress to revision ${batch.revision} after batch ${this.revision}`);
    }
    if (batch.revision !== this.revision + 1)
      return this.#fail(`revision ${batch.revision} came after ${this.revision}`);
    this.#batches[batch.revision - 1] = batch;
    this.#revision = batch.revision;
  }

  /** What is compacted it would have to list; here it goes on behind. */
  #onError(error: Error): void {
    if (!(error instanceof IkadaError) || error.reason !== "Compacted") return;
    const { revision = 0 } = error.details;
    if (revision <= this.revision) return this.#fail(`${error.message}, and was watched to ${this.revision}`);
    this.#revision = revision;
  }

  #fail(what: string): void {
    this.#world.fail(new Violation("watch", what));
  }
}

function text(batch: WatchBatch | undefined): string {
  return batch
    ? batch.events.map((event) => `${event.type} ${event.key}@${event.record.modRevision}`).join()
    : "nothing";
}
