import assert from "node:assert/strict";
import type { Event } from "../../../src/api/kinds/core.js";
import type { AnyObject, Condition } from "../../../src/api/object.js";
import { storeKey } from "../../../src/objects/keys.js";
import { eventually, TestCluster, wrapped } from "../harness.js";
import { configMap, pod, read } from "../objects.js";
import { FakeAgent } from "./fake-agent.js";

const status = (value: object) => new TextEncoder().encode(JSON.stringify(value));

describe("sessions of agents", () => {
  let cluster: TestCluster;
  const agents: FakeAgent[] = [];
  /** Log entries that agents' reports made, and what to do before the next one. */
  let entries = 0;
  let beforeEntry: (() => Promise<void>) | undefined;
  before(async () => {
    cluster = await TestCluster.start(2, {
      storeOf: (store) =>
        wrapped(store, {
          write: async (request, write) => {
            if (request.origin !== "agents") return await write(request);
            entries += 1;
            const first = beforeEntry;
            beforeEntry = undefined;
            await first?.();
            return await write(request);
          },
        }),
    });
  });
  afterEach(() => {
    for (const agent of agents.splice(0)) agent.close();
  });
  after(() => cluster.close());

  async function agent(node: string, server = 1, hello = {}, certificate = node): Promise<FakeAgent> {
    const identity = await cluster.identity("node", certificate);
    const made = new FakeAgent(cluster.client("agents", server, identity), node, hello);
    agents.push(made);
    return made;
  }

  const stored = (groupKind: string, name: string, namespace = "default") => {
    const record = cluster.store.peek(storeKey({ groupKind, namespace, name }));
    return record && read({ json: record.value });
  };
  const remove = (groupKind: string, name: string) =>
    cluster.store.write({
      txns: [
        {
          compares: [],
          success: [{ type: "delete", key: storeKey({ groupKind, namespace: "default", name }) }],
          failure: [],
        },
      ],
      origin: "test",
    });

  it("makes a Node with an address range of its own, and welcomes", async () => {
    const [one, two] = [
      await agent("one", 1, { labels: { zone: "a", "node-restriction.kubernetes.io/x": "y" } }),
      await agent("two", 2),
    ];
    await eventually(() => one.welcome && two.welcome);
    assert.equal(one.welcome?.clusterId, "test-cluster");
    assert.deepEqual(
      one.welcome?.servers,
      cluster.addresses.map((address) => address.agents),
    );
    const node = stored("/Node", "one", "");
    assert.equal(one.welcome?.nodeUid, node?.metadata.uid);
    assert.deepEqual(node?.metadata.labels, { zone: "a", "kubernetes.io/hostname": "one" });
    assert.match(node?.spec.podCIDR ?? "", /^10\.244\.\d+\.0\/24$/);
    assert.notEqual(node?.spec.podCIDR, stored("/Node", "two", "")?.spec.podCIDR);
    assert.equal(one.welcome?.podCidr, node?.spec.podCIDR);
    one.close();
    const again = await agent("one", 2, { labels: { zone: "b" } });
    await eventually(() => again.welcome);
    assert.equal(again.welcome?.nodeUid, node?.metadata.uid);
    assert.equal(stored("/Node", "one", "")?.metadata.labels?.["zone"], "a");
  });

  it("refuses a session in another node's name, of another version, or without hello", async () => {
    const liar = await agent("one", 1, {}, "two");
    await eventually(() => liar.ended);
    assert.equal(liar.error?.reason, "Forbidden");
    const future = await agent("one", 1, { format: 2 });
    await eventually(() => future.ended);
    assert.equal(future.error?.reason, "Unsupported");
  });

  it("refuses an agent that was told more than this replica knows", async () => {
    const ahead = await agent("one", 1, { term: cluster.term + 1 });
    await eventually(() => ahead.ended);
    assert.equal(ahead.error?.reason, "Unavailable");
  });

  it("sends complete assignments, then increments that chain, with what the Pods refer to and nothing else", async () => {
    const env = [{ name: "A", valueFrom: { configMapKeyRef: { name: "wanted", key: "a" } } }];
    const uses = { containers: [{ name: "main", image: "hello:1", env, envFrom: [{ secretRef: { name: "later" } }] }] };
    await cluster.seed(configMap("wanted", { a: "1" }, { uid: "cm-1" }));
    await cluster.seed(configMap("other", { a: "1" }, { uid: "cm-2" }));
    await cluster.seed(pod("mine", "assigned", { spec: uses }));
    await cluster.seed(pod("theirs", "elsewhere"));
    const here = await agent("assigned");
    await eventually(() => here.assignments.length > 0);
    assert.deepEqual([...here.pods.keys()], ["uid-mine"]);
    assert.deepEqual([...here.objects.keys()], ["ConfigMap/default/wanted"]);
    assert.equal(here.assignments[0]?.term, cluster.term);

    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "later", namespace: "default", uid: "s" } };
    await cluster.seed(secret);
    await eventually(() => here.objects.has("Secret/default/later"));
    await cluster.seed(configMap("wanted", { a: "2" }, { uid: "cm-1" }));
    await eventually(() => (here.objects.get("ConfigMap/default/wanted") as { data?: { a?: string } }).data?.a === "2");
    await cluster.seed(pod("second", "assigned"));
    await eventually(() => here.pods.has("uid-second"));
    const messages = here.assignments.length;
    // What does not concern the node, and a status alone, is no news.
    await cluster.seed(configMap("other", { a: "2" }, { uid: "cm-2" }));
    await cluster.seed({ ...pod("second", "assigned"), status: { phase: "Running" } });
    await cluster.seed(pod("third", "elsewhere"));
    await remove("/Pod", "mine");
    await eventually(() => !here.pods.has("uid-mine"));
    assert.equal(here.assignments.length, messages + 1);
    assert.deepEqual([...here.objects.keys()], []);
    assert.equal(here.error, undefined);
  });

  it("writes reports of many sessions as one entry and acknowledges when they are committed", async () => {
    const [one, two] = [await agent("fold-1"), await agent("fold-2")];
    await eventually(() => one.welcome && two.welcome);
    for (const name of ["a", "b", "c"]) await cluster.seed(pod(`fold-${name}`, name === "c" ? "fold-2" : "fold-1"));
    entries = 0;
    const running = (name: string) => ({
      namespace: "default",
      name: `fold-${name}`,
      uid: `uid-fold-${name}`,
      statusJson: status({ phase: "Running", podIP: "10.0.0.1" }),
    });
    one.report(7, [running("a"), running("b")]);
    two.report(9, [running("c")]);
    await eventually(() => one.accepted.includes(7) && two.accepted.includes(9));
    assert.equal(entries, 1);
    for (const name of ["a", "b", "c"]) assert.equal(stored("/Pod", `fold-${name}`)?.status?.phase, "Running");
  });

  it("takes no report about another node's Pod, an older Pod of that name, or what is no status", async () => {
    const hostile = await agent("hostile");
    await eventually(() => hostile.welcome);
    await cluster.seed(pod("victim", "victims-node"));
    await cluster.seed(pod("own", "hostile"));
    const before = cluster.store.revision();
    const report = (name: string, uid: string, value: object) => ({
      namespace: "default",
      name,
      uid,
      statusJson: status(value),
    });
    const reports = [
      report("victim", "uid-victim", { phase: "Failed" }),
      report("own", "uid-of-the-one-before", { phase: "Failed" }),
      report("own", "uid-own", { phase: "Dancing" }),
      report("own", "uid-own", { phase: 7 }),
      report("missing", "uid-missing", { phase: "Running" }),
    ];
    // One by one: of reports that wait together only the newest counts.
    for (const [at, each] of reports.entries()) {
      hostile.report(at + 1, [each]);
      await eventually(() => hostile.accepted.includes(at + 1));
    }
    assert.equal(cluster.store.revision(), before);
    hostile.report(6, [report("../../secrets/x", "u", {})]);
    await eventually(() => hostile.ended);
    assert.equal(hostile.error?.reason, "BadRequest");
  });

  it("never moves an ended Pod back, and keeps conditions that others wrote", async () => {
    const node = await agent("ending");
    await eventually(() => node.welcome);
    const scheduled = { type: "PodScheduled", status: "True" };
    await cluster.seed({ ...pod("done", "ending"), status: { phase: "Pending", conditions: [scheduled] } });
    const report = (sequence: number, phase: string) =>
      node.report(sequence, [
        {
          namespace: "default",
          name: "done",
          uid: "uid-done",
          statusJson: status({ phase, conditions: [{ type: "Ready", status: "False" }] }),
        },
      ]);
    report(1, "Succeeded");
    await eventually(() => node.accepted.includes(1));
    report(2, "Running");
    await eventually(() => node.accepted.includes(2));
    assert.equal(stored("/Pod", "done")?.status?.phase, "Succeeded");
    assert.deepEqual(stored("/Pod", "done")?.status?.conditions, [scheduled, { type: "Ready", status: "False" }]);
  });

  it("removes a terminating Pod when its node says that nothing of it is left", async () => {
    const node = await agent("cleaner");
    await eventually(() => node.welcome);
    const metadata = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 };
    await cluster.seed(pod("leaving", "cleaner", { metadata }));
    await cluster.seed(pod("held", "cleaner", { metadata: { ...metadata, finalizers: ["example.com/hold"] } }));
    await cluster.seed(pod("staying", "cleaner"));
    const gone = (name: string) => ({
      namespace: "default",
      name,
      uid: `uid-${name}`,
      statusJson: status({ phase: "Succeeded" }),
      gone: true,
    });
    node.report(1, ["leaving", "held", "staying"].map(gone));
    await eventually(() => node.accepted.includes(1));
    assert.equal(stored("/Pod", "leaving"), undefined);
    assert.equal(stored("/Pod", "held")?.metadata.deletionGracePeriodSeconds, 0);
    assert.equal(stored("/Pod", "staying")?.status?.phase, "Succeeded");
    await eventually(() => !node.pods.has("uid-leaving"));
  });

  it("writes a report again when another writer was faster", async () => {
    const node = await agent("busy-node");
    await eventually(() => node.welcome);
    await cluster.seed(pod("contended", "busy-node"));
    beforeEntry = () => cluster.seed(pod("contended", "busy-node", { metadata: { annotations: { by: "another" } } }));
    node.report(1, [
      { namespace: "default", name: "contended", uid: "uid-contended", statusJson: status({ phase: "Running" }) },
    ]);
    await eventually(() => node.accepted.includes(1));
    assert.equal(stored("/Pod", "contended")?.status?.phase, "Running");
  });

  it("writes no report that waited here while its node said something newer by another replica", async () => {
    const before = await agent("moved");
    await eventually(() => before.welcome);
    await cluster.seed(pod("moved", "moved"));
    const report = (phase: string) => ({
      namespace: "default",
      name: "moved",
      uid: "uid-moved",
      statusJson: status({ phase }),
    });
    beforeEntry = async () => {
      const after = await agent("moved", 2);
      await eventually(() => after.welcome);
      after.report(1, [report("Running")]);
      await eventually(() => after.accepted.includes(1));
    };
    before.report(1, [report("Pending")]);
    await eventually(() => before.ended);
    assert.equal(before.error?.reason, "Cancelled");
    assert.deepEqual(before.accepted, []);
    assert.equal(stored("/Pod", "moved")?.status?.phase, "Running");
  });

  it("lets an agent go when this server has known no leader for a while, or can't have its reports written", async () => {
    const [first, second] = [await agent("leaderless"), await agent("unwritten")];
    await eventually(() => first.welcome && second.welcome);
    await cluster.seed(pod("unwritten", "unwritten"));
    let release: () => void = () => undefined;
    beforeEntry = () =>
      new Promise<void>((resolve) => {
        release = resolve;
      });
    second.report(1, [
      { namespace: "default", name: "unwritten", uid: "uid-unwritten", statusJson: status({ phase: "Running" }) },
    ]);
    await eventually(() => second.ended);
    assert.equal(second.error?.reason, "Unavailable");
    release();
    cluster.leader = 0;
    await eventually(() => first.ended);
    cluster.leader = 1;
    assert.equal(first.error?.reason, "NoLeader");
  });

  it("restores the node's own word when a controller that did not hear of it wrote Unknown", async () => {
    const node = await agent("heard");
    await eventually(() => node.welcome);
    node.send({ node: { statusJson: status({ conditions: [{ type: "Ready", status: "True" }] }) } });
    const ready = () =>
      (stored("/Node", "heard", "")?.status?.conditions?.[0] as { status?: string } | undefined)?.status;
    await eventually(() => ready() === "True");
    const live = stored("/Node", "heard", "") as AnyObject;
    await cluster.seed({ ...live, status: { conditions: [{ type: "Ready", status: "Unknown" }] } });
    await eventually(() => ready() === "True");
  });

  const events = (about: string) =>
    cluster.cache
      .snapshot()
      .list<Event>("/Event")
      .filter(({ involvedObject }) => involvedObject.name === about);
  const told = (name: string, more = {}) => ({
    podNamespace: "default",
    podName: name,
    podUid: `uid-${name}`,
    reason: "Unhealthy",
    message: "Readiness probe failed: no",
    warning: true,
    count: 1,
    ...more,
  });

  it("records what a node tells of its Pods and of itself, once, counted, with who told it", async () => {
    const node = await agent("telling");
    await eventually(() => node.welcome);
    await cluster.seed(pod("told", "telling"));
    await eventually(() => node.pods.has("uid-told"));
    const itself = { reason: "NodeHasDiskPressure", message: "Node status is now: NodeHasDiskPressure", count: 1 };
    node.send({ events: { sequence: 1, events: [told("told", { fieldPath: "spec.containers{main}" }), itself] } });
    await eventually(() => node.eventsAccepted.includes(1));
    await eventually(() => events("told").length === 1 && events("telling").length === 1);
    const [first] = events("told");
    assert.deepEqual(
      [
        first?.type,
        first?.reason,
        first?.count,
        first?.source,
        first?.involvedObject.fieldPath,
        first?.metadata.namespace,
      ],
      ["Warning", "Unhealthy", 1, { component: "agent", host: "telling" }, "spec.containers{main}", "default"],
    );
    assert.deepEqual([events("telling")[0]?.type, events("telling")[0]?.involvedObject.kind], ["Normal", "Node"]);
    node.send({ events: { sequence: 2, events: [told("told", { fieldPath: "spec.containers{main}", count: 4 })] } });
    await eventually(() => events("told")[0]?.count === 5);
    assert.equal(events("told").length, 1);
  });

  it("records nothing that is not the node's to tell, and no more than its pace allows", async () => {
    const hostile = await agent("liar");
    await eventually(() => hostile.welcome);
    await cluster.seed(pod("not-theirs", "somewhere-else"));
    await cluster.seed(pod("theirs", "liar"));
    await eventually(() => hostile.pods.has("uid-theirs"));
    const lies = [
      told("not-theirs"),
      told("theirs", { podUid: "uid-of-the-one-before" }),
      told("theirs", { reason: "no reason\u001b[2J" }),
      told("missing"),
      told("theirs", { podNamespace: "kube-system" }),
    ];
    hostile.send({ events: { sequence: 1, events: lies } });
    await eventually(() => hostile.eventsAccepted.includes(1));
    assert.deepEqual([...events("not-theirs"), ...events("theirs"), ...events("missing")], []);
    for (let sequence = 2; sequence < 40; sequence++) {
      const many = Array.from({ length: 60 }, (_, at) => told("theirs", { message: `${sequence} ${at}` }));
      hostile.send({ events: { sequence, events: many } });
    }
    await eventually(() => events("theirs").length > 0);
    hostile.report(1, []);
    await eventually(() => hostile.accepted.includes(1));
    assert.ok(events("theirs").length <= 200, `${events("theirs").length}`);
    hostile.send({ events: { sequence: 50, events: Array.from({ length: 65 }, () => told("theirs")) } });
    await eventually(() => hostile.ended);
    assert.equal(hostile.error?.reason, "TooLarge");
  });

  it("keeps since when a node's condition is what it is, though its agent began anew", async () => {
    const node = await agent("steady");
    await eventually(() => node.welcome);
    const say = (value: string, lastTransitionTime: string) =>
      node.send({
        node: { statusJson: status({ conditions: [{ type: "DiskPressure", status: value, lastTransitionTime }] }) },
      });
    const condition = () => stored("/Node", "steady", "")?.status?.conditions?.[0] as Condition | undefined;
    say("False", "2026-01-01T00:00:00Z");
    await eventually(() => condition()?.status === "False");
    say("False", "2026-02-02T00:00:00Z");
    say("True", "2026-03-03T00:00:00Z");
    await eventually(() => condition()?.status === "True");
    assert.equal(condition()?.lastTransitionTime, "2026-03-03T00:00:00Z");
    say("True", "2026-04-04T00:00:00Z");
    node.report(1, []);
    await eventually(() => node.accepted.includes(1));
    assert.equal(condition()?.lastTransitionTime, "2026-03-03T00:00:00Z");
  });

  it("replaces an older session of the same node, and ends one that is silent", async () => {
    const old = await agent("twice");
    await eventually(() => old.welcome);
    const fresh = await agent("twice", 1, { bootId: "boot-2" });
    await eventually(() => old.ended && fresh.welcome);
    assert.match(old.error?.message ?? "", /replaced/);
    assert.equal(cluster.servers[0]?.liveness.connectedReplica("twice"), 1);
    fresh.freeze();
    await eventually(() => fresh.ended);
    assert.match(fresh.error?.message ?? "", /silent/);
    assert.equal(cluster.servers[0]?.liveness.connectedReplica("twice"), undefined);
  });
});
