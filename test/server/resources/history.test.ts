import assert from "node:assert/strict";
import type * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { limits } from "../../../src/base/limits.js";
import { apiMethods } from "../../../src/host/api-methods.js";
import { callUnary } from "../../../src/host/grpc.js";
import { bearer, TestCluster, tokens } from "../harness.js";
import { configMap, deployment, read } from "../objects.js";
import { referenceTo, Verbs } from "./verbs.js";

const metadata = bearer(tokens.admin);
const typeNames = ["", "created", "changed", "deleted"];

describe("time travel", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  let client: grpc.Client;
  before(async () => {
    cluster = await TestCluster.start(1);
    client = cluster.client("api");
    verbs = new Verbs(client);
  });
  after(() => cluster.close());

  const history = (kind: string, name: string, more: Omit<ikada.api.v1.IHistoryRequest, "reference"> = {}) =>
    callUnary(client, apiMethods.history, { reference: referenceTo(kind, name), ...more }, { metadata });
  const undo = (kind: string, name: string, revision: number, options: ikada.api.v1.IWriteOptions = {}) =>
    callUnary(client, apiMethods.undo, { reference: referenceTo(kind, name), revision, options }, { metadata });
  const told = ({ changes }: ikada.api.v1.HistoryResponse) =>
    changes.map(({ type, revision }) => `${typeNames[type ?? 0]} ${revision}`);
  const revisionOf = async (write: Promise<{ readonly object?: ikada.api.v1.IObject | null }>): Promise<number> =>
    (await write).object?.revision ?? 0;

  describe("history", () => {
    it("tells each change of an object with its fields and who made it", async () => {
      const created = await revisionOf(verbs.create(deployment("web", 1), { fieldManager: "maker" }));
      await verbs.create(deployment("web-2", 1));
      const options = { fieldManager: "scaler" };
      const scaled = await revisionOf(verbs.scale("deploy", "web", 3, options));
      const image = { spec: { template: { spec: { containers: [{ name: "web", image: "hello:2", tty: true }] } } } };
      const strategic = { type: ikada.api.v1.PatchRequest.Type.STRATEGIC, options: { fieldManager: "patcher" } };
      const patched = await revisionOf(verbs.patch("deploy", "web", image, strategic));
      const status = { subresource: "status", options: { fieldManager: "reporter" } };
      const reported = await revisionOf(verbs.patch("deploy", "web", { status: { replicas: 1 } }, status));
      const unlabelled = { metadata: { labels: null }, spec: { replicas: 4 } };
      const removed = await revisionOf(verbs.patch("deploy", "web", unlabelled, { options }));
      const { changes, before, compacted: isCut } = await history("deploy", "web");
      assert.deepEqual([before, isCut], [0, false]);
      const shown = changes.map(({ type, revision, writers, added, modified, removed: gone }) => ({
        what: `${typeNames[type ?? 0]} ${revision}`,
        who: (writers ?? []).map(({ manager, operation, subresource }) => `${manager} ${operation} ${subresource}`),
        fields: [added, modified, gone],
      }));
      const container = 'spec.template.spec.containers[name="web"]';
      assert.deepEqual(shown, [
        {
          what: `changed ${removed}`,
          who: ["scaler Update "],
          fields: [[], ["spec.replicas"], ["metadata.labels.app"]],
        },
        { what: `changed ${reported}`, who: ["reporter Update status"], fields: [["status.replicas"], [], []] },
        {
          what: `changed ${patched}`,
          who: ["patcher Update "],
          fields: [[`${container}.tty`], [`${container}.image`], []],
        },
        { what: `changed ${scaled}`, who: ["scaler Update scale"], fields: [[], ["spec.replicas"], []] },
        { what: `created ${created}`, who: ["maker Update "], fields: [[], [], []] },
      ]);
      for (const { time, uid, origin } of changes) {
        assert.equal(origin, "admin:alice");
        assert.match(time ?? "", /^\d{4}-\d\d-\d\dT/);
        assert.equal(uid, read((await verbs.get("deploy", "web")).object).metadata.uid);
      }
    });

    it("gives pages, from any revision", async () => {
      await verbs.create(configMap("paged"));
      const revisions: number[] = [];
      for (const value of ["1", "2", "3", "4"])
        revisions.push(await revisionOf(verbs.patch("cm", "paged", { data: { value } })));
      const all = told(await history("cm", "paged"));
      const pages: string[] = [];
      let revision = 0;
      do {
        const page = await history("cm", "paged", { limit: 2, revision });
        assert.ok(page.changes.length <= 2);
        pages.push(...told(page));
        revision = page.before;
      } while (revision !== 0);
      assert.deepEqual(pages, all);
      assert.equal(all.length, 5);
      const from = await history("cm", "paged", { revision: revisions[1] ?? 0 });
      assert.deepEqual(told(from), all.slice(2));
      await assert.rejects(history("cm", "paged", { revision: cluster.store.revision() + 9 }), {
        reason: "BadRequest",
      });
    });

    it("gives short pages of large objects", async () => {
      await verbs.create(configMap("heavy", { text: "x".repeat(900 * 1024) }));
      for (const value of ["1", "2", "3", "4", "5"]) await verbs.patch("cm", "heavy", { data: { value } });
      const first = await history("cm", "heavy");
      assert.ok(first.changes.length < 6 && first.before > 0);
      const second = await history("cm", "heavy", { revision: first.before });
      assert.equal(told(first).length + told(second).length, 6);
    });

    it("finds what is gone, and earlier objects of the name", async () => {
      const lives: string[] = [];
      for (const value of ["1", "2"]) {
        lives.unshift(`created ${await revisionOf(verbs.create(configMap("again", { value })))}`);
        for (let at = 0; at < 9; at += 1) await verbs.create(configMap(`between-${value}-${at}`));
        const changed = await revisionOf(verbs.patch("cm", "again", { data: { value: "x" } }));
        lives.unshift(`changed ${changed}`);
        for (let at = 0; at < 3; at += 1) await verbs.delete("cm", `between-${value}-${at}`);
        await verbs.delete("cm", "again");
        lives.unshift(`deleted ${cluster.store.revision()}`);
        for (let at = 3; at < 9; at += 1) await verbs.delete("cm", `between-${value}-${at}`);
      }
      assert.deepEqual(told(await history("cm", "again")), lives);
      const none = await history("cm", "never");
      assert.deepEqual([none.changes, none.before, none.compacted], [[], 0, false]);
    });

    it("bounds the fields of one change", async () => {
      await verbs.create(configMap("long"));
      const keys = Array.from({ length: limits.historyFieldsMax + 6 }, (_, at) => [`key-${at}`, "x"]);
      await verbs.patch("cm", "long", { data: Object.fromEntries(keys) });
      const [many] = (await history("cm", "long")).changes;
      assert.deepEqual([many?.added?.length, many?.moreFields], [limits.historyFieldsMax, 6]);
    });

    it("says where older changes are not kept", async () => {
      const short = await TestCluster.start(1);
      try {
        const server = short.client("api");
        const own = new Verbs(server);
        const page = (revision = 0) =>
          callUnary(server, apiMethods.history, { reference: referenceTo("cm", "cut"), revision }, { metadata });
        const created = await revisionOf(own.create(configMap("cut")));
        await own.patch("cm", "cut", { data: { a: "0" } });
        const first = await revisionOf(own.patch("cm", "cut", { data: { a: "1" } }));
        const second = await revisionOf(own.patch("cm", "cut", { data: { a: "2" } }));
        await short.store.compact(first);
        const cut = await page();
        assert.deepEqual(told(cut), [`changed ${second}`, `changed ${first}`]);
        assert.deepEqual([cut.before, cut.compacted], [0, true]);
        assert.deepEqual([cut.changes[0]?.modified, cut.changes[1]?.modified], [["data.a"], []]);
        const past = await page(created);
        assert.deepEqual([past.changes, past.before, past.compacted], [[], 0, true]);
      } finally {
        await short.close();
      }
    });

    it("does not show a Secret's to those who may only view", async () => {
      const view = { metadata: bearer(tokens.view) };
      const reference = referenceTo("secret", "hidden");
      await assert.rejects(callUnary(client, apiMethods.history, { reference }, view), { reason: "Forbidden" });
    });
  });

  it("finds the revision of a time", async () => {
    const revisionAt = async (timeMs: number): Promise<number> =>
      (await callUnary(client, apiMethods.revisionAt, { timeMs }, { metadata })).revision;
    const made = await revisionOf(verbs.create(configMap("timed")));
    const { changes } = await cluster.store.changes({ key: "/objects/core/configmaps/default/timed", limit: 1 });
    const timeMs = changes[0]?.timeMs ?? 0;
    assert.ok((await revisionAt(timeMs)) >= made);
    assert.ok((await revisionAt(timeMs - 1)) < made);
    assert.equal(await revisionAt(timeMs + 3_600_000), cluster.store.revision());
    await assert.rejects(revisionAt(-1), { reason: "BadRequest" });
  });

  describe("undo", () => {
    it("writes back all but the status, as an update", async () => {
      const then = await revisionOf(verbs.create(deployment("undone", 1)));
      await verbs.patch("deploy", "undone", { spec: { replicas: 5 }, metadata: { labels: { new: "yes" } } });
      await verbs.patch("deploy", "undone", { status: { replicas: 5 } }, { subresource: "status" });
      const before = read((await verbs.get("deploy", "undone")).object);
      const tried = await undo("deploy", "undone", then, { dryRun: true });
      assert.equal(tried.changed, true);
      assert.deepEqual(read((await verbs.get("deploy", "undone")).object), before);
      const done = await undo("deploy", "undone", then, { fieldManager: "undoer" });
      const after = read(done.object);
      assert.deepEqual([done.created, done.changed], [false, true]);
      assert.equal(after.spec.replicas, 1);
      assert.deepEqual(after.metadata.labels, { app: "undone" });
      assert.deepEqual(after.status, before.status);
      assert.equal(after.metadata.generation, 3);
      assert.equal(after.metadata.uid, before.metadata.uid);
      const [last] = (await history("deploy", "undone")).changes;
      assert.deepEqual(
        last?.writers?.map(({ manager }) => manager),
        ["undoer"],
      );
      assert.equal((await undo("deploy", "undone", then)).changed, false);
    });

    it("makes anew what is gone", async () => {
      const finalizers = ["example.com/hold"];
      await verbs.create(configMap("lost", { a: "1" }, { labels: { a: "b" }, finalizers }));
      await verbs.delete("cm", "lost", { propagation: "Foreground" });
      const marked = cluster.store.revision();
      await assert.rejects(undo("cm", "lost", marked), { reason: "Conflict" });
      await verbs.patch("cm", "lost", { metadata: { finalizers: null } });
      await assert.rejects(verbs.get("cm", "lost"), { reason: "NotFound" });
      const options = { request: { client: "undo", sequence: 1 } };
      const done = await undo("cm", "lost", marked, options);
      const made = read(done.object);
      assert.equal(done.created, true);
      assert.deepEqual(
        [made.data, made.metadata.labels, made.metadata.finalizers],
        [{ a: "1" }, { a: "b" }, finalizers],
      );
      assert.equal(made.metadata.deletionTimestamp, undefined);
      assert.equal((await undo("cm", "lost", marked, options)).object?.revision, done.object?.revision);
      await assert.rejects(undo("cm", "lost", marked), { reason: "Conflict", message: /another object/ });
    });

    it("refuses by the rules for updates, and what makes no sense", async () => {
      const unlocked = await revisionOf(verbs.create(configMap("locked", { a: "1" })));
      await verbs.patch("cm", "locked", { data: { a: "2" }, immutable: true });
      await assert.rejects(undo("cm", "locked", unlocked), { reason: "Invalid" });
      await assert.rejects(undo("cm", "locked", 0), { reason: "BadRequest" });
      await assert.rejects(undo("cm", "locked", unlocked - 1), { reason: "NotFound" });
      await assert.rejects(undo("cm", "locked", cluster.store.revision() + 9), { reason: "BadRequest" });
      await cluster.store.compact(cluster.store.revision());
      await assert.rejects(undo("cm", "locked", unlocked), { reason: "Compacted" });
    });
  });
});
