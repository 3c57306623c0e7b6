import type { AnyObject } from "../api/object.js";
import type { Snapshot } from "../objects/snapshot.js";
import type { PassController, World } from "./controller.js";
import { Attempts } from "./attempts.js";
import { operationsOf, type Planned, type Planner } from "./planner.js";

/** Looks at everything in one pass whenever something of concern has changed. */
export class PassPlanner implements Planner {
  readonly name: string;
  readonly #controller: PassController;
  readonly #attempts = new Attempts();
  #dueAt: number | undefined;

  constructor(controller: PassController) {
    this.name = controller.name;
    this.#controller = controller;
  }

  start(snapshot: Snapshot): void {
    this.#controller.start(snapshot);
    this.#dueAt = 0;
  }

  changed(before: AnyObject | undefined, after: AnyObject | undefined): void {
    this.#dueBy(this.#controller.changed(before, after));
  }

  dueAt(): number | undefined {
    return this.#dueAt;
  }

  plan(world: World, operationsMax: number): readonly Planned[] {
    const { decisions, wakeAt } = this.#controller.pass(world);
    this.#dueAt = wakeAt;
    const planned: Planned[] = [];
    let operations = 0;
    for (const decision of decisions) {
      const size = operationsOf(decision);
      if (size === 0) continue;
      if (planned.length > 0 && operations + size > operationsMax) {
        // The rest is decided again, from the state that this part makes.
        this.#dueAt = 0;
        break;
      }
      operations += size;
      planned.push({
        key: `${this.name}/${planned.length}`,
        decision,
        done: () => this.#attempts.clear(this.name),
        again: (now) => this.#again(now),
      });
    }
    return planned;
  }

  #again(now: number): void {
    this.#dueBy(now + this.#attempts.failed(this.name));
  }

  #dueBy(at: number | undefined): void {
    if (at !== undefined) this.#dueAt = Math.min(at, this.#dueAt ?? at);
  }
}
