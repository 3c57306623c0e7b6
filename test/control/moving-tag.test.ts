import assert from "node:assert/strict";
import { fakeDigest } from "../../node-agent/core/fake-engine.js";
import { shellImage, type FakeImage } from "../../node-agent/core/fake-program.js";
import type { ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { replicaSetController } from "../../src/controllers/replica-set.js";
import { AgentWorld } from "../node-agent/agent-world.js";
import { decide, worldOf } from "./fixture.js";
import { replicaSet, template } from "./objects.js";

const image = "r.io/app:1";
const bytes = (text: string): FakeImage & { readonly id: string } => ({ ...shellImage, id: fakeDigest(text) });
const [old, moved] = [bytes("old"), bytes("moved")];
const digestOf = ({ id }: { readonly id: string }): string => `r.io/app@${fakeDigest(id)}`;

/** Whole agents on engines of their own, one registry, and the controller between them; what a store would keep is `objects`. */
class Cluster {
  /** What the tag stands for in the registry. */
  tag: FakeImage = old;
  readonly #objects = new Map<string, { metadata: { name: string; resourceVersion?: string } }>();
  readonly #nodes = new Map<string, AgentWorld>();
  #revision = 1;

  constructor(set: ReplicaSet) {
    this.#put(set);
  }

  addNode(name: string): AgentWorld {
    const node = new AgentWorld({}, (reference) => {
      if (reference === image) return this.tag;
      return [old, moved].find((one) => digestOf(one) === reference) ?? "manifest unknown";
    });
    node.boot();
    node.connect();
    this.#nodes.set(name, node);
    return node;
  }

  /** One decision, and what it says is stored and told to the nodes. */
  control(): void {
    const set = this.#objects.get("web") as ReplicaSet;
    const { creates = [], updates = [] } =
      decide(replicaSetController, set, worldOf([...this.#objects.values()] as Pod[])).changes ?? {};
    for (const object of [...creates, ...updates]) {
      this.#put(object);
      const pod = object as unknown as Pod;
      const node = this.#nodes.get(pod.spec.nodeName ?? "");
      if (pod.kind === "Pod" && node !== undefined) node.assign(pod);
    }
  }

  resize(replicas: number): void {
    const set = this.#objects.get("web") as ReplicaSet;
    this.#put({ ...set, spec: { ...set.spec, replicas } });
  }

  bind(nodeName: string): Pod {
    const waiting = ([...this.#objects.values()] as Pod[]).find(({ kind, spec }) => kind === "Pod" && !spec.nodeName);
    assert.ok(waiting, "a Pod that waits for a node");
    const pod = this.#put({ ...waiting, spec: { ...waiting.spec, nodeName } });
    this.#nodes.get(nodeName)?.assign(pod);
    return pod;
  }

  /** Takes a node's word about a Pod into the store. */
  report(pod: Pod): void {
    const present = this.#objects.get(pod.metadata.name) as Pod;
    const status = this.#nodes.get(present.spec.nodeName ?? "")?.statuses.get(pod.metadata.uid ?? "");
    assert.ok(status);
    this.#put({ ...present, status });
  }

  #put<T extends { metadata: { name: string; resourceVersion?: string } }>(object: T): T {
    this.#revision += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } };
    this.#objects.set(object.metadata.name, stored);
    return stored;
  }
}

function running(node: AgentWorld): string[] {
  const containers = [...node.engine.containers.values()].map(({ info }) => info);
  return containers.flatMap((info) => (info.role === "container" && info.phase === "running" ? [info.imageId] : []));
}

function isReady(node: AgentWorld, pod: Pod): boolean {
  const conditions = node.statuses.get(pod.metadata.uid ?? "")?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

describe("a tag that moves between the pulls of two nodes", () => {
  const containers = [{ name: "main", image, command: ["sleep", "9999999"] }];
  const set = replicaSet("web", { replicas: 2, template: template("web", image, { containers }) });

  for (const policy of ["Always", "IfNotPresent"] as const)
    it(`both nodes run what the first has found, and so do all that come later (${policy})`, () => {
      const withPolicy = template("web", image, { containers: [{ ...containers[0]!, imagePullPolicy: policy }] });
      const cluster = new Cluster({ ...set, spec: { ...set.spec, template: withPolicy } });
      const [alpha, beta] = [cluster.addNode("alpha"), cluster.addNode("beta")];
      cluster.control();
      const [one, two] = [cluster.bind("alpha"), cluster.bind("beta")];
      alpha.world.until("ready", () => isReady(alpha, one));
      cluster.tag = moved;
      // It has not heard of the other's yet.
      beta.world.until("ready", () => isReady(beta, two));
      assert.deepEqual([running(alpha), running(beta)], [[old.id], [moved.id]]);
      cluster.report(one);
      cluster.control();
      cluster.report(two);
      cluster.control();
      const status = () => beta.statuses.get(two.metadata.uid ?? "")?.containerStatuses?.[0];
      beta.world.until("the same bytes", () => running(beta)[0] === old.id && status()?.imageID === digestOf(old));
      assert.equal(status()?.restartCount, 1);
      assert.deepEqual(running(alpha), [old.id], "the first is left alone");

      cluster.resize(4);
      cluster.report(two);
      cluster.control();
      const gamma = cluster.addNode("gamma");
      const [three, four] = [cluster.bind("gamma"), cluster.bind("beta")];
      gamma.world.until("ready", () => isReady(gamma, three));
      beta.world.until("ready", () => isReady(beta, four));
      assert.deepEqual([running(gamma), running(beta)], [[old.id], [old.id, old.id]]);
      assert.equal(gamma.statuses.get(three.metadata.uid ?? "")?.containerStatuses?.[0]?.restartCount, 0);
      assert.equal([...gamma.engine.images.keys()].includes(image), false, "the tag was not looked up at all");
    });

  it("without pins they differ: the test above could fail", () => {
    const annotations = { "ikada.dev/pin-images": "false" };
    const plain = template("web", image, { containers });
    const cluster = new Cluster({
      ...set,
      spec: { ...set.spec, template: { ...plain, metadata: { ...plain.metadata, annotations } } },
    });
    const [alpha, beta] = [cluster.addNode("alpha"), cluster.addNode("beta")];
    cluster.control();
    const [one, two] = [cluster.bind("alpha"), cluster.bind("beta")];
    alpha.world.until("ready", () => isReady(alpha, one));
    cluster.report(one);
    cluster.control();
    cluster.tag = moved;
    beta.world.until("ready", () => isReady(beta, two));
    cluster.report(two);
    cluster.control();
    beta.world.pass(60_000);
    assert.deepEqual([running(alpha), running(beta)], [[old.id], [moved.id]]);
  });
});
