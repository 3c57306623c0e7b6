import type { FakeContainer } from "../../../node-agent/core/fake-engine.js";
import type { Machine } from "./machine.js";

export interface RunningContainer {
  readonly machine: Machine;
  readonly container: FakeContainer;
}

/** What runs on all engines, as they see it: sandboxes left out. */
export class Census {
  /** Counts changes. */
  changes = 0;
  readonly #byPod = new Map<string, RunningContainer[]>();

  started(machine: Machine, container: FakeContainer): void {
    this.changes++;
    if (container.spec.role !== "container") return;
    const { podUid } = container.spec;
    this.#byPod.set(podUid, [...this.ofPod(podUid), { machine, container }]);
  }

  ended(machine: Machine, container: FakeContainer): void {
    this.changes++;
    const { podUid } = container.spec;
    const left = this.ofPod(podUid).filter((one) => one.container !== container || one.machine !== machine);
    if (left.length > 0) this.#byPod.set(podUid, left);
    else this.#byPod.delete(podUid);
  }

  ofPod(uid: string): readonly RunningContainer[] {
    return this.#byPod.get(uid) ?? [];
  }

  runs(uid: string): boolean {
    return this.#byPod.has(uid);
  }

  /** Uids of Pods of which something runs. */
  pods(): IterableIterator<string> {
    return this.#byPod.keys();
  }
}
