import assert from "node:assert/strict";
import { fencingLeaseAnnotation, leaseRevokedType } from "../../../src/api/kinds/fencing-lease.js";
import { IkadaError } from "../../../src/base/errors.js";
import { storeKey } from "../../../src/objects/keys.js";
import { eventually, TestCluster, wrapped } from "../harness.js";
import { pod } from "../objects.js";
import { FakeAgent } from "./fake-agent.js";

const annotations = { [fencingLeaseAnnotation]: "15" };
const leased = (name: string, node: string, more: object = {}) =>
  pod(name, node, { metadata: { annotations, ...more } });

describe("renewal of fencing leases", () => {
  let cluster: TestCluster;
  const agents: FakeAgent[] = [];
  /** Servers that no quorum confirms. */
  const cutOff = new Set<number>();
  let writes = 0;
  before(async () => {
    cluster = await TestCluster.start(2, {
      storeOf: (store, id) => ({
        ...wrapped(store, {
          write: (request, write) => {
            writes += 1;
            return write(request);
          },
        }),
        barrier: (options) =>
          cutOff.has(id) ? Promise.reject(new IkadaError("NoLeader", "cut off")) : store.barrier(options),
      }),
    });
  });
  afterEach(() => {
    cutOff.clear();
    for (const agent of agents.splice(0)) agent.close();
  });
  after(() => cluster.close());

  async function agent(node: string, server = 1, bootId = "boot-1"): Promise<FakeAgent> {
    const identity = await cluster.identity("node", node);
    const made = new FakeAgent(cluster.client("agents", server, identity), node, { bootId });
    agents.push(made);
    await eventually(() => made.welcome);
    return made;
  }

  let sequence = 0;
  async function renew(agent: FakeAgent, instance: string, ...names: readonly string[]) {
    sequence += 1;
    const mine = sequence;
    agent.send({ renew: { sequence: mine, instance, podUids: names.map((name) => `uid-${name}`) } });
    const answer = () => agent.messages.find(({ leases }) => leases?.sequence === mine)?.leases;
    await eventually(() => answer() ?? agent.ended);
    return answer();
  }

  it("is granted for the node's own Pods that have one and are to run", async () => {
    const here = await agent("granted");
    const revoked = [{ type: leaseRevokedType, status: "True" }];
    await cluster.seed(leased("mine", "granted"));
    await cluster.seed(leased("ending", "granted", { deletionTimestamp: "2026-01-01T00:00:00Z" }));
    await cluster.seed(leased("theirs", "elsewhere"));
    await cluster.seed(pod("unleased", "granted"));
    await cluster.seed({ ...leased("revoked", "granted"), status: { phase: "Running", conditions: revoked } });
    const all = ["mine", "ending", "theirs", "unleased", "revoked", "missing"];
    const answer = await renew(here, "a/1", ...all);
    assert.deepEqual([...(answer?.podUids ?? [])].sort(), ["uid-ending", "uid-mine"]);
    assert.equal(answer?.first, true);
    // Another Pod of the same name.
    await cluster.seed(leased("mine", "granted", { uid: "uid-of-the-next" }));
    assert.deepEqual((await renew(here, "a/1", "mine"))?.podUids, []);
  });

  it("writes who holds the node's leases once, and nothing for a renewal", async () => {
    await cluster.seed(leased("quiet", "writer"));
    const here = await agent("writer");
    const first = await renew(here, "a/1", "quiet");
    writes = 0;
    for (let round = 0; round < 5; round++) await renew(here, "a/1", "quiet");
    assert.equal(writes, 0);
    here.close();
    // The same agent at another server, and a later process of it; that it has a session is written for itself.
    const again = await agent("writer", 2, "boot-2");
    writes = 0;
    const answer = await renew(again, "a/1", "quiet");
    assert.deepEqual(answer?.podUids, ["uid-quiet"]);
    assert.deepEqual([answer?.epoch, answer?.first], [first?.epoch, true]);
    assert.equal(writes, 0);
  });

  it("is not given by a server that no quorum confirms", async () => {
    await cluster.seed(leased("lonely", "lonely"));
    const here = await agent("lonely");
    await renew(here, "a/1", "lonely");
    cutOff.add(1);
    here.send({ renew: { sequence: 999_999, instance: "a/1", podUids: ["uid-lonely"] } });
    // Whatever was sent after it is answered.
    here.report(1, []);
    await eventually(() => here.accepted.includes(1));
    cutOff.clear();
    await renew(here, "a/1", "lonely");
    assert.equal(here.messages.filter(({ leases }) => leases?.sequence === 999_999).length, 0);
    assert.equal(here.ended, false);
  });

  it("ends for one instance when another takes over, at whatever server, and the epoch tells", async () => {
    await cluster.seed(leased("contended", "twin"));
    const [one, two] = [await agent("twin", 1), await agent("twin", 2, "boot-2")];
    const first = await renew(one, "a/1", "contended");
    const second = await renew(two, "b/1", "contended");
    assert.deepEqual([first?.first, second?.first], [true, false]);
    assert.notEqual(first?.epoch, second?.epoch);
    assert.equal(await renew(one, "a/1", "contended"), undefined);
    assert.deepEqual([one.error?.reason, /another agent/.test(one.error?.message ?? "")], ["Conflict", true]);
    const back = await agent("twin", 1);
    const third = await renew(back, "a/1", "contended");
    assert.equal(new Set([first?.epoch, second?.epoch, third?.epoch]).size, 3);
    assert.equal(third?.first, false);
    assert.equal(await renew(two, "b/1", "contended"), undefined);
  });

  it("decides whose word that a Pod is gone counts", async () => {
    const ending = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 30 };
    await cluster.seed(leased("leaving", "double", ending));
    const stored = () => cluster.store.peek(storeKey({ groupKind: "/Pod", namespace: "default", name: "leaving" }));
    const statusJson = new TextEncoder().encode('{"phase":"Running"}');
    const gone = (leaseEpoch: number) => ({
      namespace: "default",
      name: "leaving",
      uid: "uid-leaving",
      statusJson,
      gone: true,
      leaseEpoch,
    });
    const [one, two] = [await agent("double", 1), await agent("double", 2, "boot-2")];
    const first = await renew(one, "a/1", "leaving");
    const second = await renew(two, "b/1", "leaving");
    for (const [at, epoch] of [first?.epoch ?? 0, 0, 1].entries()) {
      two.report(at + 1, [gone(epoch)]);
      await eventually(() => two.accepted.includes(at + 1));
      assert.notEqual(stored(), undefined);
    }
    two.report(9, [gone(second?.epoch ?? 0)]);
    await eventually(() => two.accepted.includes(9));
    assert.equal(stored(), undefined);
  });

  it("refuses what makes no sense", async () => {
    const nameless = await agent("nameless");
    assert.equal(await renew(nameless, "", "x"), undefined);
    assert.equal(nameless.error?.reason, "BadRequest");
    const greedy = await agent("greedy");
    assert.equal(await renew(greedy, "a/1", ...Array.from({ length: 1025 }, (_, at) => `p${at}`)), undefined);
    assert.equal(greedy.error?.reason, "TooLarge");
  });
});
