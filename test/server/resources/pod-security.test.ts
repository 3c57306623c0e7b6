import assert from "node:assert/strict";
import type { AnyObject } from "../../../src/api/object.js";
import { IkadaError } from "../../../src/base/errors.js";
import { TestCluster } from "../harness.js";
import { deployment } from "../objects.js";
import { Verbs } from "./verbs.js";

function pod(name: string, spec: object = {}): AnyObject {
  const containers = [{ name: "main", image: "hello:1" }];
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "shop" }, spec: { containers, ...spec } };
}

function inShop(object: AnyObject): AnyObject {
  return { ...object, metadata: { ...object.metadata, namespace: "shop" } };
}

describe("pod security of a Namespace", () => {
  let cluster: TestCluster;
  let verbs: Verbs;

  before(async () => {
    cluster = await TestCluster.start(1);
    verbs = new Verbs(cluster.client("api"));
    await verbs.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  });
  after(() => cluster.close());

  const label = (labels: Readonly<Record<string, string | null>>) =>
    verbs.patch("namespaces", "shop", { metadata: { labels } });
  const enforce = "pod-security.kubernetes.io/enforce";
  const warn = "pod-security.kubernetes.io/warn";

  it("is baseline without a label, and names the field and the way out", async () => {
    for (const write of [verbs.create(pod("p", { hostNetwork: true })), verbs.apply(pod("p", { hostNetwork: true }))]) {
      await assert.rejects(write, (error: unknown) => {
        assert.ok(error instanceof IkadaError);
        assert.equal(error.reason, "Forbidden");
        assert.match(error.message, /spec\.hostNetwork: must not be true .*namespace shop enforces baseline/);
        return true;
      });
    }
    await verbs.create(pod("plain"));
  });

  it("is what the label says", async () => {
    await label({ [enforce]: "privileged" });
    const { warnings } = await verbs.create(pod("host", { hostNetwork: true }));
    assert.deepEqual(warnings, []);
    await label({ [enforce]: "restricted" });
    await assert.rejects(verbs.create(pod("lax")), { reason: "Forbidden" });
    await assert.rejects(label({ [enforce]: "strict" }), { reason: "Invalid" });
  });

  it("warns where it is told to, of templates too, and refuses no template", async () => {
    await label({ [enforce]: "baseline", [warn]: "restricted" });
    const ofPod = await verbs.create(pod("warned"));
    assert.match(ofPod.warnings?.[0] ?? "", /^spec\.containers\[0\]\.securityContext\./);
    const ofTemplate = await verbs.apply(inShop(deployment("warned", 1)));
    assert.match(ofTemplate.warnings?.[0] ?? "", /^spec\.template\.spec\.containers\[0\]\.securityContext\./);
    await label({ [warn]: null });
    const silent = await verbs.create(pod("silent"));
    assert.deepEqual(silent.warnings, []);
  });
});
