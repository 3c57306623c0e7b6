import assert from "node:assert/strict";
import { chooseForDrain } from "../../cli/drain-choice.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import type { AnyObject } from "../../src/api/object.js";
import { pod } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const owned = (name: string, kind = "ReplicaSet", more: object = {}): AnyObject => ({
  ...pod(name, "n1", {
    metadata: {
      labels: { app: name },
      ownerReferences: [{ apiVersion: "apps/v1", kind, name: "web", uid: "uid-web", controller: true }],
    },
    ...more,
  }),
  status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
});
const asPod = (object: AnyObject): Pod => object as unknown as Pod;

describe("what a drain evicts", () => {
  const names = (pods: readonly { readonly pod: Pod }[]): string => pods.map((one) => one.pod.metadata.name).join();
  const local = asPod(owned("local", "ReplicaSet", { spec: { volumes: [{ name: "v", emptyDir: {} }] } }));
  const alone = asPod(pod("alone", "n1"));
  const daemon = asPod(owned("daemon", "DaemonSet"));
  const plain = asPod(owned("plain"));

  it("is what others make again, and the rest only when that is permitted", () => {
    const all = [local, alone, daemon, plain];
    const strict = chooseForDrain(all, {});
    assert.deepEqual([names(strict.refused), strict.evict], ["local,alone,daemon", [plain]]);
    const lax = chooseForDrain(all, { ignoreDaemonsets: true, deleteEmptydirData: true, force: true });
    assert.deepEqual([names(lax.refused), names(lax.skipped), lax.evict.length], ["", "daemon", 3]);
  });

  it("what has ended goes in any case", () => {
    const ended = { ...alone, status: { phase: "Succeeded" as const } };
    assert.deepEqual(chooseForDrain([ended], {}).evict, [ended]);
  });
});

describe("ikada drain", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(120_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
    await cli.cluster.seed({ apiVersion: "v1", kind: "Node", metadata: { name: "n1", uid: "uid-n1" }, spec: {} });
  });
  after(() => cli.close());
  const isCordoned = async (): Promise<boolean> =>
    ((await cli.client.get("nodes", "n1")) as unknown as Node).spec.unschedulable === true;

  it("cordon and uncordon, once each", async () => {
    const runs = [];
    for (const line of ["cordon n1 --dry-run", "cordon n1", "cordon n1", "uncordon node/n1"])
      runs.push((await cli.run(line)).out);
    assert.deepEqual(runs, [
      "node/n1 cordoned (server dry run)\n",
      "node/n1 cordoned\n",
      "node/n1 already cordoned\n",
      "node/n1 uncordoned\n",
    ]);
    assert.equal(await isCordoned(), false);
    assert.match((await cli.run("cordon")).err, /name nodes, or choose them by -l LABELS/);
  });

  it("cordons, says what is in the way, and evicts nothing then", async () => {
    await cli.cluster.seed(pod("alone", "n1"));
    await cli.cluster.seed(owned("kept"));
    const { code, err } = await cli.run("drain n1");
    assert.equal(code, 1);
    assert.match(err, /1 Pods are in the way[\s\S]*pod\/alone \(default\): no controller would make it again/);
    assert.equal(await isCordoned(), true);
    assert.equal(
      (await cli.client.get("pods", "kept", { namespace: "default" })).metadata.deletionTimestamp,
      undefined,
    );
    await cli.client.delete("pods", "alone", { namespace: "default", gracePeriodSeconds: 0 });
  });

  it("asks again while a budget refuses, and ends when the last Pod is gone", async () => {
    const budget = (disruptionsAllowed: number): AnyObject => ({
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "kept", namespace: "default", uid: "uid-kept", generation: 1 },
      spec: { selector: { matchLabels: { app: "kept" } }, minAvailable: 1 },
      status: { observedGeneration: 1, disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
    });
    await cli.cluster.seed(budget(0));
    const run = cli.begin("drain n1 --timeout 60s");
    await new Promise<void>((seen) => run.child.stderr!.once("data", () => seen()));
    await cli.cluster.seed(budget(1));
    // The node's agent confirms the end.
    for (;;) {
      const present = await cli.client.get("pods", "kept", { namespace: "default" });
      if (present.metadata.deletionTimestamp !== undefined) break;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await cli.client.delete("pods", "kept", { namespace: "default", gracePeriodSeconds: 0 });
    const { code, out, err } = await run.ended;
    assert.equal(out, "node/n1 already cordoned\npod/kept (default) evicted\nnode/n1 drained\n");
    assert.match(
      err,
      /pod\/kept \(default\) has to wait: The disruption budget kept needs 1 healthy pods and has 1 currently/,
    );
    assert.equal(code, 0);
  });

  it("explain pod/NAME prints a table and what helps", async () => {
    await cli.cluster.seed(pod("waits", "", { spec: { nodeSelector: { disk: "ssd" } } }));
    const { out, code } = await cli.run("explain pod/waits");
    assert.equal(code, 0);
    assert.match(
      out,
      /^pod\/waits: 0\/1 nodes are available: 1 node\(s\) were unschedulable\.\n\nWhat each node says:\nNODE +VERDICT +DECIDED BY +WHY +SCORE\nn1 +refuses +NodeUnschedulable /,
    );
    assert.match(out, /\nWhat helps:\n {2}NodeUnschedulable: let the node take Pods again/);
    assert.match((await cli.run("explain pod.spec.affinity")).out, /FIELD: affinity <Object>/);
  });
});
