import assert from "node:assert/strict";
import { Lease } from "../../../raft/core/lease.js";
import { Group, Member, voters } from "./group.js";

const config = { leaseReads: true };

/** Members 1, 2, 3, of which 1 leads and holds a lease. Everybody's start counts as having heard a leader, so they wait first. */
function leasedGroup(): Group {
  const group = new Group([1, 2, 3], (id) => ({ config, chance: (bound) => Math.min(bound - 1, 3 * (id - 1)) }));
  group.tick(10);
  assert.equal(group.leader.id, 1);
  group.tick(2);
  return group;
}

/** Whether a read is answered without anything being sent or heard. */
function readsAtOnce(member: Member): boolean {
  const before = member.reads.length;
  member.raft.readIndex(77);
  member.turn();
  return member.reads.length > before;
}

describe("lease reads (thesis 6.4.1), which are opt-in", () => {
  it("need no round of messages while a quorum has promised silence", () => {
    const group = leasedGroup();
    group.propose(1, "data");
    group.filter = () => false;
    assert.equal(readsAtOnce(group.member(1)), true);
    assert.equal(group.member(1).reads.at(-1)?.index, group.member(1).status.commit);
    assert.equal(readsAtOnce(new Group([1, 2, 3]).elect(1)), false, "not the default");
  });

  it("followers are answered as quickly", () => {
    const group = leasedGroup();
    group.filter = ({ type }) => type !== "MsgHeartbeat";
    group.member(2).raft.readIndex(5);
    group.settle();
    assert.deepEqual(group.member(2).reads, [{ index: 1, context: 5 }]);
  });

  it("end before any other leader can be elected, counted from when the answered round was sent (corner 11)", () => {
    const group = leasedGroup();
    group.isolate(1);
    let ticks = 0;
    for (; readsAtOnce(group.member(1)); ticks++) group.tick();
    assert(ticks >= 5 && ticks < 10, `the lease held for ${ticks} ticks`);
    const others = [2, 3].map((id) => group.member(id).status.term);
    assert.deepEqual(others, [1, 1]);
  });

  it("a leader that was paused does not believe in its lease (corner 11)", () => {
    const group = leasedGroup();
    group.isolate(1);
    for (let tick = 0; tick < 30; tick++) {
      for (const id of [2, 3]) group.member(id).raft.tick();
      group.settle();
    }
    const next = group.leader;
    assert.notEqual(next.id, 1);
    group.propose(next.id, "newer");
    group.member(1).raft.restartElectionTimer();
    assert.equal(readsAtOnce(group.member(1)), false);
  });

  it("a transfer ends them for the rest of the term, since its campaign may come late", () => {
    const group = leasedGroup();
    group.filter = ({ type }) => type !== "MsgTimeoutNow";
    group.member(1).raft.transferLeadership(2);
    group.tick(15);
    assert.equal(group.member(1).status.transferee, 0);
    assert.equal(group.leader.id, 1);
    assert.equal(readsAtOnce(group.member(1)), false);
  });

  it("a new configuration needs a round of its own", () => {
    const group = leasedGroup();
    group.filter = ({ type }) => type !== "MsgHeartbeat";
    assert.equal(readsAtOnce(group.member(1)), true);
    group.member(1).proposeChange({ transition: "Auto", steps: [{ type: "Remove", node: 3 }] });
    group.settle();
    assert.equal(readsAtOnce(group.member(1)), false);
  });

  it("wait for the first commit of the term like others", () => {
    const group = leasedGroup();
    group.filter = ({ type }) => type !== "MsgAppResp";
    group.member(1).raft.transferLeadership(2);
    group.settle();
    group.tick(3);
    assert.equal(group.leader.id, 2);
    assert.equal(readsAtOnce(group.member(2)), false);
  });

  it("forgetLeader and campaigns ahead of time are refused", () => {
    const { raft } = leasedGroup().member(2);
    assert.equal(raft.forgetLeader(), false);
    assert.equal(raft.status().leader, 1);
    raft.campaign();
    assert.equal(raft.status().role, "Follower");
    assert.equal(new Group([1, 2, 3]).member(2).raft.forgetLeader(), true);
  });

  it("a member that restarted keeps the silence it may have promised", () => {
    const restarted = new Member(2, { config, hardState: { term: 1 }, configuration: voters(1, 2, 3) });
    restarted.tick(9);
    assert.deepEqual(restarted.step("MsgVote", 3, 2), []);
    assert.deepEqual(restarted.step("MsgPreVote", 3, 2), []);
    assert.equal(restarted.status.term, 1);
    restarted.tick();
    assert.equal(restarted.step("MsgVote", 3, 2).at(-1)?.reject, false);
  });

  it("need check-quorum", () => {
    assert.throws(
      () => new Member(1, { config: { leaseReads: true, checkQuorum: false } }),
      /leaseReads needs checkQuorum/,
    );
  });

  it("a lease begins when the last answered round was sent, not when it was answered", () => {
    const lease = new Lease();
    lease.sent(1, 100);
    lease.sent(2, 101);
    lease.sent(3, 102);
    assert.equal(lease.holds(102, 10), false);
    lease.confirmed(2);
    assert.equal(lease.holds(108, 10), true);
    assert.equal(lease.holds(109, 10), false);
    lease.confirmed(3);
    assert.equal(lease.holds(109, 10), true);
    lease.interrupt();
    assert.equal(lease.holds(103, 10), false);
    lease.sent(4, 110);
    lease.confirmed(4);
    assert.equal(lease.holds(111, 10), true);
    lease.forfeit();
    assert.equal(lease.holds(111, 10), false);
  });
});
