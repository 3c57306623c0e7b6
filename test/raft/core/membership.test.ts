import assert from "node:assert/strict";
import type { ConfChange, ConfChangeStepType } from "../../../raft/core/configuration.js";
import type { Message } from "../../../raft/core/types.js";
import { Group, Member, encodeChange, logOf, message, voters } from "./group.js";

function change(type: ConfChangeStepType, node: number): ConfChange {
  return { transition: "Auto", steps: [{ type, node }] };
}

const replaceThreeByFour: ConfChange = {
  transition: "Auto",
  steps: [
    { type: "AddVoter", node: 4 },
    { type: "Remove", node: 3 },
  ],
};

/** Voters 1, 2, 3 of which 1 leads, and node 4 that waits with an empty log. */
function groupOfFour(): Group {
  const group = new Group([1, 2, 3, 4], { configuration: voters(1, 2, 3) });
  group.elect(1);
  return group;
}

describe("membership changes (paper 6, thesis 4)", () => {
  it("take effect when applied, and bring the new member up to date", () => {
    const group = groupOfFour();
    group.propose(1, "before");
    const result = group.member(1).proposeChange(change("AddVoter", 4));
    assert.equal(result.outcome, "Accepted");
    assert.deepEqual(group.member(1).status.configuration, voters(1, 2, 3));
    group.settle();
    group.tick();
    for (const id of [1, 2, 3, 4]) {
      assert.deepEqual(group.member(id).status.configuration, voters(1, 2, 3, 4));
      assert.deepEqual(group.member(id).data, ["before"]);
    }
  });

  it("go one at a time, and none before the leader's no-op is applied (the single-server bug, corner 1)", () => {
    const member = new Member(1, { config: { preVote: false } });
    member.raft.campaign();
    member.turn();
    member.step("MsgVoteResp", 2, 1);
    const early = member.proposeChange(change("AddVoter", 4));
    assert.equal("reason" in early && early.reason, "ConfChangePending");
    member.step("MsgAppResp", 2, 1, { index: 1, session: 1 });
    assert.equal(member.proposeChange(change("AddVoter", 4)).outcome, "Accepted");
    const second = member.proposeChange(change("AddVoter", 5));
    assert.equal("reason" in second && second.reason, "ConfChangePending");
  });

  it("of earlier leaders hold up those of a new one until they are applied", () => {
    const group = groupOfFour();
    // Leader 1 appends a change that reaches nobody but 2.
    group.filter = ({ from, to, type }) => !(type === "MsgAppResp" || (from === 1 && to === 3));
    group.member(1).proposeChange(change("AddVoter", 4));
    group.settle();
    group.isolate(1);
    for (const id of [2, 3]) group.member(id).raft.forgetLeader();
    group.member(2).raft.campaign();
    group.settle();
    assert.equal(group.leader.id, 2);
    assert.deepEqual(group.member(2).status.configuration, voters(1, 2, 3, 4), "committed with the no-op and applied");
  });

  it("are refused with a reason when they can't be", () => {
    const group = groupOfFour();
    const refusal = group.member(1).proposeChange({ transition: "Auto", steps: [] });
    assert.match("detail" in refusal ? refusal.detail : "", /not joint/);
    const follower = group.member(2).proposeChange(change("AddVoter", 4));
    assert.equal("reason" in follower && follower.reason, "NoLeader");
  });

  it("of several voters go through a joint configuration, which is left by itself", () => {
    const group = groupOfFour();
    const seen = new Set<number>();
    group.filter = () => Boolean(seen.add(group.member(1).status.configuration.outgoing.length)) || true;
    group.member(1).proposeChange(replaceThreeByFour);
    group.settle();
    group.tick(2);
    assert.deepEqual(
      [...seen].sort((left, right) => left - right),
      [0, 3],
    );
    for (const id of [1, 2, 4]) assert.deepEqual(group.member(id).status.configuration, voters(1, 2, 4));
  });

  it("in a joint configuration need both majorities", () => {
    const configuration = { ...voters(1, 4, 5), outgoing: [1, 2, 3] };
    const group = new Group([1, 2, 3, 4, 5], { configuration });
    group.isolate(1, 2, 3);
    group.elect(1);
    assert.notEqual(group.member(1).status.role, "Leader");
    group.isolate(3, 5);
    group.elect(1);
    assert.equal(group.member(1).status.role, "Leader");
    group.propose(1, "both");
    assert.deepEqual(group.member(1).data, ["both"]);
    group.isolate(1, 4, 5);
    group.propose(1, "only new");
    assert.deepEqual(group.member(1).data, ["both"]);
  });

  it("a joint configuration is left by whichever leader comes next (corner 3)", () => {
    const group = groupOfFour();
    // The joint change is committed and applied, then the leader is gone before it can append the leaving.
    group.filter = ({ entries, from }) =>
      !(from === 1 && entries.some((each) => each.type === "ConfChange" && each.data.length === 0));
    group.member(1).proposeChange(replaceThreeByFour);
    group.settle();
    group.tick(2);
    assert.equal(group.member(2).status.configuration.outgoing.length, 3);
    group.isolate(1);
    for (const id of [2, 3, 4]) group.member(id).raft.forgetLeader();
    group.elect(2);
    group.tick(2);
    assert.deepEqual(group.member(2).status.configuration, voters(1, 2, 4));
  });

  it("a leader that is removed steps down when the removal is applied, and disturbs nobody", () => {
    const group = new Group([1, 2, 3], (id) => ({ chance: () => 3 * id }));
    group.elect(1);
    group.member(1).proposeChange(change("Remove", 1));
    group.settle();
    assert.deepEqual([group.member(1).status.role, group.member(1).status.configuration], ["Follower", voters(2, 3)]);
    group.tick(60);
    assert.deepEqual([group.leader.id, group.leader.status.term], [2, 2]);
    group.propose(2, "without 1");
    assert.deepEqual(group.member(3).data, ["without 1"]);
  });

  it("a member removed while it was away does not raise the term when it comes back (corner 5)", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.member(1).proposeChange(change("Remove", 3));
    group.settle();
    group.tick(30);
    group.heal();
    group.tick(200);
    assert.deepEqual([group.leader.id, group.leader.status.term], [1, 1]);
  });

  it("learners follow and do not count", () => {
    const configuration = { ...voters(1, 2), learners: [3] };
    const group = new Group([1, 2, 3], { configuration });
    group.elect(1);
    group.propose(1, "data");
    assert.deepEqual(group.member(3).data, ["data"]);
    group.isolate(2);
    group.propose(1, "not committed");
    assert.equal(group.member(1).status.commit, 2);
    group.heal();
    group.tick(2);
    group.member(1).proposeChange(change("AddVoter", 3));
    group.settle();
    group.isolate(2);
    group.propose(1, "committed");
    assert.deepEqual(group.member(1).data.at(-1), "committed");
  });

  it("a node does not campaign over a change that is committed and not applied (corner 2)", () => {
    const member = new Member(2, {
      log: [...logOf(1), { term: 1, index: 2, type: "ConfChange", data: encodeChange(change("Remove", 3)) }],
      hardState: { term: 1, commit: 2 },
    });
    member.raft.campaign();
    assert.equal(member.status.role, "Follower");
    member.turn();
    member.raft.campaign();
    assert.equal(member.status.role, "PreCandidate");
  });

  it("a change handed out must be applied before applied() covers it", () => {
    const member = new Member(1, {
      log: [{ term: 1, index: 1, type: "ConfChange", data: encodeChange(change("AddVoter", 4)) }],
      hardState: { term: 1, commit: 1 },
    });
    assert.throws(() => member.raft.applyConfChange(change("AddVoter", 4)), /without a configuration change/);
    member.raft.ready();
    assert.throws(() => member.raft.applied(1), /configuration change 1 was not/);
  });
});

describe("sessions (the rejoin bug)", () => {
  it("an answer from before a member was removed and added again counts for nothing (corner 7)", () => {
    const group = groupOfFour();
    group.member(1).proposeChange(change("AddVoter", 4));
    group.settle();
    group.tick();
    const held: Message[] = [];
    group.filter = (each) => {
      if (each.type !== "MsgAppResp" || each.from !== 4) return true;
      held.push(each);
      return false;
    };
    group.propose(1, "seen by the first incarnation");
    assert.equal(held.length > 0, true);
    group.heal();
    group.member(1).proposeChange(change("Remove", 4));
    group.settle();
    // It comes back with an empty disk, under its old id, in the same term.
    group.members.set(4, new Member(4, { configuration: voters(1, 2, 3) }));
    group.filter = ({ to, from }) => to !== 4 && from !== 4;
    group.member(1).proposeChange(change("AddVoter", 4));
    group.settle();
    const progress = (): number | undefined => group.member(1).status.progress.find(({ id }) => id === 4)?.match;
    assert.equal(progress(), 0);
    for (const each of held) group.member(1).raft.step(each);
    assert.equal(progress(), 0);
    group.heal();
    group.tick(3);
    assert.equal(progress(), group.member(1).status.lastIndex);
  });

  it("tells incarnations of one term apart by the entries that brought them in", () => {
    const group = groupOfFour();
    const session = (): number | undefined => group.member(1).status.progress.find(({ id }) => id === 4)?.session;
    const sessions = new Set<number | undefined>();
    for (let round = 0; round < 3; round++) {
      group.member(1).proposeChange(change("AddVoter", 4));
      group.settle();
      sessions.add(session());
      group.member(1).proposeChange(change("Remove", 4));
      group.settle();
      assert.equal(session(), undefined);
    }
    assert.equal(sessions.size, 3);
  });

  it("a message of an unknown member or to another node is ignored", () => {
    const group = groupOfFour();
    const { raft } = group.member(1);
    raft.step(message("MsgAppResp", 77, 1, 1, { index: 1, session: 1 }));
    raft.step(message("MsgHeartbeatResp", 77, 1, 1, { context: 1, session: 1 }));
    raft.step(message("MsgApp", 2, 3, 99));
    raft.step(message("MsgApp", 0, 1, 99));
    assert.deepEqual([group.member(1).status.term, group.member(1).turn()], [1, []]);
  });
});
