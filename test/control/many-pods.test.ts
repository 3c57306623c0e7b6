import assert from "node:assert/strict";
import { isActive } from "../../src/controllers/pod-state.js";
import { Cluster } from "./cluster.js";
import { any, deployment, node } from "./objects.js";

describe("more Pods than one log entry holds", () => {
  it("are made, moved off a lost node, and removed", () => {
    const nodes = ["alpha", "beta"].map((name) => node(name, {}, { pods: "1000" }));
    const cluster = new Cluster({ nodes });
    cluster.elect();
    cluster.create(any(deployment({ replicas: 520 })));
    assert(
      cluster.time.pass(20_000, () => cluster.settled("web")),
      "made",
    );
    assert(cluster.entries < 100, `${cluster.entries} entries`);
    cluster.time.pass(5000);
    cluster.loseNode("alpha");
    const onBeta = (): number => cluster.pods().filter((one) => one.spec.nodeName === "beta" && isActive(one)).length;
    assert(
      cluster.time.pass(20_000, () => onBeta() === 520),
      "moved",
    );
    cluster.edit("web", () => ({ replicas: 0 }));
    cluster.time.pass(3000);
    assert.equal(onBeta(), 0);
    assert.deepEqual(cluster.breaches, []);
  }).timeout(60_000);
});
