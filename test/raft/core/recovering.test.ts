import assert from "node:assert/strict";
import { Group, Member, logOf, message, voters } from "./group.js";

/** What a member is left with that had acknowledged five entries and lost the last three of them (corner 15). */
function damaged(id: number): Member {
  return new Member(id, { log: logOf(1, 1), hardState: { term: 1, commit: 4 }, recoverTo: 5 });
}

describe("a recovering member (corner 15)", () => {
  it("gives no vote and no pre-vote, also to those who have more", () => {
    for (const type of ["MsgVote", "MsgPreVote"] as const) {
      const [answer] = damaged(2).step(type, 1, 2, { index: 9, logTerm: 1 });
      assert.equal(answer?.reject, true, type);
    }
  });

  it("does not campaign, be it asked to", () => {
    const member = damaged(2);
    member.tick(40);
    member.raft.campaign();
    member.step("MsgTimeoutNow", 1, 1);
    assert.equal(member.status.role, "Follower");
    assert.equal(member.status.isRecovering, true);
  });

  it("does not stop at a heartbeat that tells of commits which it has lost, and says what it has", () => {
    const member = damaged(2);
    const answers = member.step("MsgHeartbeat", 1, 1, { commit: 5, session: 3 });
    assert.equal(member.status.commit, 2);
    const notice = answers.find(({ type }) => type === "MsgAppResp");
    assert.deepEqual([notice?.reject, notice?.rejectHint, notice?.context, notice?.session], [true, 2, 1, 3]);
  });

  it("believes a commit index only as far as an append has shown the logs to be equal", () => {
    // Entry 3 is one that was replaced by what got lost.
    const member = new Member(2, { log: logOf(1, 1, 1), hardState: { term: 2, commit: 1 }, recoverTo: 4 });
    const answers = member.step("MsgHeartbeat", 1, 2, { commit: 3 });
    assert.equal(member.status.commit, 1);
    const notice = answers.find(({ type }) => type === "MsgAppResp");
    assert.deepEqual([notice?.rejectHint, notice?.commit], [1, 4]);
    member.step("MsgApp", 1, 2, { index: 1, logTerm: 1, entries: logOf(1, 1).slice(1), commit: 1 });
    const [, later] = member.step("MsgHeartbeat", 1, 2, { commit: 3 });
    assert.deepEqual([member.status.commit, later?.rejectHint], [2, 2]);
  });

  it("is well again when what it had acknowledged is committed and durable", () => {
    const member = damaged(2);
    member.raft.step(
      message("MsgApp", 1, 2, 1, { index: 2, logTerm: 1, entries: logOf(1, 1, 1, 1, 1).slice(2), commit: 4 }),
    );
    const ready = member.raft.ready();
    assert.equal(member.status.isRecovering, true);
    member.complete(ready);
    assert.equal(member.status.isRecovering, true);
    member.step("MsgHeartbeat", 1, 1, { commit: 5 });
    assert.equal(member.status.isRecovering, false);
    const other = damaged(2);
    const rest = logOf(1, 1, 1, 1, 1).slice(2);
    other.raft.step(message("MsgApp", 1, 2, 1, { index: 2, logTerm: 1, entries: rest, commit: 5 }));
    assert.deepEqual([other.status.commit, other.status.isRecovering], [5, true]);
    const [answer] = member.step("MsgVote", 3, 2, { index: 5, logTerm: 1, context: 1 });
    assert.equal(answer?.reject, false);
  });

  it("or by a snapshot that reaches as far", () => {
    const member = damaged(2);
    member.step("MsgSnap", 1, 1, { snapshot: { index: 6, term: 1, configuration: voters(1, 2, 3) } });
    assert.equal(member.status.isRecovering, false);
  });

  it("gets back from an idle leader what the leader believes it has", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.propose(1, "a", "b", "c");
    const before = group.member(2);
    assert.equal(before.status.lastIndex, 4);
    const left = new Member(2, { log: before.log.slice(0, 2), hardState: before.hardState, recoverTo: 4 });
    group.members.set(2, left);
    group.tick(2);
    assert.equal(left.status.isRecovering, false);
    assert.deepEqual(left.data, ["a", "b", "c"]);
    const progress = group.leader.status.progress.find(({ id }) => id === 2);
    assert.deepEqual([progress?.state, progress?.match], ["Replicate", 4]);
  });

  it("also when the log is as long as before, but ends with entries that had been replaced", () => {
    const group = new Group([1, 2, 3], { log: logOf(1), hardState: { term: 1, commit: 1 } });
    group.elect(1);
    group.propose(1, "a", "b", "c");
    const { hardState } = group.member(2);
    const left = new Member(2, { log: logOf(1, 1, 1, 1, 1, 1), hardState: { ...hardState, commit: 1 }, recoverTo: 5 });
    group.members.set(2, left);
    group.tick(2);
    assert.deepEqual(left.log, group.leader.log);
    assert.equal(left.status.isRecovering, false);
  });

  it("and from a leader that has cut it", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.propose(1, "a", "b", "c");
    group.member(1).compact();
    const before = group.member(2);
    const left = new Member(2, { log: before.log.slice(0, 2), hardState: before.hardState, recoverTo: 4 });
    left.fetchState = before.fetchState;
    group.members.set(2, left);
    group.tick(2);
    assert.equal(left.status.isRecovering, false);
    assert.deepEqual(left.data, ["a", "b", "c"]);
  });

  it("gets its vote back in an idle group too, though what it lost was never committed", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    const { log, hardState } = group.member(2);
    group.members.set(2, new Member(2, { log, hardState, recoverTo: 700 }));
    group.tick(2);
    assert.equal(group.member(2).status.isRecovering, true);
    group.tick(3);
    assert.equal(group.member(2).status.isRecovering, false);
    const { lastIndex } = group.leader.status;
    group.tick(10);
    assert.equal(group.leader.status.lastIndex, lastIndex, "no more than it takes");
  });

  it("makes its leader append nothing while it still lacks entries", () => {
    const group = new Group([1, 2, 3]);
    const leader = group.elect(1);
    group.propose(1, "a", "b", "c");
    const { session } = leader.status.progress[1]!;
    for (const hint of [2, 2, 1])
      leader.step("MsgAppResp", 2, 1, { index: 3, reject: true, rejectHint: hint, context: 1, session });
    assert.equal(leader.status.lastIndex, 4);
  });

  it("or by an entry of a later term, whose leader had all that was committed", () => {
    const member = damaged(2);
    member.step("MsgApp", 1, 2, { index: 2, logTerm: 1, entries: [{ ...logOf(1, 1, 2)[2]! }], commit: 2 });
    assert.equal(member.status.isRecovering, true);
    member.step("MsgHeartbeat", 1, 2, { commit: 3 });
    assert.equal(member.status.isRecovering, false);
  });

  it("only such a one may start with less than what was committed", () => {
    assert.throws(() => new Member(2, { log: logOf(1, 1), hardState: { term: 1, commit: 4 } }), /entries were lost/);
  });
});
