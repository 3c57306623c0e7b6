import assert from "node:assert/strict";
import { draft } from "../../../raft/core/message.js";
import { Group, bytes, voters } from "./group.js";

describe("leadership transfer (thesis 3.10)", () => {
  it("moves at once to a voter that has everything, without a pre-vote (corner 22) and in spite of the lease", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    const types = new Set<string>();
    group.filter = ({ type }) => Boolean(types.add(type));
    assert.equal(group.member(1).raft.transferLeadership(2), true);
    group.settle();
    assert.deepEqual([group.leader.id, group.leader.status.term], [2, 2]);
    assert.equal(types.has("MsgPreVote"), false);
    assert.deepEqual(group.roles, ["Follower", "Leader", "Follower"]);
  });

  it("can be asked for on a follower", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    assert.equal(group.member(3).raft.transferLeadership(3), true);
    group.settle();
    assert.equal(group.leader.id, 3);
  });

  it("brings a voter that is behind up to date first", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.propose(1, "a");
    group.propose(1, "b");
    group.heal();
    group.member(1).raft.transferLeadership(3);
    group.tick();
    assert.equal(group.leader.id, 3);
    assert.deepEqual(group.member(3).data, ["a", "b"]);
  });

  it("is ordered again with each heartbeat: an order may be lost", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    let lost = 0;
    group.filter = ({ type }) => type !== "MsgTimeoutNow" || (lost += 1) > 2;
    group.member(1).raft.transferLeadership(3);
    group.settle();
    assert.deepEqual([lost, group.leader.id], [1, 1]);
    group.tick(2);
    assert.deepEqual([lost, group.leader.id], [3, 3]);
  });

  it("refuses proposals meanwhile, and takes them again one election timeout after a dead target", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.member(1).raft.transferLeadership(3);
    group.settle();
    const refusal = group.propose(1, "refused");
    assert.deepEqual("reason" in refusal && refusal.reason, "Transferring");
    group.tick(9);
    assert.equal(group.member(1).status.transferee, 3);
    group.tick();
    assert.equal(group.propose(1, "taken").outcome, "Accepted");
    assert.deepEqual(group.member(2).data, ["taken"]);
  });

  it("is called off by a transfer to itself", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.member(1).raft.transferLeadership(3);
    assert.equal(group.member(1).raft.transferLeadership(1), false);
    assert.equal(group.member(1).status.transferee, 0);
    assert.equal(group.propose(1, "taken").outcome, "Accepted");
  });

  it("tells the target to campaign behind the append with the commit index", () => {
    const group = new Group([1, 2]);
    const leader = group.elect(1);
    leader.raft.propose([bytes("a")]);
    leader.raft.transferLeadership(2);
    const append = leader.turn().find(({ type }) => type === "MsgApp");
    const [accepted] = group.member(2).step("MsgApp", 1, append!.term, append);
    const sent = leader.step("MsgAppResp", 2, accepted!.term, accepted);
    assert.deepEqual(
      sent.map(({ type, commit }) => [type, commit]),
      [
        ["MsgApp", 2],
        ["MsgTimeoutNow", 0],
      ],
    );
  });

  it("does not outlive the leadership (corner 23, hashicorp/raft #696)", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.member(1).raft.transferLeadership(3);
    group.member(2).raft.forgetLeader();
    group.isolate(1);
    group.tick(20);
    assert.equal(group.member(1).status.transferee, 0);
    group.heal();
    group.tick(20);
    group.member(1).raft.transferLeadership(1);
    group.tick(2);
    assert.equal(group.leader.id, 1);
    assert.equal(group.propose(1, "taken").outcome, "Accepted");
  });

  it("a newer target replaces the old one", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.member(1).raft.transferLeadership(3);
    assert.equal(group.member(1).raft.transferLeadership(2), true);
    group.settle();
    assert.equal(group.leader.id, 2);
  });

  it("to a target that never catches up is given up after one election timeout (corner 23)", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.filter = ({ type, to }) => !(type === "MsgApp" && to === 3);
    group.propose(1, "ahead");
    assert.equal(group.member(1).raft.transferLeadership(3), true);
    group.tick(9);
    assert.equal("reason" in group.propose(1, "refused"), true);
    group.tick(2);
    assert.deepEqual([group.leader.id, group.leader.status.transferee], [1, 0]);
    assert.equal(group.propose(1, "taken").outcome, "Accepted");
  });

  for (const type of ["Remove", "AddLearner"] as const) {
    it(`to a target that meanwhile is no voter any more is given up at once (corner 23, ${type})`, () => {
      const group = new Group([1, 2, 3]);
      group.elect(1);
      group.isolate(3);
      group.member(1).proposeChange({ transition: "Auto", steps: [{ type, node: 3 }] });
      group.member(1).raft.transferLeadership(3);
      assert.equal(group.member(1).status.transferee, 3);
      group.settle();
      assert.equal(group.member(1).status.transferee, 0);
      assert.equal(group.propose(1, "taken").outcome, "Accepted");
    });
  }

  it("is forgotten by a leader that is elected again (corner 23)", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.member(1).raft.transferLeadership(3);
    group.member(1).step("MsgAppResp", 2, 2);
    assert.equal(group.member(1).status.role, "Follower");
    group.member(2).raft.forgetLeader();
    group.elect(1);
    assert.deepEqual([group.leader.id, group.leader.status.transferee], [1, 0]);
    assert.equal(group.propose(1, "taken").outcome, "Accepted");
  });

  it("a late order to campaign, after the transfer was given up, costs an election and nothing else (corner 23)", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.filter = ({ type }) => type !== "MsgTimeoutNow";
    group.member(1).raft.transferLeadership(3);
    group.tick(11);
    group.propose(1, "kept");
    group.heal();
    group.member(3).raft.step({ ...draft("MsgTimeoutNow", 1, 3, 1) });
    group.settle();
    assert.equal(group.leader.id, 3);
    group.propose(3, "after");
    assert.deepEqual(group.member(2).data, ["kept", "after"]);
  });

  it("is refused to itself, to a learner, to a stranger, and without a leader", () => {
    const configuration = { ...voters(1, 2), learners: [3] };
    const group = new Group([1, 2, 3], { configuration });
    assert.equal(group.member(2).raft.transferLeadership(2), false);
    const { raft } = group.elect(1);
    assert.deepEqual(
      [1, 3, 9].map((id) => raft.transferLeadership(id)),
      [false, false, false],
    );
  });
});
