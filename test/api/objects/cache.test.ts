import assert from "node:assert/strict";
import type { AnyObject } from "../../../src/api/object.js";
import { InvariantError } from "../../../src/base/errors.js";
import { ObjectCache } from "../../../src/objects/cache.js";
import type { Changes } from "../../../src/objects/changes.js";
import { storeKey } from "../../../src/objects/keys.js";
import type { ObjectChange } from "../../../src/objects/object-index.js";
import { changesToTxn, explainRefusal, mergeChanges, noChanges } from "../../../src/objects/transaction.js";
import { openLocalStore } from "../../../store/local-store.js";
import type { Store } from "../../../store/store.js";
import { quietEnv, quietLog } from "./quiet-env.js";

function pod(namespace: string, name: string, more: Partial<AnyObject["metadata"]> = {}, nodeName?: string): AnyObject {
  const metadata = { name, namespace, uid: `${namespace}/${name}`, ...more };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
  };
}

const owned = (uid: string): NonNullable<AnyObject["metadata"]["ownerReferences"]> => [
  { apiVersion: "apps/v1", kind: "ReplicaSet", name: "set", uid },
];

const names = (objects: readonly AnyObject[]): readonly string[] => objects.map(({ metadata }) => metadata.name);

describe("object cache", () => {
  let store: Store & { close(): Promise<void> };
  let cache: ObjectCache;

  beforeEach(async () => {
    store = await openLocalStore(quietEnv());
    cache = new ObjectCache(store, quietLog);
  });
  afterEach(async () => {
    cache.close();
    await store.close();
  });

  async function write(changes: Partial<Changes>): Promise<boolean> {
    const txn = changesToTxn({ ...noChanges, ...changes });
    const [result] = await store.write({ txns: [txn], origin: "test" });
    return result?.succeeded === true;
  }

  function get(namespace: string, name: string): AnyObject {
    const found = cache.snapshot().get("/Pod", namespace, name);
    assert.ok(found !== undefined, `${namespace}/${name} is there`);
    return found;
  }

  const without = (object: AnyObject): Changes["removes"][number] => ({
    groupKind: "/Pod",
    namespace: object.metadata.namespace ?? "",
    name: object.metadata.name,
    resourceVersion: object.metadata.resourceVersion ?? "",
  });

  it("shows what was written, at the revision it was written", async () => {
    assert.ok(await write({ creates: [pod("a", "x")] }));
    assert.equal(cache.revision, store.revision());
    assert.equal(get("a", "x").metadata.resourceVersion, "1");
    assert.equal(cache.snapshot().byUid("a/x"), get("a", "x"));
    assert.throws(() => Object.assign(get("a", "x").metadata, { name: "y" }), TypeError);
  });

  it("lists in key order, of one Namespace or of all", async () => {
    await write({ creates: [pod("b", "z"), pod("a", "b-1"), pod("a", "b"), pod("a-b", "q")] });
    const snapshot = cache.snapshot();
    assert.deepEqual(names(snapshot.list("/Pod")), ["q", "b", "b-1", "z"]);
    assert.deepEqual(names(snapshot.list("/Pod", "a")), ["b", "b-1"]);
    assert.deepEqual(snapshot.list("/Pod", "c"), []);
    assert.deepEqual(snapshot.list("apps/Deployment"), []);
  });

  it("follows nodes, owners and uids as they change", async () => {
    await write({ creates: [pod("a", "x", { ownerReferences: owned("1") }), pod("a", "y", {}, "n1")] });
    assert.deepEqual(names(cache.snapshot().podsOnNode("")), ["x"]);
    const bound = { ...get("a", "x"), spec: { containers: [], nodeName: "n1" } };
    await write({ updates: [bound] });
    assert.deepEqual(names(cache.snapshot().podsOnNode("n1")), ["x", "y"]);
    assert.deepEqual(cache.snapshot().podsOnNode(""), []);
    const adopted = { ...get("a", "x"), metadata: { ...get("a", "x").metadata, ownerReferences: owned("2") } };
    await write({ updates: [adopted] });
    assert.deepEqual(cache.snapshot().ownedBy("1"), []);
    assert.deepEqual(names(cache.snapshot().ownedBy("2")), ["x"]);
    assert.deepEqual(cache.snapshot().ownedBy("2", "apps/ReplicaSet"), []);
    await write({ removes: [without(get("a", "x"))] });
    assert.deepEqual(cache.snapshot().ownedBy("2"), []);
    assert.deepEqual(names(cache.snapshot().podsOnNode("n1")), ["y"]);
    assert.equal(cache.snapshot().byUid("a/x"), undefined);
  });

  it("knows a new object of an old name by its own uid only", async () => {
    await write({ creates: [pod("a", "x", { uid: "1" })] });
    const successor = { ...get("a", "x"), metadata: { ...get("a", "x").metadata, uid: "2" } };
    await write({ updates: [successor] });
    assert.equal(cache.snapshot().byUid("1"), undefined);
    assert.equal(cache.snapshot().byUid("2")?.metadata.name, "x");
  });

  it("gives the same snapshot until something changes, and none of an old state after that", async () => {
    await write({ creates: [pod("a", "x")] });
    const before = cache.snapshot();
    const list = before.list("/Pod");
    assert.equal(cache.snapshot(), before);
    await write({ creates: [pod("a", "y")] });
    assert.throws(() => before.list("/Pod"), InvariantError);
    assert.throws(() => before.get("/Pod", "a", "x"), InvariantError);
    assert.equal(list.length, 1, "a list handed out stays as it was");
    assert.equal(cache.snapshot().list("/Pod").length, 2);
  });

  it("tells all changes of one revision together, after taking them in", async () => {
    const told: (readonly ObjectChange[])[] = [];
    const subscription = cache.onChanges((changes, revision) => {
      assert.equal(cache.snapshot().revision, revision);
      told.push(changes);
    });
    await write({ creates: [pod("a", "x"), pod("a", "y")] });
    await write({ updates: [pod("a", "x", get("a", "x").metadata, "n")], removes: [without(get("a", "y"))] });
    subscription.close();
    await write({ creates: [pod("a", "z")] });
    const shapes = told.map((changes) =>
      changes.map(({ before, after }) => `${before?.metadata.name ?? "-"}>${after?.metadata.name ?? "-"}`).sort(),
    );
    assert.deepEqual(shapes, [
      ["->x", "->y"],
      ["x>x", "y>-"],
    ]);
  });

  it("starts from what is there and reads everything again when its watch breaks off", async () => {
    await write({ creates: [pod("a", "x"), pod("a", "y"), pod("a", "z")] });
    let breakOff: ((error: Error) => void) | undefined;
    const second = new ObjectCache(
      new Proxy(store, {
        get: (target, name) =>
          name === "watch" && breakOff === undefined
            ? (...[, , observer]: Parameters<Store["watch"]>) => {
                breakOff = (error) => observer.onError(error);
                return { close: () => undefined };
              }
            : (Reflect.get(target, name) as (...given: unknown[]) => unknown).bind?.(target),
      }),
      quietLog,
    );
    assert.equal(second.snapshot().list("/Pod").length, 3);
    const told: string[] = [];
    second.onChanges((changes) => {
      for (const { before, after } of changes)
        told.push(`${before?.metadata.name ?? "-"}>${after?.metadata.name ?? "-"}`);
    });
    await write({
      creates: [pod("a", "w")],
      removes: [without(get("a", "x"))],
      updates: [{ ...get("a", "y"), spec: {} }],
    });
    assert.deepEqual(told, [], "it was cut off and heard nothing");
    breakOff?.(new Error("compacted"));
    assert.deepEqual(new Set(told), new Set(["->w", "x>-", "y>y"]));
    await write({ creates: [pod("a", "v")] });
    assert.deepEqual(names(second.snapshot().list("/Pod")), ["v", "w", "y", "z"]);
    second.close();
  });

  describe("changes as a transaction", () => {
    const peek = (key: string): ReturnType<Store["peek"]> => store.peek(key);

    it("are refused as a whole when an object exists already", async () => {
      await write({ creates: [pod("a", "x")] });
      const changes = { ...noChanges, creates: [pod("a", "w"), pod("a", "x")] };
      assert.ok(!(await write(changes)));
      assert.equal(cache.snapshot().get("/Pod", "a", "w"), undefined);
      assert.equal(explainRefusal(changes, peek).reason, "AlreadyExists");
      assert.equal(explainRefusal(changes, peek).message, 'pods "x" already exists');
    });

    it("are refused when an object they were decided from has changed or gone", async () => {
      await write({ creates: [pod("a", "x"), pod("a", "y")] });
      const [x, y] = [get("a", "x"), get("a", "y")];
      assert.ok(await write({ updates: [{ ...x, spec: {} }] }));
      for (const part of [
        { updates: [x] },
        { removes: [without(x)] },
        { unchanged: [without(x)], removes: [without(y)] },
      ]) {
        const changes = mergeChanges([noChanges, { ...noChanges, ...part }]);
        assert.ok(!(await write(changes)));
        assert.equal(explainRefusal(changes, peek).reason, "Conflict");
      }
      assert.ok(await write({ removes: [without(get("a", "x"))], unchanged: [without(y)] }));
      assert.equal(explainRefusal({ ...noChanges, updates: [x] }, peek).reason, "NotFound");
      assert.equal(store.peek(storeKey(without(x))), undefined);
    });

    it("must name the revision they were decided from", () => {
      assert.throws(() => changesToTxn({ ...noChanges, updates: [pod("a", "x")] }), InvariantError);
    });
  });
});
