import assert from "node:assert/strict";
import type { Node } from "../../../src/api/kinds/core.js";
import type { NodeSelectorRequirement } from "../../../src/api/kinds/scheduling.js";
import type { Container, Pod, PodSpec } from "../../../src/api/kinds/pod.js";
import { requestsOf } from "../../../src/scheduler/resources.js";
import { nodeOf, placed, planOf, podOf, refusal } from "./objects.js";

const selector = "node(s) didn't match Pod's node affinity/selector";
const one = (reason: string): string => `0/1 nodes are available: 1 ${reason}.`;

const required = (...requirements: readonly NodeSelectorRequirement[]): Partial<PodSpec> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: requirements }] },
    },
  },
});

describe("node affinity", () => {
  const node = nodeOf("a", { disk: "ssd", cores: "16" });
  const holds: readonly (readonly [NodeSelectorRequirement, boolean])[] = [
    [{ key: "disk", operator: "In", values: ["ssd", "nvme"] }, true],
    [{ key: "disk", operator: "In", values: ["hdd"] }, false],
    [{ key: "disk", operator: "NotIn", values: ["hdd"] }, true],
    [{ key: "disk", operator: "NotIn", values: ["ssd"] }, false],
    [{ key: "missing", operator: "NotIn", values: ["x"] }, true],
    [{ key: "disk", operator: "Exists" }, true],
    [{ key: "missing", operator: "Exists" }, false],
    [{ key: "disk", operator: "DoesNotExist" }, false],
    [{ key: "missing", operator: "DoesNotExist" }, true],
    [{ key: "cores", operator: "Gt", values: ["15"] }, true],
    [{ key: "cores", operator: "Gt", values: ["16"] }, false],
    [{ key: "cores", operator: "Lt", values: ["17"] }, true],
    [{ key: "cores", operator: "Lt", values: ["16"] }, false],
    [{ key: "disk", operator: "Gt", values: ["1"] }, false],
    [{ key: "missing", operator: "Gt", values: ["1"] }, false],
  ];
  for (const [requirement, fits] of holds)
    it(`${requirement.key} ${requirement.operator} ${requirement.values?.join() ?? ""}: ${fits ? "takes it" : "refuses it"}`, () => {
      const plan = planOf([node, podOf("p", required(requirement))]);
      assert.equal(fits ? placed(plan) : refusal(plan), fits ? "p=a" : one(selector));
    });

  it("one term is enough, all parts of a term are needed, and a term without parts holds nowhere", () => {
    const with_ = (nodeSelectorTerms: readonly object[]): Pod =>
      podOf("p", {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: nodeSelectorTerms as never },
          },
        },
      });
    const ssd = { key: "disk", operator: "In", values: ["ssd"] };
    const hdd = { key: "disk", operator: "In", values: ["hdd"] };
    assert.equal(placed(planOf([node, with_([{ matchExpressions: [hdd] }, { matchExpressions: [ssd] }])])), "p=a");
    assert.equal(placed(planOf([node, with_([{ matchExpressions: [ssd, hdd] }])])), "");
    assert.equal(placed(planOf([node, with_([{}])])), "");
    const named = { key: "metadata.name", operator: "In", values: ["b"] };
    assert.equal(placed(planOf([node, nodeOf("b"), with_([{ matchFields: [named] }])])), "p=b");
    assert.equal(
      placed(planOf([node, nodeOf("b", { disk: "ssd" }), with_([{ matchExpressions: [ssd], matchFields: [named] }])])),
      "p=b",
    );
  });

  it("the node's selector and the affinity have to hold both", () => {
    const both = { ...required({ key: "disk", operator: "Exists" }), nodeSelector: { cores: "8" } };
    assert.equal(refusal(planOf([node, podOf("p", both)])), one(selector));
  });

  it("prefers by weight", () => {
    const preferring = podOf("p", {
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 10, preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["hdd"] }] } },
            { weight: 60, preference: { matchExpressions: [{ key: "disk", operator: "In", values: ["ssd"] }] } },
          ],
        },
      },
    });
    for (const [first, second] of [
      ["a", "b"],
      ["b", "a"],
    ] as const) {
      const nodes = [nodeOf(first, { disk: "hdd" }), nodeOf(second, { disk: "ssd" }), nodeOf("c")];
      assert.equal(placed(planOf([...nodes, preferring])), `p=${second}`);
    }
  });
});

describe("what a node has", () => {
  const cases: readonly (readonly [string, Record<string, string>, Record<string, string>, string])[] = [
    ["cpu", { cpu: "5" }, {}, "Insufficient cpu"],
    ["memory", { memory: "9Gi" }, {}, "Insufficient memory"],
    ["disk", { "ephemeral-storage": "2Gi" }, { "ephemeral-storage": "1Gi" }, "Insufficient ephemeral-storage"],
    ["a device", { "example.com/gpu": "2" }, { "example.com/gpu": "1" }, "Insufficient example.com/gpu"],
    ["a device that no node has", { "example.com/gpu": "1" }, {}, "Insufficient example.com/gpu"],
  ];
  for (const [what, requests, allocatable, reason] of cases)
    it(`is too little: ${what}`, () => {
      const pod = podOf("p", { containers: [{ name: "main", image: "x", resources: { requests } }] });
      assert.equal(refusal(planOf([nodeOf("a", {}, {}, allocatable), pod])), one(reason));
    });

  it("is counted together over the Pods of one pass, devices and disk too", () => {
    const requests = { "example.com/gpu": "1", "ephemeral-storage": "1Gi" };
    const pods = ["p1", "p2", "p3"].map((name) =>
      podOf(name, { containers: [{ name: "main", image: "x", resources: { requests } }] }),
    );
    const nodes = ["a", "b"].map((name) =>
      nodeOf(name, {}, {}, { "example.com/gpu": "1", "ephemeral-storage": "10Gi" }),
    );
    const plan = planOf([...nodes, ...pods]);
    assert.equal(plan.bindings.length, 2);
    assert.equal(refusal(plan), "0/2 nodes are available: 2 Insufficient example.com/gpu.");
  });

  it("tells all that is missing, node by node, as Kubernetes does", () => {
    const pod = podOf("p", { cpu: "5", memory: "9Gi" });
    assert.equal(
      refusal(planOf([nodeOf("a"), nodeOf("b", {}, {}, { cpu: "8" }), pod])),
      "0/2 nodes are available: 1 Insufficient cpu, 2 Insufficient memory.",
    );
  });

  it("a cordoned node takes what tolerates that, as DaemonSets' Pods do", () => {
    const cordoned = nodeOf("a", {}, { unschedulable: true });
    const tolerations = [{ key: "node.kubernetes.io/unschedulable", operator: "Exists" as const }];
    assert.equal(refusal(planOf([cordoned, podOf("p")])), one("node(s) were unschedulable"));
    assert.equal(placed(planOf([cordoned, podOf("p", { tolerations })])), "p=a");
  });
});

describe("what a Pod asks for", () => {
  const container = (name: string, cpu: string, sidecar = false): Container => ({
    name,
    image: "x",
    resources: { requests: { cpu } },
    ...(sidecar ? { restartPolicy: "Always" } : {}),
  });
  const cpuOf = (spec: Partial<PodSpec>): number => requestsOf(podOf("p", spec)).cpuMilli;

  it("is that of its containers, or of its greediest init container", () => {
    const containers = [container("a", "1"), container("b", "2")];
    assert.equal(cpuOf({ containers }), 3000);
    assert.equal(cpuOf({ containers, initContainers: [container("i", "2")] }), 3000);
    assert.equal(cpuOf({ containers, initContainers: [container("i", "2"), container("j", "4")] }), 4000);
  });

  it("counts a sidecar beside the containers, and beside init containers that come after it", () => {
    const containers = [container("a", "1")];
    assert.equal(cpuOf({ containers, initContainers: [container("s", "2", true)] }), 3000);
    assert.equal(cpuOf({ containers, initContainers: [container("s", "2", true), container("i", "5")] }), 7000);
    assert.equal(cpuOf({ containers, initContainers: [container("i", "5"), container("s", "2", true)] }), 5000);
  });

  it("has its runtime's overhead on top", () => {
    const containers = [container("a", "1")];
    const overhead = { cpu: "250m", memory: "64Mi" };
    assert.equal(cpuOf({ containers, overhead }), 1250);
    assert.equal(requestsOf(podOf("p", { containers, overhead })).memoryBytes, 64 * 2 ** 20);
    assert.equal(cpuOf({ containers, overhead, initContainers: [container("i", "5")] }), 5250);
  });
});

describe("scores", () => {
  const withImage = (node: Node, sizeBytes: number): Node => ({
    ...node,
    status: { ...node.status, images: [{ names: ["web:1"], sizeBytes }] },
  });

  it("prefer a node that has the image, when all else is equal", () => {
    for (const holder of ["a", "b"]) {
      const nodes = ["a", "b"].map((name) => (name === holder ? withImage(nodeOf(name), 900 * 2 ** 20) : nodeOf(name)));
      assert.equal(placed(planOf([...nodes, podOf("p")])), `p=${holder}`);
    }
  });

  it("binpack fills one node before the next, spread all alike", () => {
    const pods = Array.from({ length: 4 }, (_, at) => podOf(`p${at}`, { cpu: "1", memory: "2Gi" }));
    const nodes = [nodeOf("a"), nodeOf("b")];
    const perNode = (profile: "spread" | "binpack"): readonly number[] =>
      nodes.map((node) => planOf([...nodes, ...pods], { profile }).bindings.filter((one) => one.node === node).length);
    assert.equal(Math.max(...perNode("binpack")), 4);
    assert.deepEqual(perNode("spread"), [2, 2]);
  });

  it("keep cpu and memory in balance", () => {
    const nodes = [nodeOf("a"), nodeOf("b")];
    // Equal in what is left, if both count the same; on b the Pod makes them even.
    const there = [
      podOf("x", { nodeName: "a", cpu: "2", memory: "2Gi" }),
      podOf("y", { nodeName: "b", cpu: "1", memory: "4Gi" }),
    ];
    assert.equal(placed(planOf([...nodes, ...there, podOf("p", { cpu: "2", memory: "2Gi" })])), "p=b");
  });

  it("spread the Pods of one owner over machines and zones without being asked", () => {
    const nodes = ["a", "b", "c", "d"].map((name, at) =>
      nodeOf(name, { "topology.kubernetes.io/zone": at < 3 ? "east" : "west" }),
    );
    const pods = Array.from({ length: 2 }, (_, at) => podOf(`p${at}`, { owner: "web", cpu: "100m" }));
    const inWest = planOf([...nodes, ...pods]).bindings.filter((one) => one.node.metadata.name === "d");
    assert.equal(inWest.length, 1);
  });
});
