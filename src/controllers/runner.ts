import type { Env } from "../base/env.js";
import type { ObjectStore } from "../objects/object-store.js";
import type { Controller, PassController, World } from "./controller.js";
import { KeyPlanner } from "./key-planner.js";
import { Loop } from "./loop.js";
import { PassPlanner } from "./pass-planner.js";
import type { Planner } from "./planner.js";

export interface RunnerOptions {
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
  readonly objects: ObjectStore;
  readonly controllers: readonly Controller[];
  readonly passes: readonly PassController[];
  /** Milliseconds since any replica heard of this node's agent; undefined when none has since this process started to ask. */
  readonly nodeSilentMs: (nodeName: string) => number | undefined;
  /** Of `RevokedLeases`, which outlives this leader. */
  readonly leaseRevokedForMs: (podUid: string) => number | undefined;
}

/**
 * All deciding loops of a leader. To be made when this replica was elected and has applied the no-op of its term, and
 * closed on step-down: it looks at everything once and then lives on changes.
 */
export class Runner {
  readonly #loops: readonly { readonly planner: Planner; readonly loop: Loop }[];
  readonly #changes: { close(): void };

  constructor(options: RunnerOptions) {
    const { env, objects } = options;
    const openedAt = env.clock.monotonic();
    const world = (): World => ({
      snapshot: objects.snapshot(),
      now: env.clock.now(),
      random: env.random,
      nodeSilentMs: options.nodeSilentMs,
      leaseRevokedForMs: options.leaseRevokedForMs,
      leaderForMs: env.clock.monotonic() - openedAt,
    });
    const planners: readonly Planner[] = [
      ...options.controllers.map((controller) => new KeyPlanner(controller, env.log)),
      ...options.passes.map((pass) => new PassPlanner(pass)),
    ];
    this.#loops = planners.map((planner) => ({ planner, loop: new Loop({ env, objects, planner, world }) }));
    this.#changes = objects.onChanges((changes) => {
      const snapshot = objects.snapshot();
      for (const { planner, loop } of this.#loops) {
        for (const { before, after } of changes) planner.changed(before, after, snapshot);
        loop.poke();
      }
    });
    for (const { planner, loop } of this.#loops) {
      planner.start(objects.snapshot());
      loop.poke();
    }
  }

  /** Nothing is proposed after this. Idempotent. */
  close(): void {
    this.#changes.close();
    for (const { loop } of this.#loops) loop.close();
  }
}
