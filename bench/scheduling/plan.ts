import type { AnyObject } from "../../src/api/object.js";
import { ObjectIndex } from "../../src/objects/object-index.js";
import { keyOfObject, storeKey } from "../../src/objects/keys.js";
import { Scheduler } from "../../src/scheduler/scheduler.js";
import { nodeObjects, podObjects, type PodsOptions } from "./cluster.js";

interface PlanRun {
  readonly title: string;
  readonly nodes: number;
  /** Pods that run already. */
  readonly running: number;
  /** Pods that are bound. */
  readonly pods: number;
  readonly passes: number;
  /** Processor time of all passes together, and of taking in what they changed. */
  readonly planMs: number;
  readonly learnMs: number;
  readonly longestPassMs: number;
}

export interface PlanOptions extends Omit<PodsOptions, "count" | "from" | "nodeName"> {
  readonly title: string;
  readonly nodes: number;
  readonly running: number;
  readonly pods: number;
}

/**
 * The scheduler alone, without store and log: each pass's bindings are given back to it as changes, until nobody waits.
 */
export function runPlan({ title, nodes, running, pods, sets, spec = {} }: PlanOptions): PlanRun {
  const index = new ObjectIndex();
  let revision = 0;
  const put = (objects: readonly AnyObject[]): ReturnType<ObjectIndex["apply"]> =>
    index.apply(
      ++revision,
      objects.map((object) => [storeKey(keyOfObject(object)), object] as const),
    );
  put(nodeObjects(nodes));
  put(podObjects({ count: running, sets, spec, nodeName: (at) => `node-${at % nodes}` }));
  const scheduler = new Scheduler();
  scheduler.start(index.snapshot());
  const learn = (objects: readonly AnyObject[]): void => {
    for (const { before, after } of put(objects)) scheduler.changed(before, after);
  };
  let [planMs, learnMs, longestPassMs, passes, bound] = [0, 0, 0, 0, 0];
  // Processor time of this process: others may be busy beside it.
  const timed = (work: () => void): number => {
    const start = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  learnMs += timed(() => learn(podObjects({ count: pods, sets, spec, from: running })));
  for (;;) {
    let updates: readonly AnyObject[] = [];
    const ms = timed(() => {
      const { decisions } = scheduler.pass({ snapshot: index.snapshot(), now: 0 });
      updates = decisions.flatMap(({ changes }) => changes.updates);
    });
    planMs += ms;
    longestPassMs = Math.max(longestPassMs, ms);
    if (updates.length === 0) break;
    passes += 1;
    bound += updates.length;
    learnMs += timed(() => learn(updates));
  }
  if (bound !== pods) throw new Error(`${title}: ${bound} of ${pods} Pods were bound`);
  return { title, nodes, running, pods, passes, planMs, learnMs, longestPassMs };
}
