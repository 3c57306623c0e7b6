import assert from "node:assert/strict";
import type { PodAffinityTerm, TopologySpreadConstraint } from "../../../src/api/kinds/scheduling.js";
import type { Pod, PodSpec } from "../../../src/api/kinds/pod.js";
import { host, nodeOf, placed, planOf, podOf, refusal, zone, type PodGiven } from "./objects.js";

const web = { app: "web" };
const selectsWeb = { labelSelector: { matchLabels: web } };

const spreading = (constraint: Partial<TopologySpreadConstraint>): Partial<PodSpec> => ({
  topologySpreadConstraints: [
    { topologyKey: zone, maxSkew: 1, whenUnsatisfiable: "DoNotSchedule", ...selectsWeb, ...constraint },
  ],
});
const webPod = (name: string, given: PodGiven = {}): Pod => podOf(name, { labels: web, ...given });
const running = (name: string, nodeName: string, given: PodGiven = {}): Pod => webPod(name, { nodeName, ...given });

const east = nodeOf("east-1", { [zone]: "east" });
const west = nodeOf("west-1", { [zone]: "west" });
const spreadRefusal = "node(s) didn't match pod topology spread constraints";

describe("topology spread constraints", () => {
  it("keep the difference within maxSkew", () => {
    assert.equal(placed(planOf([east, west, running("x", "east-1"), webPod("p", spreading({}))])), "p=west-1");
    const full = nodeOf("west-1", { [zone]: "west" }, { unschedulable: true });
    assert.equal(
      refusal(planOf([east, full, running("x", "east-1"), webPod("p", spreading({}))])),
      `0/2 nodes are available: 1 ${spreadRefusal}, 1 node(s) were unschedulable.`,
    );
    assert.equal(
      placed(planOf([east, full, running("x", "east-1"), webPod("p", spreading({ maxSkew: 2 }))])),
      "p=east-1",
    );
  });

  it("hold within one pass too", () => {
    const pods = Array.from({ length: 6 }, (_, at) => webPod(`p${at}`, spreading({})));
    const nodes = [east, west, nodeOf("east-2", { [zone]: "east" })];
    const inWest = planOf([...nodes, ...pods]).bindings.filter((one) => one.node === west).length;
    assert.equal(inWest, 3);
  });

  it("a node without the label takes none, and says so", () => {
    assert.equal(
      refusal(planOf([nodeOf("a"), webPod("p", spreading({}))])),
      `0/1 nodes are available: 1 ${spreadRefusal} (missing required label).`,
    );
  });

  it("minDomains: while there are fewer, the least is 0", () => {
    const pod = (minDomains: number): Pod => webPod("p", spreading({ minDomains }));
    const there = [running("x", "east-1"), running("y", "west-1")];
    assert.equal(planOf([east, west, ...there, pod(2)]).bindings.length, 1);
    assert.equal(planOf([east, west, ...there, pod(3)]).bindings.length, 0);
  });

  it("count only Pods of the selector and the Namespace, and none on their way out", () => {
    const others = [
      podOf("x", { nodeName: "east-1", labels: { app: "other" } }),
      running("y", "east-1", { namespace: "elsewhere" }),
      running("z", "east-1", { terminating: true }),
    ];
    const pod = webPod("p", { ...spreading({}), nodeSelector: { [zone]: "east" } });
    assert.equal(placed(planOf([east, west, ...others, pod])), "p=east-1");
  });

  it("nodeAffinityPolicy and nodeTaintsPolicy say which nodes count", () => {
    const tainted = nodeOf("west-1", { [zone]: "west" }, { taints: [{ key: "own", effect: "NoSchedule" }] });
    const there = running("x", "east-1");
    const count = (nodes: readonly object[], given: PodGiven): number =>
      planOf([...(nodes as (typeof east)[]), there, webPod("p", given)]).bindings.length;
    // West counts, and has none: one more in the east is one too many.
    assert.equal(count([east, tainted], spreading({})), 0);
    assert.equal(count([east, tainted], spreading({ nodeTaintsPolicy: "Honor" })), 1);
    const inEast = { nodeSelector: { [zone]: "east" } };
    assert.equal(count([east, west], { ...spreading({}), ...inEast }), 1);
    assert.equal(count([east, west], { ...spreading({ nodeAffinityPolicy: "Ignore" }), ...inEast }), 0);
  });

  it("matchLabelKeys: each revision for itself", () => {
    const rev = (pod: Pod, hash: string): Pod => ({ ...pod, metadata: { ...pod.metadata, labels: { ...web, hash } } });
    const there = rev(running("x", "east-1"), "old");
    const inEast = { nodeSelector: { [zone]: "east" } };
    const pod = (constraint: Partial<TopologySpreadConstraint>): Pod =>
      rev(webPod("p", { ...spreading({ nodeAffinityPolicy: "Ignore", ...constraint }), ...inEast }), "new");
    assert.equal(placed(planOf([east, west, there, pod({})])), "");
    assert.equal(placed(planOf([east, west, there, pod({ matchLabelKeys: ["hash"] })])), "p=east-1");
  });

  it("ScheduleAnyway is a wish", () => {
    const wish = spreading({ whenUnsatisfiable: "ScheduleAnyway" });
    const there = ["x", "y", "z"].map((name) => running(name, "east-1"));
    assert.equal(placed(planOf([east, west, ...there, webPod("p", wish)])), "p=west-1");
    assert.equal(placed(planOf([east, ...there, webPod("p", wish)])), "p=east-1");
  });

  it("several hold together", () => {
    const nodes = [east, nodeOf("east-2", { [zone]: "east" }), west];
    const both: Partial<PodSpec> = {
      topologySpreadConstraints: [
        ...spreading({}).topologySpreadConstraints!,
        ...spreading({ topologyKey: host }).topologySpreadConstraints!,
      ],
    };
    const pods = Array.from({ length: 4 }, (_, at) => webPod(`p${at}`, both));
    const names = planOf([...nodes, ...pods]).bindings.map(({ node }) => node.metadata.name);
    // East 2, west 1: a fourth Pod would break one of the two rules anywhere but in the west.
    assert.equal(new Set(names.slice(0, 3)).size, 3);
    assert.deepEqual(names.toSorted(), ["east-1", "east-2", "west-1", "west-1"]);
  });
});

const near = (side: "podAffinity" | "podAntiAffinity", term: Partial<PodAffinityTerm>): Partial<PodSpec> => ({
  affinity: {
    [side]: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: zone, ...selectsWeb, ...term }] },
  },
});
const wishing = (side: "podAffinity" | "podAntiAffinity", weight: number): Partial<PodSpec> => ({
  affinity: {
    [side]: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight, podAffinityTerm: { topologyKey: zone, ...selectsWeb } },
      ],
    },
  },
});

describe("pod affinity", () => {
  it("places a Pod where one of those is", () => {
    assert.equal(placed(planOf([east, west, running("x", "west-1"), podOf("p", near("podAffinity", {}))])), "p=west-1");
    assert.equal(
      refusal(planOf([east, west, podOf("p", near("podAffinity", {}))])),
      "0/2 nodes are available: 2 node(s) didn't match pod affinity rules.",
    );
  });

  it("the first of a kind that attracts itself goes anywhere, the others follow it", () => {
    const pods = ["p1", "p2", "p3"].map((name) => webPod(name, near("podAffinity", {})));
    const plan = planOf([east, west, ...pods]);
    assert.equal(plan.bindings.length, 3);
    assert.equal(new Set(plan.bindings.map(({ node }) => node)).size, 1);
  });

  it("a node without the label is not near anything", () => {
    assert.equal(placed(planOf([nodeOf("a"), webPod("p", near("podAffinity", {}))])), "");
  });

  it("namespaces and namespaceSelector say where the others are", () => {
    const namespaces = ["default", "shop"].map((name) => ({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name, labels: { team: name } },
    }));
    const there = running("x", "west-1", { namespace: "shop" });
    const with_ = (term: Partial<PodAffinityTerm>): string =>
      placed(planOf([east, west, ...namespaces, there, podOf("p", near("podAffinity", term))]));
    assert.equal(with_({}), "");
    assert.equal(with_({ namespaces: ["shop"] }), "p=west-1");
    assert.equal(with_({ namespaceSelector: {} }), "p=west-1");
    assert.equal(with_({ namespaceSelector: { matchLabels: { team: "shop" } } }), "p=west-1");
    assert.equal(with_({ namespaceSelector: { matchLabels: { team: "default" } } }), "");
  });

  it("a term without a selector is about no Pod", () => {
    const term = {
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: zone }] } },
    };
    assert.equal(placed(planOf([east, running("x", "east-1"), podOf("p", term)])), "");
  });

  it("a Pod counts only when all terms are about it", () => {
    const terms = [
      { topologyKey: zone, ...selectsWeb },
      { topologyKey: host, labelSelector: { matchLabels: { tier: "db" } } },
    ];
    const pod = podOf("p", { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: terms } } });
    const apart = [running("x", "east-1"), podOf("y", { nodeName: "east-1", labels: { tier: "db" } })];
    assert.equal(placed(planOf([east, ...apart, pod])), "");
    const both = podOf("z", { nodeName: "east-1", labels: { ...web, tier: "db" } });
    assert.equal(placed(planOf([east, both, pod])), "p=east-1");
  });

  it("as a wish it draws a Pod, and those that are there draw it too", () => {
    assert.equal(
      placed(planOf([east, west, running("x", "west-1"), podOf("p", wishing("podAffinity", 50))])),
      "p=west-1",
    );
    const drawing = podOf("x", { nodeName: "west-1", ...wishing("podAffinity", 50) });
    assert.equal(placed(planOf([east, west, drawing, webPod("p")])), "p=west-1");
  });
});

describe("pod anti-affinity", () => {
  it("keeps a Pod away from those", () => {
    assert.equal(
      placed(planOf([east, west, running("x", "west-1"), podOf("p", near("podAntiAffinity", {}))])),
      "p=east-1",
    );
    assert.equal(
      refusal(planOf([west, running("x", "west-1"), podOf("p", near("podAntiAffinity", {}))])),
      "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
    );
  });

  it("is symmetric: those that are there keep others away", () => {
    const loner = podOf("x", { nodeName: "west-1", ...near("podAntiAffinity", {}) });
    assert.equal(placed(planOf([east, west, loner, webPod("p")])), "p=east-1");
    assert.equal(
      refusal(planOf([west, loner, webPod("p")])),
      "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
    );
    assert.equal(placed(planOf([west, loner, podOf("p", { labels: { app: "other" } })])), "p=west-1");
  });

  it("holds between Pods of one pass, in both directions", () => {
    const pods = ["p1", "p2", "p3"].map((name) => webPod(name, near("podAntiAffinity", {})));
    const plan = planOf([east, nodeOf("east-2", { [zone]: "east" }), west, ...pods]);
    assert.equal(plan.bindings.length, 2);
    // Placed later, though it has no rule itself.
    const loner = podOf("a-loner", { ...near("podAntiAffinity", {}), created: "2026-01-01T00:00:00Z" });
    const later = webPod("b-later", { created: "2026-01-01T00:00:01Z" });
    assert.equal(planOf([west, loner, later]).bindings.length, 1);
  });

  it("a lost label matters as much as a Pod: mismatchLabelKeys keep other tenants off", () => {
    const tenant = (name: string, of: string, given: PodGiven = {}): Pod =>
      podOf(name, {
        labels: { tenant: of },
        ...near("podAntiAffinity", {
          labelSelector: { matchExpressions: [{ key: "tenant", operator: "Exists" }] },
          mismatchLabelKeys: ["tenant"],
        }),
        ...given,
      });
    assert.equal(placed(planOf([east, west, tenant("x", "a", { nodeName: "east-1" }), tenant("p", "b")])), "p=west-1");
    const same = planOf([east, tenant("x", "a", { nodeName: "east-1" }), tenant("p", "a")]);
    assert.equal(placed(same), "p=east-1");
  });

  it("as a wish it only ranks", () => {
    const wish = wishing("podAntiAffinity", 100);
    assert.equal(placed(planOf([east, west, running("x", "west-1"), podOf("p", wish)])), "p=east-1");
    assert.equal(placed(planOf([west, running("x", "west-1"), podOf("p", wish)])), "p=west-1");
  });
});
