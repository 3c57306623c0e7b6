import assert from "node:assert/strict";
import type * as grpc from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import type { AnyObject } from "../../../src/api/object.js";
import { apiMethods } from "../../../src/host/api-methods.js";
import { callUnary } from "../../../src/host/grpc.js";
import { bearer, TestCluster, tokens } from "../harness.js";
import { pod, read } from "../objects.js";
import { referenceTo, Verbs } from "./verbs.js";

const metadata = bearer(tokens.admin);

const budget = (status: object): AnyObject => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { name: "web", namespace: "default", uid: "uid-web", generation: 1 },
  spec: { selector: { matchLabels: { app: "web" } }, minAvailable: 1 },
  status: { observedGeneration: 1, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2, ...status },
});
const webPod = (name: string): AnyObject => ({
  ...pod(name, "n1", { metadata: { labels: { app: "web" } } }),
  status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
});

describe("Evict", () => {
  let cluster: TestCluster;
  let client: grpc.Client;
  let verbs: Verbs;
  before(async () => {
    cluster = await TestCluster.start(1);
    client = cluster.client("api");
    verbs = new Verbs(client);
  });
  after(() => cluster.close());

  const evict = (name: string, more: Omit<ikada.api.v1.IEvictRequest, "reference"> = {}, kind = "pods") =>
    callUnary(client, apiMethods.evict, { reference: referenceTo(kind, name), ...more }, { metadata });
  const allowed = async (): Promise<unknown> => {
    const { object } = await verbs.get("pdb", "web");
    return (read(object).status as { disruptionsAllowed?: number }).disruptionsAllowed;
  };

  it("takes one from the budget, and is refused when nothing is left; a dry run takes nothing", async () => {
    await cluster.seed(budget({ disruptionsAllowed: 1 }));
    for (const name of ["a", "b"]) await cluster.seed(webPod(name));
    const tried = await evict("a", { options: { dryRun: true } });
    assert.equal(read(tried.object).metadata.deletionGracePeriodSeconds, 30);
    assert.equal(await allowed(), 1);
    const { object, removed } = await evict("a");
    assert.equal(removed, false);
    assert.ok(read(object).metadata.deletionTimestamp);
    assert.equal(await allowed(), 0);
    await assert.rejects(evict("b"), {
      reason: "DisruptionBudget",
      message: /would violate the pod's disruption budget/,
    });
    const kept = await verbs.get("pods", "b");
    assert.equal(read(kept.object).metadata.deletionTimestamp, undefined);
    // One that goes already needs no budget.
    await evict("a");
  });

  it("a repeat of the same request takes one once", async () => {
    await cluster.seed(budget({ disruptionsAllowed: 5 }));
    await cluster.seed(webPod("once"));
    const options = { request: { client: "tester", sequence: 1 } };
    await evict("once", { options });
    await evict("once", { options });
    assert.equal(await allowed(), 4);
  });

  it("two at once do not share one disruption", async () => {
    await cluster.seed(budget({ disruptionsAllowed: 1 }));
    for (const name of ["c", "d", "e"]) await cluster.seed(webPod(name));
    const results = await Promise.allSettled(["c", "d", "e"].map((name) => evict(name)));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal(await allowed(), 0);
  });

  it("keeps to preconditions and the wanted grace, and is for Pods alone", async () => {
    await cluster.seed(pod("plain", "n1"));
    await assert.rejects(evict("plain", { uid: "another" }), { reason: "Conflict" });
    const { object } = await evict("plain", { uid: "uid-plain", gracePeriodSeconds: 7 });
    assert.equal(read(object).metadata.deletionGracePeriodSeconds, 7);
    await cluster.seed(pod("short", "n1"));
    const short = await evict("short", { gracePeriodSeconds: 0 });
    assert.equal(read(short.object).metadata.deletionGracePeriodSeconds, 1);
    await assert.rejects(evict("n1", {}, "nodes"), { reason: "Unsupported" });
    await assert.rejects(evict("absent"), { reason: "NotFound" });
  });
});

describe("Explain", () => {
  let cluster: TestCluster;
  let client: grpc.Client;
  before(async () => {
    cluster = await TestCluster.start(1);
    client = cluster.client("api");
  });
  after(() => cluster.close());

  const explain = (kind: string, name: string, token: string = tokens.view) =>
    callUnary(client, apiMethods.explain, { reference: referenceTo(kind, name) }, { metadata: bearer(token) });

  it("says what each node says of a Pod, with numbers and what helps; who may only read may ask", async () => {
    const node = (name: string, cpu: string, spec: object = {}): AnyObject => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, uid: `uid-${name}`, labels: { "kubernetes.io/hostname": name } },
      spec,
      status: { allocatable: { cpu, memory: "8Gi" }, conditions: [{ type: "Ready", status: "True" }] },
    });
    for (const one of [node("a", "1"), node("b", "8", { unschedulable: true })]) await cluster.seed(one);
    const containers = [{ name: "main", image: "x", resources: { requests: { cpu: "2" } } }];
    await cluster.seed(pod("p", "", { spec: { containers } }));
    const { verdict, tables, hints } = await explain("pods", "p");
    assert.equal(verdict, "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) were unschedulable.");
    assert.deepEqual(
      tables[0]?.rows?.map(({ cells }) => cells),
      [
        ["a", "refuses", "NodeResourcesFit", "Insufficient cpu: cpu: wants 2, 1 free", "-"],
        ["b", "refuses", "NodeUnschedulable", "node(s) were unschedulable: cordoned", "-"],
      ],
    );
    assert.equal(hints.length, 2);
    await cluster.seed(node("b", "8"));
    assert.match((await explain("pods", "p")).verdict, /^Node b would be chosen now/);
    await cluster.seed(pod("p", "b", { spec: { containers } }));
    assert.equal((await explain("pods", "p")).verdict, "It is on node b, which would take it again.");
  });

  it("is refused for what is not there, and for kinds that nobody explains", async () => {
    await assert.rejects(explain("pods", "absent"), { reason: "NotFound" });
    await assert.rejects(explain("deployments", "web"), { reason: "Unsupported" });
  });
});
