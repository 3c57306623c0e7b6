import assert from "node:assert/strict";
import type { Event } from "../../src/api/kinds/core.js";
import type { AnyObject } from "../../src/api/object.js";
import { IkadaError, InvariantError } from "../../src/base/errors.js";
import type { Controller, Decision, World } from "../../src/controllers/controller.js";
import { Runner } from "../../src/controllers/runner.js";
import type { Changes } from "../../src/objects/changes.js";
import type { ChangeListener } from "../../src/objects/cache.js";
import { keyOfObject } from "../../src/objects/keys.js";
import { ObjectIndex } from "../../src/objects/object-index.js";
import { storeKey } from "../../src/objects/keys.js";
import type { CommitDone, ObjectStore } from "../../src/objects/object-store.js";
import { noChanges } from "../../src/objects/transaction.js";
import { any, pod } from "./objects.js";
import { VirtualTime, virtualEnv } from "./virtual-time.js";

/** An ObjectStore that shows what is proposed and answers as the test says. */
class ScriptedStore implements ObjectStore {
  readonly commits: { readonly batch: readonly Changes[]; readonly done: CommitDone }[] = [];
  readonly #index = new ObjectIndex();
  readonly #listeners = new Set<ChangeListener>();
  #revision = 0;

  snapshot(): ReturnType<ObjectStore["snapshot"]> {
    return this.#index.snapshot();
  }

  onChanges(listener: ChangeListener): { close(): void } {
    this.#listeners.add(listener);
    return { close: () => void this.#listeners.delete(listener) };
  }

  commit(batch: readonly Changes[], _origin: string, done: CommitDone): void {
    this.commits.push({ batch, done });
  }

  put(...objects: readonly AnyObject[]): void {
    this.#revision += 1;
    const changes = this.#index.apply(
      this.#revision,
      objects.map((object) => [storeKey(keyOfObject(object)), object] as const),
    );
    for (const listener of this.#listeners) listener(changes, this.#revision);
  }
}

/** A controller of Pods that does what the test says and tells what it was asked. */
class Scripted implements Controller {
  readonly name = "scripted";
  readonly asked: string[] = [];
  decide: (name: string, world: World) => Decision = () => ({});

  wakes(before: AnyObject | undefined, now: AnyObject | undefined): ReturnType<Controller["wakes"]> {
    return [before, now].flatMap((object) => (object?.kind === "Pod" ? [keyOfObject(object)] : []));
  }

  keys(snapshot: World["snapshot"]): ReturnType<Controller["keys"]> {
    return snapshot.list("/Pod").map(keyOfObject);
  }

  reconcile(key: ReturnType<typeof keyOfObject>, world: World): Decision {
    this.asked.push(key.name);
    return this.decide(key.name, world);
  }
}

function setUp(...names: readonly string[]): {
  time: VirtualTime;
  store: ScriptedStore;
  controller: Scripted;
  runner: () => Runner;
} {
  const time = new VirtualTime();
  const store = new ScriptedStore();
  const controller = new Scripted();
  store.put(...names.map((name) => any(pod(name))));
  const runner = (): Runner =>
    new Runner({
      env: virtualEnv(time, 1),
      objects: store,
      controllers: [controller],
      passes: [],
      nodeSilentMs: () => 0,
      leaseRevokedForMs: () => undefined,
    });
  return { time, store, controller, runner };
}

const touch = (name: string): Decision => ({ changes: { ...noChanges, updates: [any(pod(name))] } });

describe("runner", () => {
  it("looks at everything once, then at what changed, each key once however often it changed", () => {
    const { time, store, controller, runner } = setUp("a", "b");
    runner();
    time.pass(1);
    assert.deepEqual(controller.asked, ["a", "b"]);
    store.put(any(pod("b")));
    store.put(any(pod("b")));
    time.pass(1);
    assert.deepEqual(controller.asked, ["a", "b", "b"]);
  });

  it("puts the decisions of one turn into one entry, and waits for it", () => {
    const { time, store, controller, runner } = setUp("a", "b", "c");
    controller.decide = (name) => (name === "b" ? {} : touch(name));
    runner();
    time.pass(1);
    assert.deepEqual(
      store.commits.map(({ batch }) => batch.length),
      [2],
    );
    store.put(any(pod("c")));
    time.pass(10_000);
    assert.equal(store.commits.length, 1, "one entry in flight");
    store.commits[0]!.done(null, [true, true]);
    time.pass(1);
    assert.equal(store.commits.length, 2);
  });

  it("looks again at what was refused, at once and then ever later", () => {
    const { time, store, controller, runner } = setUp("a", "b");
    controller.decide = touch;
    runner();
    time.pass(1);
    controller.decide = (name) => (name === "b" ? touch(name) : {});
    store.commits[0]!.done(null, [true, false]);
    time.pass(1);
    assert.deepEqual(controller.asked, ["a", "b", "b"]);
    for (const waited of [5, 10, 20]) {
      const { length } = store.commits;
      store.commits.at(-1)!.done(null, [false]);
      time.pass(waited - 1);
      assert.equal(store.commits.length, length, `not before ${waited} ms`);
      time.pass(2);
      assert.equal(store.commits.length, length + 1);
    }
  });

  it("backs off when there is no leader, and decides anew", () => {
    const { time, store, controller, runner } = setUp("a");
    controller.decide = touch;
    runner();
    time.pass(1);
    store.commits[0]!.done(new IkadaError("NoLeader", "nobody"), []);
    store.put(any(pod("a")));
    time.pass(49);
    assert.equal(store.commits.length, 1);
    time.pass(100);
    assert.equal(store.commits.length, 2);
    store.commits[1]!.done(null, [true]);
    controller.decide = () => ({});
    time.pass(1000);
    store.put(any(pod("a")));
    time.pass(1);
    assert.equal(controller.asked.length, 3, "and lives on changes again");
  });

  it("lives on after a lost entry when there is nothing left to do", () => {
    const { time, store, controller, runner } = setUp("a");
    controller.decide = touch;
    runner();
    time.pass(1);
    controller.decide = () => ({});
    store.commits[0]!.done(new IkadaError("NoLeader", "nobody"), []);
    time.pass(1000);
    controller.decide = touch;
    store.put(any(pod("a")));
    time.pass(1);
    assert.equal(store.commits.length, 2);
  });

  it("sends decisions one by one after an entry was too large", () => {
    const { time, store, controller, runner } = setUp("a", "b");
    controller.decide = touch;
    runner();
    time.pass(1);
    store.commits[0]!.done(new IkadaError("TooLarge", "too large"), []);
    time.pass(200);
    assert.deepEqual(
      store.commits.map(({ batch }) => batch.length),
      [2, 1],
    );
  });

  it("proposes nothing after close, whatever comes back", () => {
    const { time, store, controller, runner } = setUp("a");
    controller.decide = touch;
    const open = runner();
    time.pass(1);
    open.close();
    store.commits[0]!.done(null, [false]);
    store.put(any(pod("a")));
    time.pass(100_000);
    assert.equal(store.commits.length, 1);
    const asleep = setUp("a");
    asleep.controller.decide = touch;
    asleep.runner().close();
    asleep.time.pass(1000);
    assert.equal(asleep.store.commits.length, 0);
  });

  it("wakes a key at its time", () => {
    const { time, controller, runner } = setUp("a");
    controller.decide = (_name, { now }) => ({ wakeAt: now + 500 });
    runner();
    time.pass(499);
    assert.equal(controller.asked.length, 1);
    time.pass(2);
    assert.equal(controller.asked.length, 2);
  });

  it("tells of a decision that failed and does not try it again", () => {
    const { time, store, controller, runner } = setUp("a");
    controller.decide = () => {
      throw new IkadaError("Invalid", "no such thing");
    };
    runner();
    time.pass(1);
    const event = store.commits[0]?.batch[0]?.creates[0] as unknown as Event;
    assert.deepEqual([event.reason, event.message], ["ReconcileFailed", "scripted: no such thing"]);
    store.commits[0]!.done(null, [true]);
    time.pass(100_000);
    assert.equal(controller.asked.length, 1);
  });

  it("ends with a broken invariant", () => {
    const { time, controller, runner } = setUp("a");
    controller.decide = () => {
      throw new InvariantError("broken");
    };
    runner();
    assert.throws(() => time.pass(1), InvariantError);
  });

  it("counts an event that is told again in one object", () => {
    const { time, store, controller, runner } = setUp("a");
    const told = { object: any(pod("a")), type: "Warning" as const, reason: "Why", message: "so" };
    controller.decide = () => ({ events: [told, told] });
    runner();
    time.pass(1);
    const first = store.commits[0]!.batch[0]!.creates as readonly unknown[] as readonly Event[];
    assert.deepEqual(
      first.map(({ count }) => count),
      [1],
    );
    store.put(any({ ...first[0]!, metadata: { ...first[0]!.metadata, resourceVersion: "2" } }), any(pod("a")));
    store.commits[0]!.done(null, [true]);
    time.pass(60_000);
    const again = store.commits[1]!.batch[0]!;
    assert.deepEqual([again.creates.length, (again.updates[0] as unknown as Event).count], [0, 2]);
  });
});
