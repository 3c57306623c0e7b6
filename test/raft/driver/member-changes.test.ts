import assert from "node:assert/strict";
import { members as membersOf, type ConfChange, type ConfChangeStepType } from "../../../raft/core/configuration.js";
import type { ConfState, NodeId } from "../../../raft/core/types.js";
import { texts, VirtualCluster, type Member } from "./virtual-cluster.js";

function change(...steps: (readonly [ConfChangeStepType, NodeId])[]): ConfChange {
  return { transition: "Auto", steps: steps.map(([type, node]) => ({ type, node })) };
}

function stands(voters: readonly NodeId[], learners: readonly NodeId[] = []): (configuration: ConfState) => boolean {
  return (configuration) =>
    configuration.outgoing.length === 0 &&
    String(configuration.voters) === String(voters) &&
    String(configuration.learners) === String(learners);
}

/** Writes at whoever runs, all the time, and knows what was committed anywhere. */
class Load {
  readonly #cluster: VirtualCluster;
  #count = 0;
  #isOver = false;

  constructor(cluster: VirtualCluster) {
    this.#cluster = cluster;
    this.#write();
  }

  /** Ends the load, and gives every member that belongs to the cluster time to have all of it. */
  settle(ids: readonly NodeId[]): void {
    this.#isOver = true;
    const leader = this.#cluster.elect();
    this.#cluster.commit(
      leader,
      "the end",
      ids.map((id) => this.#cluster.member(id)),
    );
    for (const id of ids) assert.deepEqual(texts(this.#cluster.member(id)), texts(leader), `member ${id}`);
    assert(texts(leader).length > 20, "there was a load");
  }

  #write(): void {
    if (this.#isOver) return;
    const running = [...this.#cluster.members.values()].filter(({ driver, status }) => driver && status?.leader);
    const member = running[this.#count % Math.max(1, running.length)];
    member?.driver?.propose(this.#count, new TextEncoder().encode(`write ${this.#count++}`));
    this.#cluster.time.after(5, () => this.#write());
  }
}

function isCaughtUp(cluster: VirtualCluster, id: NodeId): boolean {
  const { status } = cluster.leader ?? {};
  const progress = status?.progress.find((each) => each.id === id);
  return status !== undefined && progress !== undefined && progress.match + 10 >= status.commit;
}

function grow(cluster: VirtualCluster, id: NodeId, voters: readonly NodeId[]): void {
  cluster.join(id);
  cluster.change(change(["AddLearner", id]), stands(voters, [id]));
  cluster.time.run(() => isCaughtUp(cluster, id));
  cluster.change(change(["AddVoter", id]), stands([...voters, id]));
}

/** What its log says after a crash is what it said before. */
function restarted(cluster: VirtualCluster, member: Member): void {
  const { configuration } = member.status ?? {};
  cluster.kill(member.id, false);
  if (!cluster.flushes) member.appliedIndex = 0;
  cluster.start(member.id);
  cluster.time.run(() => String(member.status?.configuration.voters) === String(configuration?.voters));
  cluster.time.run(() => member.status?.leader !== 0 && member.status?.leader !== undefined);
}

describe("changes of the members, through the driver", () => {
  it("that have counted count after a crash at once: quorums of the one before may not be there any more", () => {
    const cluster = new VirtualCluster(2);
    cluster.start();
    const leader = cluster.elect();
    const other = [...cluster.members.values()].find((member) => member !== leader) as Member;
    cluster.commit(leader, "x", [leader, other]);
    const { appliedIndex } = leader;
    leader.driver?.changeMembers(7, change(["AddLearner", other.id]));
    cluster.time.run(() => stands([leader.id], [other.id])(leader.status?.configuration as ConfState));
    for (const { id } of [leader, other]) cluster.kill(id, true);
    // The state was not flushed, so the log alone knows.
    leader.appliedIndex = appliedIndex;
    cluster.start(leader.id);
    cluster.time.run(() => leader.status?.role === "Leader");
    assert.deepEqual(leader.status?.configuration.voters, [leader.id]);
  });

  it("are answered when they are committed, with the configuration", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.join(4);
    leader.driver?.changeMembers(7, change(["AddLearner", 4]));
    cluster.time.run(() => leader.changed.has(7));
    assert.deepEqual(leader.changed.get(7), {
      voters: [1, 2, 3],
      outgoing: [],
      learners: [4],
      learnersNext: [],
      autoLeave: false,
    });
  });

  it("are answered when the joint configuration is left, not before", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.join(4);
    const other = [1, 2, 3].find((id) => id !== leader.id) as NodeId;
    leader.driver?.changeMembers(8, change(["AddVoter", 4], ["Remove", other]));
    cluster.time.run(() => leader.changed.has(8));
    assert.deepEqual(leader.changed.get(8)?.outgoing, []);
    assert.deepEqual(
      leader.changed.get(8)?.voters,
      [1, 2, 3, 4].filter((id) => id !== other),
    );
  });

  it("are refused by followers, while another is pending, and when they make no sense", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.time.pass(200);
    for (const id of [4, 5]) cluster.join(id);
    const follower = [...cluster.members.values()].find((member) => member !== leader) as Member;
    follower.driver?.changeMembers(1, change(["AddLearner", 4]));
    leader.driver?.changeMembers(2, change(["AddLearner", 4]));
    leader.driver?.changeMembers(3, change(["AddLearner", 5]));
    leader.driver?.changeMembers(4, change(["Remove", 1], ["Remove", 2], ["Remove", 3]));
    cluster.time.run(() => leader.changed.has(2));
    assert.deepEqual(follower.refused, [{ tag: 1, reason: "NoLeader" }]);
    assert.deepEqual(leader.refused, [
      { tag: 3, reason: "ChangePending" },
      { tag: 4, reason: "ChangePending" },
    ]);
    cluster.time.pass(10);
    leader.driver?.changeMembers(5, change(["Remove", 1], ["Remove", 2], ["Remove", 3]));
    cluster.time.run(() => leader.refused.some(({ tag }) => tag === 5));
    assert.deepEqual(leader.refused.at(-1), { tag: 5, reason: "InvalidChange" });
  });

  it("that come late are refused: nothing is undone that was changed behind the entry they were asked for at", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.time.pass(200);
    const asOf = leader.status?.commit;
    assert.ok(asOf !== undefined && asOf > 0);
    const other = [1, 2, 3].find((id) => id !== leader.id) as NodeId;
    leader.driver?.changeMembers(1, change(["AddLearner", other]), asOf);
    cluster.time.run(() => leader.changed.has(1));
    cluster.time.pass(200);
    leader.driver?.changeMembers(2, change(["AddVoter", other]), leader.status?.commit);
    cluster.time.run(() => leader.changed.has(2));
    cluster.time.pass(200);
    leader.driver?.changeMembers(3, change(["AddLearner", other]), asOf);
    cluster.time.run(() => leader.refused.length > 0);
    assert.deepEqual(leader.refused, [{ tag: 3, reason: "MembersChanged" }]);
    assert.deepEqual(leader.status?.configuration.voters, [1, 2, 3]);
  });

  it("that another leader's entry overwrites are refused, and leave no trace (raft.md 5, corner 4)", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const old = cluster.elect();
    cluster.commit(old, "before", [...cluster.members.values()]);
    cluster.loses = ({ from, to }) => from === old.id || to === old.id;
    old.driver?.changeMembers(9, change(["Remove", old.id === 1 ? 2 : 1]));
    cluster.time.run(() => (cluster.leader ?? old) !== old, 10_000);
    const next = cluster.leader as Member;
    cluster.commit(next, "after");
    cluster.loses = () => false;
    cluster.time.run(() => old.refused.some(({ tag }) => tag === 9));
    assert.equal(old.changed.size, 0);
    assert.deepEqual(old.status?.configuration.voters, [1, 2, 3]);
    restarted(cluster, old);
    assert.deepEqual(old.status?.configuration.voters, [1, 2, 3]);
  });

  it("grow a cluster from one to three to five under load, and shrink it again", () => {
    const cluster = new VirtualCluster(1);
    cluster.start();
    cluster.elect();
    const load = new Load(cluster);
    for (const id of [2, 3, 4, 5])
      grow(
        cluster,
        id,
        Array.from({ length: id - 1 }, (_, at) => at + 1),
      );
    let voters = [1, 2, 3, 4, 5];
    for (const id of [1, 2]) {
      voters = voters.filter((each) => each !== id);
      cluster.change(change(["Remove", id]), stands(voters), 30_000);
      cluster.time.pass(500);
      cluster.kill(id, true);
    }
    load.settle([3, 4, 5]);
  });

  it("replace every member in turn, the leader among them, under load", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    cluster.elect();
    const load = new Load(cluster);
    let voters = [1, 2, 3];
    for (const [gone, added] of [
      [1, 4],
      [2, 5],
      [3, 6],
    ] as const) {
      cluster.join(added);
      cluster.change(change(["AddLearner", added]), stands(voters, [added]));
      cluster.time.run(() => isCaughtUp(cluster, added));
      voters = [...voters.filter((id) => id !== gone), added];
      cluster.change(change(["AddVoter", added], ["Remove", gone]), stands(voters));
      cluster.time.pass(500);
      cluster.kill(gone, true);
    }
    load.settle([4, 5, 6]);
  });

  it("bring in a member that needs a snapshot, and replace the leader by it", () => {
    const cluster = new VirtualCluster(3, { compaction: { keptEntries: 10, keptBytes: 1_000, heldBytesMax: 4_000 } });
    cluster.flushes = true;
    cluster.start();
    const leader = cluster.elect();
    for (let at = 0; at < 200; at++) cluster.commit(leader, `before ${at}`);
    const added = cluster.join(4);
    cluster.change(change(["AddLearner", 4]), stands([1, 2, 3], [4]));
    cluster.time.run(() => isCaughtUp(cluster, 4));
    assert(added.installed.length > 0, "it came by a snapshot");
    const rest = [1, 2, 3].filter((id) => id !== leader.id);
    cluster.change(change(["AddVoter", 4], ["Remove", leader.id]), stands([...rest, 4]));
    cluster.kill(leader.id, true);
    const next = cluster.elect();
    cluster.commit(
      next,
      "after",
      [...rest, 4].map((id) => cluster.member(id)),
    );
    assert.equal(texts(added).length, 201);
    restarted(cluster, added);
    assert.deepEqual(added.status?.configuration.voters, [...rest, 4]);
  });

  it("survive a restart of every member after every step (raft.md 5, corner 8)", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    cluster.elect();
    const steps: [ConfChange, readonly NodeId[], readonly NodeId[]][] = [
      [change(["AddLearner", 4]), [1, 2, 3], [4]],
      [change(["AddVoter", 4]), [1, 2, 3, 4], []],
      [change(["AddLearner", 2]), [1, 3, 4], [2]],
      [change(["AddVoter", 2], ["Remove", 3]), [1, 2, 4], []],
    ];
    cluster.join(4);
    for (const [wanted, voters, learners] of steps) {
      cluster.change(wanted, stands(voters, learners));
      const { configuration } = cluster.leader?.status ?? {};
      assert(configuration);
      const all = membersOf(configuration).map((id) => cluster.member(id));
      cluster.time.run(() => all.every(({ status }) => status && stands(voters, learners)(status.configuration)));
      for (const member of all) {
        restarted(cluster, member);
        assert.deepEqual(member.status?.configuration.learners, learners);
      }
    }
  });

  it("let a machine with a wiped disk join under a new id, while its old self is gone", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    cluster.elect();
    const load = new Load(cluster);
    cluster.kill(3, true);
    cluster.change(change(["Remove", 3]), stands([1, 2]));
    grow(cluster, 4, [1, 2]);
    load.settle([1, 2, 4]);
  });
});
