import assert from "node:assert/strict";
import type { AnyObject } from "../../../src/api/object.js";
import type { Pod } from "../../../src/api/kinds/pod.js";
import { IkadaError } from "../../../src/base/errors.js";
import { TestCluster } from "../harness.js";
import { pod, read } from "../objects.js";
import { Verbs } from "./verbs.js";

function priorityClass(name: string, value: number, more: object = {}): AnyObject {
  return { apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name }, value, ...more };
}

const priorityOf = (object: Parameters<typeof read>[0]): unknown => {
  const { priorityClassName, priority, preemptionPolicy } = (read(object) as unknown as Pod).spec;
  return [priorityClassName, priority, preemptionPolicy];
};

describe("priority of Pods that users make", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  before(async () => {
    cluster = await TestCluster.start(1);
    verbs = new Verbs(cluster.client("api"));
    await verbs.create(priorityClass("high", 1000, { preemptionPolicy: "Never" }));
  });
  after(() => cluster.close());

  it("is that of the class it names, however it is written", async () => {
    const spec = { priorityClassName: "high" };
    const created = await verbs.create(pod("created", "", { spec }));
    assert.deepEqual(priorityOf(created.object), ["high", 1000, "Never"]);
    const applied = await verbs.apply(pod("applied", "", { metadata: { uid: "" }, spec }));
    assert.deepEqual(priorityOf(applied.object), ["high", 1000, "Never"]);
    const again = await verbs.apply(pod("applied", "", { metadata: { uid: "" }, spec }));
    assert.equal(read(again.object).metadata.resourceVersion, read(applied.object).metadata.resourceVersion);
  });

  const refused: readonly (readonly [spec: object, message: RegExp])[] = [
    [{ priorityClassName: "low" }, /pods "bad" is forbidden: spec\.priorityClassName: there is no PriorityClass "low"/],
    [{ priority: 7 }, /spec\.priority: must be left out, or be 0 as its PriorityClass says, not 7/],
    [{ priorityClassName: "high", priority: 7 }, /or be 1000 as its PriorityClass says, not 7/],
    [{ preemptionPolicy: "Never" }, /spec\.preemptionPolicy: must be left out/],
  ];
  for (const [spec, message] of refused)
    it(`refuses ${JSON.stringify(spec)}`, async () => {
      for (const write of [
        () => verbs.create(pod("bad", "", { spec })),
        () => verbs.apply(pod("bad", "", { metadata: { uid: "" }, spec })),
      ])
        await assert.rejects(write(), (error: unknown) => {
          assert.ok(error instanceof IkadaError);
          assert.equal(error.reason, "Forbidden");
          assert.match(error.message, message);
          return true;
        });
    });

  it("is not looked for in a Pod without a spec", async () => {
    const bare: AnyObject = { apiVersion: "v1", kind: "Pod", metadata: { name: "bare", namespace: "default" } };
    await assert.rejects(verbs.create(bare), { reason: "Invalid" });
    await assert.rejects(verbs.apply(bare), { reason: "Invalid" });
  });

  it("of a Pod that is there may not be changed", async () => {
    await verbs.create(pod("fixed", "", { spec: { priorityClassName: "high" } }));
    await assert.rejects(verbs.patch("pods", "fixed", { spec: { priority: 5 } }), { reason: "Invalid" });
  });

  it("there is one default, for Pods that name none", async () => {
    const plain = await verbs.create(pod("plain", ""));
    assert.deepEqual(priorityOf(plain.object), [undefined, undefined, undefined]);
    await verbs.create(priorityClass("usual", 10, { globalDefault: true }));
    const usual = await verbs.create(pod("usual", ""));
    assert.deepEqual(priorityOf(usual.object), ["usual", 10, "PreemptLowerPriority"]);
    for (const write of [
      () => verbs.create(priorityClass("second", 20, { globalDefault: true })),
      () => verbs.apply(priorityClass("second", 20, { globalDefault: true })),
      () => verbs.patch("priorityclasses", "high", { globalDefault: true }),
      () => verbs.update(priorityClass("high", 1000, { preemptionPolicy: "Never", globalDefault: true })),
    ])
      await assert.rejects(write(), { reason: "Forbidden", message: /"usual" is the default already/ });
    await verbs.patch("priorityclasses", "usual", { globalDefault: false });
    await verbs.patch("priorityclasses", "high", { globalDefault: true });
    const other = await verbs.create(pod("other", ""));
    assert.deepEqual(priorityOf(other.object), ["high", 1000, "Never"]);
  });
});

describe("Jobs that users make", () => {
  let cluster: TestCluster;
  let verbs: Verbs;
  before(async () => {
    cluster = await TestCluster.start(1);
    verbs = new Verbs(cluster.client("api"));
  });
  after(() => cluster.close());

  const job = (name: string): AnyObject => ({
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: "default" },
    spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "work:1" }] } } },
  });
  const selectorOf = (object: AnyObject): unknown =>
    (object["spec"] as { readonly selector: { readonly matchLabels: object } }).selector.matchLabels;

  it("get a selector by create and by apply, which keeps it when applied again", async () => {
    for (const name of ["created", "applied"]) {
      const written = name === "created" ? await verbs.create(job(name)) : await verbs.apply(job(name));
      const stored = read(written.object);
      assert.deepEqual(selectorOf(stored), { "batch.kubernetes.io/controller-uid": stored.metadata.uid });
    }
    const again = read((await verbs.apply(job("applied"))).object);
    assert.deepEqual(selectorOf(again), { "batch.kubernetes.io/controller-uid": again.metadata.uid });
    await assert.rejects(verbs.patch("jobs", "applied", { spec: { selector: null } }), { reason: "Invalid" });
  });

  it("may be made again from what is stored", async () => {
    const stored = read((await verbs.get("jobs", "created")).object);
    const { resourceVersion: _revision, managedFields: _managers, ...metadata } = stored.metadata;
    await verbs.delete("jobs", "created");
    const made = read((await verbs.create({ ...stored, metadata })).object);
    assert.notEqual(made.metadata.uid, stored.metadata.uid);
    assert.deepEqual(selectorOf(made), { "batch.kubernetes.io/controller-uid": made.metadata.uid });
  });
});
