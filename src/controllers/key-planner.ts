import { IkadaError, InvariantError } from "../base/errors.js";
import type { Log } from "../base/env.js";
import type { AnyObject } from "../api/object.js";
import type { ObjectKey, Snapshot } from "../objects/snapshot.js";
import { Attempts } from "./attempts.js";
import type { Controller, Decision, World } from "./controller.js";
import { operationsOf, type Planned, type Planner } from "./planner.js";

/** Keys looked at in one turn, so that a long queue does not hold the process. */
const keysPerTurnMax = 256;

/**
 * The de-duplicating key queue of one controller. A key is at most once in the queue and has at most one time at which it
 * is looked at again.
 */
export class KeyPlanner implements Planner {
  readonly name: string;
  readonly #controller: Controller;
  readonly #log: Log;
  readonly #queue = new Map<string, ObjectKey>();
  readonly #wakes = new Map<string, { readonly key: ObjectKey; readonly at: number }>();
  readonly #attempts = new Attempts();

  constructor(controller: Controller, log: Log) {
    this.name = controller.name;
    this.#controller = controller;
    this.#log = log;
  }

  start(snapshot: Snapshot): void {
    for (const key of this.#controller.keys(snapshot)) this.#add(key);
  }

  changed(before: AnyObject | undefined, after: AnyObject | undefined, snapshot: Snapshot): void {
    for (const key of this.#controller.wakes(before, after, snapshot)) this.#add(key);
  }

  dueAt(): number | undefined {
    if (this.#queue.size > 0) return 0;
    let due: number | undefined;
    for (const { at } of this.#wakes.values()) if (due === undefined || at < due) due = at;
    return due;
  }

  plan(world: World, operationsMax: number): readonly Planned[] {
    for (const { key, at } of this.#wakes.values()) if (at <= world.now) this.#add(key);
    const planned: Planned[] = [];
    let operations = 0;
    let looked = 0;
    for (const [name, key] of this.#queue) {
      if (looked >= keysPerTurnMax || (operations >= operationsMax && planned.length > 0)) break;
      looked += 1;
      const decision = this.#decide(name, key, world);
      const size = operationsOf(decision);
      if (size > 0 && planned.length > 0 && operations + size > operationsMax) break;
      this.#queue.delete(name);
      this.#wakes.delete(name);
      if (decision.wakeAt !== undefined) this.#wakes.set(name, { key, at: decision.wakeAt });
      if (size === 0) continue;
      operations += size;
      planned.push({
        key: name,
        decision,
        done: () => this.#attempts.clear(name),
        again: (now) => this.#again(name, key, now),
      });
    }
    return planned;
  }

  #decide(name: string, key: ObjectKey, world: World): Decision {
    try {
      return this.#controller.reconcile(key, world);
    } catch (caught) {
      if (caught instanceof InvariantError) throw caught;
      // The same state would fail the same way: it is told and not tried again until something changes.
      const { message, reason } = IkadaError.from(caught);
      this.#log.error("a decision failed", { controller: this.name, key: name, reason, message });
      const object = world.snapshot.get(key.groupKind, key.namespace, key.name);
      if (object === undefined) return {};
      return { events: [{ object, type: "Warning", reason: "ReconcileFailed", message: `${this.name}: ${message}` }] };
    }
  }

  #add(key: ObjectKey): void {
    this.#queue.set(`${key.groupKind}/${key.namespace}/${key.name}`, key);
  }

  #again(name: string, key: ObjectKey, now: number): void {
    const delay = this.#attempts.failed(name);
    if (delay === 0) this.#add(key);
    else {
      const present = this.#wakes.get(name);
      this.#wakes.set(name, { key, at: Math.min(now + delay, present?.at ?? Number.POSITIVE_INFINITY) });
    }
  }
}
