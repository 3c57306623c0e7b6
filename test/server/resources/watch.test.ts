import assert from "node:assert/strict";
import type * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { IkadaError } from "../../../src/base/errors.js";
import { limits } from "../../../src/base/limits.js";
import { apiMethods } from "../../../src/host/api-methods.js";
import { callServerStream, callUnary, type Encoded, readStream } from "../../../src/host/grpc.js";
import { kindOf } from "../../../src/api/registry.js";
import { selectionOf } from "../../../src/server/resources/selection.js";
import { encodeEvent, WatchQueue } from "../../../src/server/resources/watch-queue.js";
import { SharedEncoding } from "../../../src/server/shared-encoding.js";
import { recordOf } from "../../../src/server/resources/wire.js";
import { bearer, eventually, TestCluster, tokens } from "../harness.js";
import { configMap, read, wire } from "../objects.js";

const metadata = bearer(tokens.admin);
const configMaps = { group: "", version: "v1", kind: "ConfigMap", namespace: "default" };
const typeNames = ["", "ADDED", "MODIFIED", "DELETED", "BOOKMARK"];

describe("lists and watches", () => {
  let cluster: TestCluster;
  let client: grpc.Client;

  before(async () => {
    cluster = await TestCluster.start(2);
    client = cluster.client("api", 2);
  });
  after(() => cluster.close());

  const create = (name: string, labels: Record<string, string> = {}, data: Record<string, string> = {}) =>
    callUnary(client, apiMethods.create, { object: wire(configMap(name, data, { labels })) }, { metadata });
  const patch = (name: string, json: object) =>
    callUnary(
      client,
      apiMethods.patch,
      { reference: { ...configMaps, name }, json: new TextEncoder().encode(JSON.stringify(json)) },
      { metadata },
    );
  const remove = (name: string) =>
    callUnary(client, apiMethods.delete, { reference: { ...configMaps, name } }, { metadata });
  const list = (request: ikada.api.v1.IListRequest) =>
    callUnary(client, apiMethods.list, { ...configMaps, ...request }, { metadata });

  /** Collects `ADDED name` lines until it is stopped; bookmarks apart. */
  function follow(request: ikada.api.v1.IWatchRequest, server = client) {
    const lines: string[] = [];
    const bookmarks: number[] = [];
    const controller = new AbortController();
    const call = callServerStream(
      server,
      apiMethods.watch,
      { ...configMaps, ...request },
      { metadata, signal: controller.signal },
    );
    const run = async () => {
      for await (const event of readStream(call)) {
        if (event.object) {
          lines.push(`${typeNames[event.type]} ${event.object.name}`);
          assert.equal(read(event.object).metadata.resourceVersion, String(event.revision));
        } else bookmarks.push(event.revision);
      }
    };
    const ended = run().then(
      () => undefined,
      (error: unknown) => IkadaError.from(error),
    );
    return { lines, bookmarks, ended, stop: () => controller.abort() };
  }

  it("lists by labels and fields, page by page at one revision", async () => {
    for (let at = 0; at < 7; at++) await create(`page-${at}`, { part: at % 2 === 0 ? "even" : "odd" });
    const first = await list({ labelSelector: "part in (even,odd)", limit: 3 });
    assert.deepEqual(
      first.objects.map(({ name }) => name),
      ["page-0", "page-1", "page-2"],
    );
    await create("page-2a", { part: "even" });
    await remove("page-5");
    const names: unknown[] = [];
    for (let next = first.continue; next !== "";) {
      const page = await list({ labelSelector: "part in (even,odd)", limit: 3, continue: next });
      assert.equal(page.revision, first.revision);
      names.push(...page.objects.map(({ name }) => name));
      next = page.continue;
    }
    assert.deepEqual(names, ["page-3", "page-4", "page-5", "page-6"]);
    const byField = await list({ fieldSelector: "metadata.name=page-4" });
    assert.deepEqual(
      byField.objects.map(({ name }) => name),
      ["page-4"],
    );
    await assert.rejects(list({ fieldSelector: "spec.secret=1" }), { reason: "BadRequest" });
    await assert.rejects(list({ labelSelector: "a in b" }), { reason: "BadRequest" });
    await assert.rejects(list({ continue: "bm9uc2Vuc2U" }), { reason: "BadRequest" });
    await assert.rejects(list({ namespace: "other", continue: first.continue }), { reason: "BadRequest" });
  });

  it("cuts a page by bytes before a message gets too large", async () => {
    const data = { text: "x".repeat(600 * 1024) };
    for (let at = 0; at < 6; at++) await create(`heavy-${at}`, { heavy: "yes" }, data);
    let pages = 0;
    let objects = 0;
    let next = "";
    do {
      const page = await list({ labelSelector: "heavy=yes", continue: next });
      pages += 1;
      objects += page.objects.length;
      next = page.continue;
    } while (next !== "");
    assert.equal(objects, 6);
    assert.ok(pages >= 2);
  });

  it("tells what there is, a bookmark, and then what changes, as the selector sees it", async () => {
    await create("seen", { watch: "me" });
    await create("unseen", { watch: "not" });
    const watch = follow({ labelSelector: "watch=me" });
    await eventually(() => watch.bookmarks.length > 0);
    assert.deepEqual(watch.lines, ["ADDED seen"]);
    await patch("unseen", { data: { a: "1" } });
    await patch("unseen", { metadata: { labels: { watch: "me" } } });
    await patch("seen", { data: { a: "1" } });
    await patch("seen", { metadata: { labels: { watch: "no more".replaceAll(" ", "-") } } });
    await patch("seen", { data: { a: "2" } });
    await remove("unseen");
    await eventually(() => watch.lines.length >= 5);
    watch.stop();
    assert.equal((await watch.ended)?.reason, "Cancelled");
    assert.deepEqual(watch.lines, ["ADDED seen", "ADDED unseen", "MODIFIED seen", "DELETED seen", "DELETED unseen"]);
  });

  it("goes on from a revision, without gaps, and tells progress by bookmarks", async () => {
    const before = (await create("from")).object?.revision ?? 0;
    await patch("from", { data: { a: "1" } });
    await remove("from");
    await create("elsewhere", { other: "yes" });
    const watch = follow({ revision: before, fieldSelector: "metadata.name=from" });
    await eventually(() => watch.lines.length === 2 && watch.bookmarks.length > 0);
    assert.deepEqual(watch.lines, ["MODIFIED from", "DELETED from"]);
    assert.equal(watch.bookmarks[0], cluster.store.revision());
    const quiet = watch.bookmarks.length;
    await create("quiet");
    await eventually(() => watch.bookmarks.length > quiet);
    assert.equal(watch.bookmarks.at(-1), cluster.store.revision());
    watch.stop();
    await watch.ended;
  });

  it("gives what was queued before an end, and ends a slow watcher with a revision to go on from", () => {
    const kind = kindOf(configMap("x"));
    const { group, version } = kind;
    const request = { group, version, kind: kind.kind, namespace: "default", labelSelector: "", fieldSelector: "" };
    const batch = (revision: number, count: number) => ({
      revision,
      events: Array.from({ length: count }, (_, at) => {
        const record = recordOf(configMap(`r${revision}-${at}`, {}, { uid: "u" }), revision);
        return { type: "put" as const, key: record.key, record, previous: undefined };
      }),
    });
    const encoding = new SharedEncoding(encodeEvent);
    const ended = new WatchQueue(selectionOf(request), encoding, 1, () => 1);
    const nameOf = (message: Encoded | undefined) =>
      message && ikada.api.v1.WatchEvent.decode(message.bytes).object?.name;
    ended.onBatch(batch(2, 2));
    ended.onError(new IkadaError("Unavailable", "the store closes"));
    assert.equal(nameOf(ended.take()), "r2-0");
    assert.equal(nameOf(ended.take()), "r2-1");
    assert.throws(() => ended.take(), { reason: "Unavailable" });

    const slow = new WatchQueue(selectionOf(request), encoding, 1, () => 1);
    slow.onBatch(batch(2, 1));
    slow.onBatch(batch(3, 2));
    slow.take();
    slow.take();
    // Of revision 3 only the first event was taken, so revision 2 is the last whole one.
    assert.equal(slow.cut.aborted, false);
    slow.onBatch(batch(4, limits.watchQueueEventsMax + 1));
    assert.equal(slow.cut.aborted, true, "a write that waits for the client waits no longer");
    assert.throws(
      () => slow.take(),
      (error: IkadaError) => error.reason === "SlowWatcher" && error.details.revision === 2,
    );
  });

  it("refuses a revision that is not there yet, at once", async () => {
    const revision = cluster.store.revision() + 1000;
    const { ended } = follow({ revision });
    const refused = await ended;
    assert.equal(refused?.reason, "BadRequest");
    assert.match(refused.message, /there is no revision \d+ yet/);
    await assert.rejects(list({ revision }), { reason: "BadRequest" });
  });

  it("lists the past, page by page, and the present as new as asked for", async () => {
    await create("past-1", { past: "yes" });
    await create("past-2", { past: "yes" });
    const then = cluster.store.revision();
    await remove("past-1");
    await create("past-3", { past: "yes" });
    const { EXACT, NOT_OLDER_THAN } = ikada.api.v1.RevisionMatch;
    const labelSelector = "past=yes";
    const first = await list({ labelSelector, revision: then, match: EXACT, limit: 1 });
    assert.equal(first.revision, then);
    const second = await list({ labelSelector, limit: 1, continue: first.continue });
    const names = [...first.objects, ...second.objects].map(({ name }) => name);
    assert.deepEqual(names, ["past-1", "past-2"]);
    const wrong = list({ labelSelector, limit: 1, continue: first.continue, revision: then + 1 });
    await assert.rejects(wrong, { reason: "BadRequest" });
    const present = await list({ labelSelector, revision: then, match: NOT_OLDER_THAN });
    assert.deepEqual(
      present.objects.map(({ name }) => name),
      ["past-2", "past-3"],
    );
    assert.ok(present.revision > then);
    await assert.rejects(list({ match: NOT_OLDER_THAN }), { reason: "BadRequest" });
    await assert.rejects(list({ revision: then, match: 7 as never }), { reason: "BadRequest" });
  });

  it("gets an object as it was", async () => {
    const get = (revision: number, match = ikada.api.v1.RevisionMatch.EXACT) =>
      callUnary(client, apiMethods.get, { reference: { ...configMaps, name: "aged" }, revision, match }, { metadata });
    const before = cluster.store.revision();
    await create("aged-longer");
    const made = (await create("aged", {}, { a: "1" })).object?.revision ?? 0;
    const changed = (await patch("aged", { data: { a: "2" } })).object?.revision ?? 0;
    await remove("aged");
    assert.deepEqual(read((await get(made)).object).data, { a: "1" });
    assert.equal((await get(changed - 1)).object?.revision, made);
    assert.deepEqual(read((await get(changed)).object).data, { a: "2" });
    for (const revision of [before, cluster.store.revision(), 0])
      await assert.rejects(get(revision), { reason: "NotFound" });
    await assert.rejects(get(made, ikada.api.v1.RevisionMatch.NOT_OLDER_THAN), { reason: "NotFound" });
  });

  it("sends bookmarks as often as asked, or none", async () => {
    const quiet = await TestCluster.start(1, { bookmarkMs: 3_600_000 });
    try {
      const asked = follow({ revision: 1, bookmarkSeconds: 1, namespace: "elsewhere" }, quiet.client("api"));
      const usual = follow({ revision: 1, namespace: "elsewhere" }, quiet.client("api"));
      const never = follow({ revision: 1, bookmarkSeconds: 0, namespace: "elsewhere" });
      const often = follow({ revision: 1, namespace: "elsewhere" });
      await quiet.seed(configMap("bookmarked"));
      await create("bookmarked");
      await eventually(() => asked.bookmarks.at(-1) === quiet.store.revision());
      await eventually(() => often.bookmarks.at(-1) === cluster.store.revision());
      assert.deepEqual([usual.bookmarks, never.bookmarks], [[], []]);
      for (const watch of [asked, usual, never, often]) watch.stop();
    } finally {
      await quiet.close();
    }
    const refused = await follow({ bookmarkSeconds: 3601 }).ended;
    assert.equal(refused?.reason, "BadRequest");
  });

  it("says what to do when the past is no longer kept", async () => {
    const short = await TestCluster.start(1);
    try {
      for (const name of ["a", "b", "c"]) await short.seed(configMap(name));
      const server = short.client("api");
      const page = (request: ikada.api.v1.IListRequest) =>
        callUnary(server, apiMethods.list, { ...configMaps, limit: 1, ...request }, { metadata });
      const first = await page({});
      await short.seed(configMap("d"));
      const compact = short.store.revision();
      await short.store.compact(compact);
      const hint = (wanted: RegExp) => (error: IkadaError) =>
        error.reason === "Compacted" && error.details.revision === compact && wanted.test(error.details.hint ?? "");
      await assert.rejects(page({ continue: first.continue }), hint(/begin the list anew/));
      await assert.rejects(page({ revision: 1 }), hint(/still kept/));
      const reference = { ...configMaps, name: "a" };
      const old = callUnary(server, apiMethods.get, { reference, revision: 1 }, { metadata });
      await assert.rejects(old, hint(/still kept/));
      const late = await follow({ revision: compact - 1 }, server).ended;
      assert.deepEqual([late?.reason, late?.details.revision], ["Compacted", compact]);
      assert.match(late?.details.hint ?? "", /list again and watch from the list's revision/);
      const kept = follow({ revision: compact }, server);
      await short.seed(configMap("e"));
      await eventually(() => kept.lines.at(-1) === "ADDED e");
      kept.stop();
      assert.equal((await page({})).objects.length, 1);
    } finally {
      await short.close();
    }
  });
});
