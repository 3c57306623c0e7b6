import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventually, leaderOf, RealCluster, RealMember } from "./real-cluster.js";

describe("members over real sockets and files", function () {
  this.timeout(90_000);
  let cluster: RealCluster;

  beforeEach(async () => {
    cluster = await RealCluster.create(3);
  });

  afterEach(async () => {
    await cluster.close();
  });

  it("elect, commit, go on without a killed leader, and take it back", async () => {
    const members = await cluster.start(1, 2, 3);
    await eventually("a leader", () => leaderOf(members) !== undefined);
    const first = leaderOf(members) as RealMember;
    const others = members.filter((member) => member !== first);
    const expected = Array.from({ length: 300 }, (_, at) => `before ${at}`);
    for (const text of expected) first.propose(text);
    await eventually("300 entries on all", () => members.every(({ texts }) => texts.length === 300));
    for (const member of members) assert.deepEqual(member.texts, expected);

    await first.kill();
    await eventually("a new leader", () => leaderOf(others) !== undefined);
    (others[0] as RealMember).propose("after");
    await eventually("an entry without the first", () => others.every(({ texts }) => texts.at(-1) === "after"));

    const [again] = (await cluster.start(first.id)) as [RealMember];
    await eventually("the first has caught up", () => again.texts.at(-1) === "after");
    assert.deepEqual(again.texts, [...expected, "after"]);
    again.read(7);
    await eventually("a read on the returned member", () => again.reads.has(7));
    const last = again.committed.at(-1)?.index ?? 0;
    assert((again.reads.get(7) ?? 0) >= last);
  });

  it("hand leadership over on a stop, and keep everything over a restart of all", async () => {
    const members = await cluster.start(1, 2, 3);
    await eventually("a leader", () => leaderOf(members) !== undefined);
    const first = leaderOf(members) as RealMember;
    const others = members.filter((member) => member !== first);
    const large = "x".repeat(1_000_000);
    first.propose(large);
    await eventually("a large entry on all", () => members.every(({ texts }) => texts.length === 1));
    assert.equal(await first.stop(), 0);
    await eventually("a new leader", () => leaderOf(others) !== undefined);
    assert.deepEqual(await Promise.all(others.map((member) => member.stop())), [0, 0]);
    for (const member of members) assert.deepEqual(member.fatal, []);
    const restarted = await cluster.start(1, 2, 3);
    await eventually("the entry again", () => restarted.every(({ texts }) => texts[0] === large));
  });

  it("refuse an entry that is too large, and a log that is damaged or gone", async () => {
    const [member] = (await cluster.start(1)) as [RealMember];
    member.propose(new Uint8Array(3_000_000), 5);
    await eventually("a refusal", () => member.refused.length > 0);
    assert.deepEqual(member.refused, [{ tag: 5, reason: "TooLarge" }]);
    assert.equal(await member.stop(), 0);
    const marker = path.join(cluster.options(1).dataFolder, "log", "marker");
    writeFileSync(marker, new Uint8Array(10_000).fill(1));
    await assert.rejects(cluster.start(1), /the Raft log is damaged: log\/marker, no whole slot/);
    rmSync(path.dirname(marker), { recursive: true });
    await assert.rejects(cluster.start(1), /the Raft log of member 1 is gone: the data folder \/.*\/data-1 has member/);
  });

  it("tell the main thread when they fail", async () => {
    const member = new RealMember({ ...cluster.options(1), failpoints: "log-before-write=error@1" });
    await assert.rejects(member.started, /log-before-write/);
    const later = new RealMember({ ...cluster.options(2), failpoints: "log-before-write=error@2" });
    const [third] = await cluster.start(3);
    cluster.members.push(member, later);
    await later.started;
    await eventually("a failure", () => later.fatal.length > 0);
    assert.match(later.fatal[0] ?? "", /log-before-write/);
    assert.deepEqual(third?.fatal, []);
  });

  it("tell that the port is taken", async () => {
    await cluster.start(1);
    const second = { ...cluster.options(1), dataFolder: path.join(cluster.folder, "other") };
    const member = new RealMember(second);
    cluster.members.push(member);
    await assert.rejects(member.started, /cannot listen on .*EADDRINUSE/);
    assert.deepEqual(member.fatal, []);
  });
});
