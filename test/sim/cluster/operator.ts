import type { Node } from "../../../src/api/kinds/core.js";
import type { AnyObject } from "../../../src/api/object.js";
import type { ObjectKey } from "../../../src/objects/snapshot.js";
import { ClusterClient, deleting, updating } from "./cluster-client.js";

/** What an operator does to a Node. */
export type Chore = "cordon" | "uncordon" | "delete";

/** The operator of the nodes: does the chores that the chaos gives it, one after the other. */
export class Operator extends ClusterClient {
  readonly #chores: { readonly chore: Chore; readonly node: string }[] = [];
  #isAwake = false;

  /** To be done when its turn comes. */
  do(chore: Chore, node: string): void {
    this.#chores.push({ chore, node });
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.start();
  }

  override get rests(): boolean {
    return this.#chores.length === 0 && !this.busy;
  }

  protected request(): void {
    const next = this.#chores[0];
    if (!next) throw new Error("an operator that rests makes no request");
    const { chore, node } = next;
    this.perform(
      keyOfNode(node),
      (live, now) => {
        if (live === undefined) return undefined;
        if (chore === "delete") return deleting(live, now);
        const { spec, ...rest } = live as unknown as Node;
        const unschedulable = chore === "cordon";
        if ((spec.unschedulable === true) === unschedulable) return undefined;
        return updating(live, { ...rest, spec: { ...spec, unschedulable } } as unknown as AnyObject);
      },
      () => {
        this.#chores.shift();
        this.#isAwake = this.#chores.length > 0;
      },
    );
  }
}

function keyOfNode(name: string): ObjectKey {
  return { groupKind: "/Node", namespace: "", name };
}
