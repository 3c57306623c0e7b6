import assert from "node:assert/strict";
import type { AnyObject, ObjectMeta } from "../../../src/api/object.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import { keyOfObject, storeKey } from "../../../src/objects/keys.js";
import { ObjectIndex } from "../../../src/objects/object-index.js";
import { Scheduler, type SchedulingPass } from "../../../src/scheduler/scheduler.js";
import { any } from "../objects.js";
import { host, nodeOf, podOf } from "./objects.js";

type Given = { readonly metadata: ObjectMeta };

/** A scheduler that is told of changes, as a leader's is. */
class Told {
  readonly scheduler = new Scheduler();
  readonly #index = new ObjectIndex();
  #revision = 0;
  now = 1_000_000;

  constructor(...objects: readonly Given[]) {
    this.put(...objects);
    this.scheduler.start(this.#index.snapshot());
  }

  /** Gives in how many ms a pass is due: 0 at once, undefined not at all. */
  put(...objects: readonly Given[]): number | undefined {
    return this.#apply(objects.map((object) => [storeKey(keyOfObject(any(object))), any(object)]));
  }

  remove(object: Given): number | undefined {
    return this.#apply([[storeKey(keyOfObject(any(object))), undefined]]);
  }

  pass(): SchedulingPass {
    return this.scheduler.pass({ snapshot: this.#index.snapshot(), now: this.now });
  }

  /** One pass, of which all takes place. */
  settle(): readonly AnyObject[] {
    const { decisions } = this.pass();
    const updates = decisions.flatMap(({ changes }) => changes.updates);
    this.put(...updates);
    return updates;
  }

  #apply(entries: readonly (readonly [string, AnyObject | undefined])[]): number | undefined {
    const due = this.#index
      .apply(++this.#revision, entries)
      .map(({ before, after }) => this.scheduler.changed(before, after))
      .filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.max(0, Math.min(...due) - this.now);
  }
}

const full = podOf("full", { nodeName: "a", cpu: "4" });
const bindings = ({ decisions }: SchedulingPass): readonly string[] =>
  decisions
    .flatMap(({ changes }) => changes.updates as unknown as readonly Pod[])
    .flatMap((pod) => pod.spec.nodeName ?? []);

describe("who waits is looked at again", () => {
  it("a new Pod at once; what the scheduler wrote itself not at all", () => {
    const told = new Told(nodeOf("a"));
    assert.equal(told.put(podOf("p", { cpu: "9" })), 0);
    const [explained] = told.settle();
    assert.equal(explained?.metadata.name, "p");
    assert.equal(told.pass().decisions.length, 0);
    assert.equal(
      told.put({ ...podOf("p", { cpu: "9" }), status: { phase: "Pending", reason: "told" } } as Pod),
      undefined,
    );
  });

  it("when room comes free where it fits, at once, and not when it does not suffice", () => {
    const small = podOf("small", { nodeName: "a", cpu: "1" });
    const told = new Told(nodeOf("a"), small, podOf("most", { nodeName: "a", cpu: "3" }), podOf("p", { cpu: "2" }));
    told.settle();
    assert.equal(told.remove(small), undefined);
    assert.equal(told.remove(podOf("most", { nodeName: "a", cpu: "3" })), 0);
    assert.deepEqual(bindings(told.pass()), ["a"]);
  });

  it("when a Pod ends, not when it begins to stop", () => {
    const told = new Told(nodeOf("a"), full, podOf("p", { cpu: "2" }));
    told.settle();
    assert.equal(told.put(podOf("full", { nodeName: "a", cpu: "4", terminating: true })), undefined);
    assert.equal(told.put(podOf("full", { nodeName: "a", cpu: "4", status: { phase: "Succeeded" } })), 0);
    assert.deepEqual(bindings(told.pass()), ["a"]);
  });

  it("when a node comes, is uncordoned or gets a label, at once if that helps", () => {
    const told = new Told(nodeOf("a", {}, { unschedulable: true }), podOf("p", { nodeSelector: { disk: "ssd" } }));
    told.settle();
    assert.equal(told.put(nodeOf("b", { disk: "ssd" })), 0);
    const second = new Told(nodeOf("a", {}, { unschedulable: true }), podOf("p"));
    second.settle();
    assert.equal(second.put(nodeOf("a")), 0);
  });

  it("when a node changes and does not help: after a pause that grows, and only to tell what is so now", () => {
    const told = new Told(nodeOf("a"), podOf("p", { cpu: "9" }));
    told.settle();
    let at = 0;
    for (const [times, pauseMs] of [1000, 2000, 4000, 8000, 10_000, 10_000].entries()) {
      assert.equal(told.put(nodeOf(`b${times}`)), pauseMs, `after ${times + 1} refusals`);
      told.now += pauseMs;
      at += told.settle().length;
    }
    assert.equal(at, 6);
    // A heartbeat is no change.
    assert.equal(told.put(nodeOf("a")), undefined);
  });

  it("when Pods that its rules are about come, go, or are labelled", () => {
    const affinity = {
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: host, labelSelector: { matchLabels: { app: "db" } } },
        ],
      },
    };
    const told = new Told(nodeOf("a"), podOf("p", { affinity }), podOf("x", { cpu: "9" }));
    told.settle();
    assert.equal(told.put(podOf("db", { nodeName: "a", labels: { app: "db" } })), 1000);
    told.now += 1000;
    assert.deepEqual(bindings(told.pass()), ["a"]);
  });

  it("after five minutes, whatever happens or does not", () => {
    const told = new Told(nodeOf("a"), podOf("p", { cpu: "9" }));
    assert.equal(told.pass().wakeAt, told.now + 300_000);
    told.settle();
    assert.equal(told.pass().decisions.length, 0);
  });

  it("a gated Pod when its last gate is taken away", () => {
    const told = new Told(nodeOf("a"), podOf("p", { schedulingGates: [{ name: "wait" }] }));
    assert.equal(told.pass().decisions.length, 0);
    assert.equal(told.put(podOf("p", { schedulingGates: [] })), 0);
    assert.deepEqual(bindings(told.pass()), ["a"]);
  });

  it("a nominated Pod when its room is free", () => {
    const nominated = podOf("p", { cpu: "4", priority: 9, status: { phase: "Pending", nominatedNodeName: "a" } });
    const told = new Told(nodeOf("a"), podOf("full", { nodeName: "a", cpu: "4", terminating: true }), nominated);
    told.settle();
    assert.equal(told.remove(full), 0);
    assert.deepEqual(bindings(told.pass()), ["a"]);
    const [bound] = told.settle() as unknown as readonly Pod[];
    assert.equal(bound?.status?.nominatedNodeName, undefined);
  });

  it("a thousand Pods that no node takes are all told why, a bounded number in each pass", () => {
    const pods = Array.from({ length: 1000 }, (_, at) => podOf(`p${at}`, { cpu: "9" }));
    const told = new Told(nodeOf("a"), ...pods);
    const passes: number[] = [];
    for (let updates = told.settle(); updates.length > 0; updates = told.settle()) passes.push(updates.length);
    assert.equal(
      passes.reduce((sum, count) => sum + count, 0),
      1000,
    );
    assert.ok(Math.max(...passes) <= 250, passes.join());
    // That another node does not help either is told to some, and then no more.
    told.put(nodeOf("b"));
    told.now += 10_000;
    assert.ok(told.settle().length <= 100);
    assert.equal(told.settle().length, 0);
  });
});
