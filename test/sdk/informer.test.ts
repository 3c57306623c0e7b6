import assert from "node:assert/strict";
import { Client, IkadaError, type AnyObject, type ConfigMap, type InformerOptions } from "../../sdk/index.js";
import { Informer } from "../../sdk/informer.js";
import { eventually, TestCluster, tokens, wrapped } from "../server/harness.js";
import { configMap } from "../server/objects.js";

const namespace = "default";

/** A ConfigMap as a server gives it. */
function stored(
  name: string,
  revision: number,
  more: { readonly uid?: string; readonly app?: string } = {},
): AnyObject {
  const { uid = `uid-${name}`, app = "web" } = more;
  return configMap(name, {}, { uid, resourceVersion: String(revision), labels: { app } });
}

const page = (revision: number, ...objects: AnyObject[]) => ({ objects, revision, next: "" });
const event = (type: string, object: AnyObject) => ({
  type,
  object,
  revision: Number(object.metadata.resourceVersion),
});
const compacted = () => new IkadaError("Compacted", "too old", { revision: 1 });

/** Plays these lists and watches by turns; a function throws. After the last one the watch stays open. */
function scripted(steps: readonly (object | (() => Error))[], options: InformerOptions<AnyObject, "app"> = {}) {
  const asked: object[] = [];
  let at = 0;
  const take = (): unknown => {
    const step = steps[at];
    at += 1;
    if (typeof step === "function") throw (step as () => Error)();
    return step;
  };
  const client = {
    listPage: async (_kind: string, { notOlderThan, continue: next }: Record<string, unknown>) => {
      asked.push({ ...(notOlderThan !== undefined && { notOlderThan }), ...(next !== undefined && { next }) });
      return await Promise.resolve(take());
    },
    async *watch(_kind: string, { revision, signal }: { revision: number; signal: AbortSignal }) {
      asked.push({ watch: revision });
      while (at < steps.length) {
        const step = take();
        if (step === "broken") return;
        yield step;
      }
      await new Promise((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(new IkadaError("Cancelled", "aborted"))),
      );
    },
  } as unknown as Client;
  const indexes = { app: { label: "app" } };
  const informer = new Informer(client, "configmaps", { indexes, ...options }, () => undefined);
  const told: string[] = [];
  const version = ({ metadata }: AnyObject) => `${metadata.name}@${metadata.resourceVersion}`;
  informer.on({
    added: (object) => told.push(`added ${version(object)}`),
    updated: (object, old) => told.push(`updated ${version(object)} from ${version(old)}`),
    deleted: (object) => told.push(`deleted ${version(object)}`),
  });
  return { informer, asked, told, isDone: () => at === steps.length };
}

describe("an informer", () => {
  it("lists, then follows from the list's revision, with indexes", async () => {
    const { informer, asked, told } = scripted([
      page(5, stored("a", 2), stored("b", 5)),
      event("ADDED", stored("c", 6)),
      event("MODIFIED", stored("a", 7, { app: "db" })),
      event("DELETED", stored("b", 8)),
      { type: "BOOKMARK", revision: 9 },
    ]);
    await informer.synced;
    await eventually(() => informer.revision === 9);
    assert.deepEqual(told, ["added a@2", "added b@5", "added c@6", "updated a@7 from a@2", "deleted b@8"]);
    assert.deepEqual(asked, [{}, { watch: 5 }]);
    assert.equal(informer.size, 2);
    assert.deepEqual(
      informer
        .list()
        .map(({ metadata }) => metadata.name)
        .sort(),
      ["a", "c"],
    );
    assert.deepEqual(informer.by("app", "web"), [informer.get("c", namespace)]);
    assert.deepEqual(informer.by("app", "db"), [informer.get("a", namespace)]);
    assert.equal(informer.get("b", namespace), undefined);
    assert.throws(() => informer.by("other" as "app", "x"), { reason: "BadRequest" });
    await informer.close();
  });

  it("lists anew after Compacted, not older than it is, and tells what it had missed", async () => {
    const { informer, asked, told, isDone } = scripted([
      page(5, stored("gone", 1), stored("replaced", 2), stored("changed", 3), stored("kept", 4)),
      { type: "BOOKMARK", revision: 8 },
      compacted,
      page(20, stored("new", 12), stored("changed", 13), stored("replaced", 14, { uid: "another" }), stored("kept", 4)),
    ]);
    await informer.synced;
    const kept = informer.get("kept", namespace);
    await eventually(() => isDone() && informer.revision === 20);
    // What has not changed is not held twice.
    assert.equal(informer.get("kept", namespace), kept);
    assert.deepEqual(asked, [{}, { watch: 5 }, { notOlderThan: 8 }, { watch: 20 }]);
    assert.deepEqual(told.slice(4), [
      "deleted gone@1",
      "added new@12",
      "updated changed@13 from changed@3",
      "deleted replaced@2",
      "added replaced@14",
    ]);
    assert.deepEqual(
      informer
        .by("app", "web")
        .map(({ metadata }) => metadata.name)
        .sort(),
      ["changed", "kept", "new", "replaced"],
    );
    await informer.close();
  });

  it("goes on through servers that are away, and through lists that are compacted between pages", async () => {
    const { informer, asked } = scripted([
      () => new IkadaError("Unavailable", "no server"),
      { objects: [stored("a", 1)], revision: 3, next: "token" },
      compacted,
      () => new IkadaError("Deadline", "too slow"),
      page(9, stored("b", 8)),
    ]);
    await informer.synced;
    assert.deepEqual(asked.slice(0, 5), [{}, {}, { next: "token" }, {}, {}]);
    // The page that was not followed by its end counts for nothing.
    assert.deepEqual(
      informer.list().map(({ metadata }) => metadata.name),
      ["b"],
    );
    await informer.close();
  });

  it("goes back in time only when the cluster did", async () => {
    const restored = () => new IkadaError("BadRequest", "there is no revision 9 yet", { revision: 4 });
    const { informer, asked, told, isDone } = scripted([
      page(9, stored("a", 9)),
      restored,
      page(4, stored("a", 3)),
      event("MODIFIED", stored("a", 5)),
    ]);
    await eventually(() => isDone() && informer.revision === 5);
    assert.deepEqual(asked, [{}, { watch: 9 }, {}, { watch: 4 }]);
    assert.deepEqual(told, ["added a@9", "updated a@3 from a@9", "updated a@5 from a@3"]);
    await informer.close();
  });

  it("ends with what does not pass, before it is synced and after", async () => {
    const forbidden = () => new IkadaError("Forbidden", "no");
    const early = scripted([forbidden]).informer;
    await assert.rejects(early.synced, { reason: "Forbidden" });
    const late = scripted([page(2, stored("a", 1)), forbidden]).informer;
    await assert.rejects(late.ended, { reason: "Forbidden" });
    await late.synced;
    assert.equal(late.get("a", namespace)?.metadata.name, "a");
    const large = scripted([page(2, stored("a", 1)), event("ADDED", stored("b", 3))], { objectsMax: 1 }).informer;
    await assert.rejects(large.ended, { reason: "TooLarge" });
  });

  it("ends with what a handler throws, whatever that is", async () => {
    const { informer } = scripted([page(2, stored("a", 1))]);
    const thrown = new IkadaError("Unavailable", "of the handler's own");
    informer.on({
      added: () => {
        throw thrown;
      },
    });
    await assert.rejects(informer.ended, thrown);
  });

  it("says nothing after close, and ends at its deadline and its signal", async () => {
    const { informer, told } = scripted([page(5, stored("a", 2), stored("b", 3))]);
    informer.on({ added: () => void informer.close() });
    await assert.rejects(
      informer.synced.then(() => informer.ended.then(() => Promise.reject(new Error("closed")))),
      {
        message: "closed",
      },
    );
    assert.deepEqual(told, ["added a@2"]);
    const controller = new AbortController();
    const signalled = scripted([page(5)], { signal: controller.signal }).informer;
    await signalled.synced;
    controller.abort();
    await signalled.ended;
    const unavailable = () => new IkadaError("Unavailable", "no server");
    const slow = scripted(
      Array.from({ length: 50 }, () => unavailable),
      { deadlineMs: 100 },
    ).informer;
    await assert.rejects(slow.synced, { reason: "Deadline" });
    const never = scripted([unavailable]).informer;
    await never.close();
    await assert.rejects(never.synced, { reason: "Cancelled" });
  });

  it("hands out objects that can't be changed, and gives a late handler what there is", async () => {
    const { informer } = scripted([page(5, stored("a", 2))]);
    await informer.synced;
    const object = informer.get("a", namespace) as unknown as { metadata: { labels: Record<string, string> } };
    assert.throws(() => (object.metadata.labels["app"] = "db"), TypeError);
    const names: string[] = [];
    const off = informer.on({ added: ({ metadata }) => names.push(metadata.name) });
    off();
    assert.deepEqual(names, ["a"]);
    await informer.close();
  });
});

describe("an informer of a real cluster", () => {
  it("stays the same as the cluster over a dead server and a compaction", async () => {
    let refuse = 0;
    const cluster = await TestCluster.start(2, {
      storeOf: (store) => ({
        ...wrapped(store, {}),
        watch: (prefix, from, observer) => {
          if (refuse > 0) {
            refuse -= 1;
            throw compacted();
          }
          return store.watch(prefix, from, observer);
        },
      }),
    });
    const endpoints = cluster.addresses.map(({ api }) => api);
    const client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
    try {
      for (let at = 0; at < 5; at += 1) await client.create(configMap(`c${at}`, { at: "0" }));
      const informer = client.configMaps.informer({
        namespace,
        indexes: { at: ({ data }: ConfigMap) => data?.["at"] },
      });
      const present = new Map<string, string | undefined>();
      informer.on({
        added: ({ metadata, data }) => present.set(metadata.name, data?.["at"]),
        updated: ({ metadata, data }) => present.set(metadata.name, data?.["at"]),
        deleted: ({ metadata }) => present.delete(metadata.name),
      });
      await informer.synced;
      assert.equal(informer.by("at", "0").length, 5);
      await client.configMaps.modify("c0", (copy) => void (copy.data = { at: "1" }), { namespace });
      await eventually(() => present.get("c0") === "1");
      // Whichever server it is at goes down or refuses to go on; meanwhile an object goes.
      refuse = 1;
      cluster.leader = 2;
      await cluster.kill(1);
      await client.configMaps.delete("c1", { namespace });
      await client.create(configMap("c9", { at: "1" }));
      await eventually(() => present.get("c9") === "1" && !present.has("c1"));
      assert.deepEqual([...present.keys()].sort(), ["c0", "c2", "c3", "c4", "c9"]);
      assert.deepEqual(
        informer
          .by("at", "1")
          .map(({ metadata }) => metadata.name)
          .sort(),
        ["c0", "c9"],
      );
      await client.close();
      // The client takes its informers with it.
      await informer.ended;
    } finally {
      await client.close();
      await cluster.close();
    }
  });

  it("waits for a server that is behind, and does not go back to what that one has", async () => {
    let present = Infinity;
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const cluster = await TestCluster.start(2, {
      storeOf: (store, id) =>
        id === 1
          ? store
          : {
              ...wrapped(store, {}),
              revision: () => Math.min(present, store.revision()),
              barrier: async (options) => {
                if (present < Infinity) await released;
                return store.barrier(options);
              },
            },
    });
    const endpoints = cluster.addresses.map(({ api }) => api);
    const client = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
    try {
      await client.create(configMap("a", {}));
      present = cluster.store.revision();
      const told: string[] = [];
      const informer = client.configMaps.informer({ namespace });
      informer.on({
        added: ({ metadata }) => told.push(`added ${metadata.name}`),
        deleted: ({ metadata }) => told.push(`deleted ${metadata.name}`),
      });
      await informer.synced;
      // Two, because a watch asks again for the revision that it saw last.
      for (const name of ["b", "c"]) await client.create(configMap(name));
      await eventually(() => informer.size === 3);
      const { revision } = informer;
      cluster.leader = 2;
      await cluster.kill(1);
      await cluster.seed(configMap("d", {}, { uid: "uid-d" }));
      await eventually(() => client.connection.status.lastError?.server === endpoints[0]);
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual([informer.revision, informer.size], [revision, 3]);
      present = Infinity;
      release();
      await eventually(() => informer.size === 4);
      assert.deepEqual(told, ["added a", "added b", "added c", "added d"]);
    } finally {
      await client.close();
      await cluster.close();
    }
  });
});
