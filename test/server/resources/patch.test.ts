import assert from "node:assert/strict";
import { ikada } from "#proto/api.js";
import { IkadaError } from "../../../src/base/errors.js";
import { TestCluster } from "../harness.js";
import { configMap, deployment, read } from "../objects.js";
import { Verbs } from "./verbs.js";

const { JSON: JSON_PATCH, STRATEGIC } = ikada.api.v1.PatchRequest.Type;

describe("patches over gRPC", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  before(async () => {
    cluster = await TestCluster.start(1);
    verbs = new Verbs(cluster.client("api"));
    await verbs.create(deployment("web", 2));
    await verbs.create(configMap("map", { a: "1" }));
  });
  after(() => cluster.close());

  const containersOf = async (): Promise<readonly { readonly name: string; readonly image: string }[]> => {
    const { spec } = read((await verbs.get("deploy", "web")).object) as unknown as {
      readonly spec: { readonly template: { readonly spec: { readonly containers: [] } } };
    };
    return spec.template.spec.containers;
  };

  it("does JSON patches, each as a whole or not at all", async () => {
    const path = "/spec/template/spec/containers/0/image";
    const test = { op: "test", path, value: "hello:1" };
    const done = await verbs.patch("deploy", "web", [test, { op: "replace", path, value: "hello:2" }], {
      type: JSON_PATCH,
    });
    assert.equal(read(done.object).metadata.generation, 2);
    assert.equal((await containersOf())[0]?.image, "hello:2");
    const revision = cluster.store.revision();
    const late = [{ op: "replace", path, value: "hello:3" }, test];
    await assert.rejects(verbs.patch("deploy", "web", late, { type: JSON_PATCH }), (error: IkadaError) => {
      assert.equal(error.reason, "Conflict");
      assert.equal(error.details.faults?.[0]?.field, "patch[1].value");
      return true;
    });
    await assert.rejects(verbs.patch("deploy", "web", [{ op: "remove", path: "/spec/no" }], { type: JSON_PATCH }), {
      reason: "Invalid",
      message: 'patch[0] (remove /spec/no): there is no "no"',
    });
    assert.equal(cluster.store.revision(), revision);
  });

  it("does strategic merge patches by the table's merge keys", async () => {
    const patch = (containers: readonly object[]): Promise<unknown> =>
      verbs.patch("deploy", "web", { spec: { template: { spec: { containers } } } }, { type: STRATEGIC });
    await patch([{ name: "side", image: "side:1" }]);
    assert.deepEqual(
      (await containersOf()).map(({ name }) => name),
      ["web", "side"],
    );
    await patch([{ name: "side", $patch: "delete" }]);
    assert.deepEqual(
      (await containersOf()).map(({ name }) => name),
      ["web"],
    );
    await assert.rejects(patch([{ image: "x" }]), { reason: "BadRequest" });
  });

  it("checks what comes of a patch as it checks an update", async () => {
    const add = (path: string, value: unknown) =>
      verbs.patch("cm", "map", [{ op: "add", path, value }], { type: JSON_PATCH });
    await assert.rejects(add("/datta", {}), { reason: "Invalid" });
    await assert.rejects(add("/metadata/name", "other"), { reason: "BadRequest" });
    await assert.rejects(add("/metadata/resourceVersion", "1"), { reason: "Conflict" });
    await assert.rejects(add("", null), { reason: "BadRequest" });
    await assert.rejects(add("", [1]), { reason: "Invalid" });
    await assert.rejects(add("/data/x", "x".repeat(1024 * 1024)), { reason: "TooLarge" });
    await assert.rejects(verbs.patch("cm", "map", { data: { b: 1 } }, { type: STRATEGIC }), { reason: "Invalid" });
    await assert.rejects(verbs.patch("cm", "map", {}, { type: 9 as never }), { reason: "Unsupported" });
    const hidden = JSON.parse('{"metadata":{"name":"map","__proto__":{"a":"1"}}}') as object;
    await assert.rejects(add("/data", (hidden as { metadata: object }).metadata), /__proto__/);
    await assert.rejects(verbs.patch("cm", "map", hidden), /__proto__/);
    await assert.rejects(verbs.patch("cm", "map", hidden, { type: STRATEGIC }), /__proto__/);
    const deep = `${'{"a":'.repeat(70)}1${"}".repeat(70)}`;
    await assert.rejects(verbs.patch("cm", "map", JSON.parse(deep), { type: STRATEGIC }), { reason: "BadRequest" });
    const { metadata } = read((await verbs.get("cm", "map")).object);
    const pinned = { op: "add", path: "/metadata/resourceVersion", value: metadata.resourceVersion };
    const done = await verbs.patch("cm", "map", [pinned, { op: "add", path: "/data/b", value: "2" }], {
      type: JSON_PATCH,
    });
    assert.deepEqual(read(done.object).data, { a: "1", b: "2" });
  });
});
