import assert from "node:assert/strict";
import type { Message } from "../../../raft/core/types.js";
import { Group, Member, bytes, entry, logOf, message, voters } from "./group.js";

function kinds(messages: readonly Message[]): string[] {
  return messages.map(({ type, to, term }) => `${type}->${to}@${term}`);
}

describe("pre-vote (thesis 9.6)", () => {
  it("asks for the next term without taking it", () => {
    const member = new Member(1, { hardState: { term: 4 } });
    member.raft.campaign();
    const ready = member.raft.ready();
    assert.deepEqual(kinds(ready.messages), ["MsgPreVote->2@5", "MsgPreVote->3@5"]);
    assert.equal(ready.hardState, undefined);
    assert.deepEqual([member.status.role, member.status.term], ["PreCandidate", 4]);
  });

  it("is granted without a vote being cast or the wait for a leader restarted (corner 22)", () => {
    const member = new Member(2, { log: logOf(1), hardState: { term: 1, vote: 3 } });
    member.tick(9);
    const [answer] = member.step("MsgPreVote", 1, 2, { index: 1, logTerm: 1 });
    assert.deepEqual([answer?.type, answer?.term, answer?.reject], ["MsgPreVoteResp", 2, false]);
    assert.deepEqual([member.status.term, member.hardState.vote], [1, 3]);
    member.tick();
    assert.equal(member.status.role, "PreCandidate", "its own timeout was not put off");
  });

  it("is refused to a log that is behind", () => {
    const member = new Member(2, { log: logOf(1, 1) });
    const [answer] = member.step("MsgPreVote", 1, 2, { index: 1, logTerm: 1 });
    assert.deepEqual([answer?.reject, answer?.term], [true, 1]);
  });

  it("leads to an election when won, and back when lost", () => {
    const winner = new Member(1);
    winner.raft.campaign();
    winner.turn();
    assert.deepEqual(kinds(winner.step("MsgPreVoteResp", 2, 1)), ["MsgVote->2@1", "MsgVote->3@1"]);
    const loser = new Member(1);
    loser.raft.campaign();
    loser.turn();
    loser.step("MsgPreVoteResp", 2, 0, { reject: true });
    loser.step("MsgPreVoteResp", 3, 0, { reject: true });
    assert.deepEqual([loser.status.role, loser.status.term], ["Follower", 0]);
  });

  it("answers of another round, or twice, do not win it", () => {
    const member = new Member(1, { configuration: voters(1, 2, 3, 4, 5), hardState: { term: 3 } });
    member.raft.campaign();
    member.turn();
    member.step("MsgPreVoteResp", 2, 4);
    member.step("MsgPreVoteResp", 2, 4);
    member.step("MsgPreVoteResp", 3, 5);
    assert.equal(member.status.role, "PreCandidate");
  });

  it("is asked for again soon when nobody answers, since the others may just not have lost patience yet", () => {
    const config = { preVoteRetryTicks: 2 };
    const member = new Member(1, { config, chance: (bound) => bound - 1 });
    member.raft.campaign();
    member.turn();
    const asked = Array.from({ length: 7 }, () => {
      member.tick();
      return member.turn().length;
    });
    assert.deepEqual(asked, [0, 0, 2, 0, 0, 2, 0]);
    member.step("MsgPreVoteResp", 2, 0, { reject: true });
    member.step("MsgPreVoteResp", 3, 0, { reject: true });
    assert.equal(member.status.role, "Follower");
    for (let tick = 0; tick < 9; tick++) {
      member.tick();
      assert.deepEqual(member.turn(), [], "after a refusal it waits an election timeout");
    }
  });

  it("a refusal at a higher term tells a node that was away the term it missed", () => {
    const member = new Member(1, { hardState: { term: 1 } });
    member.raft.campaign();
    member.turn();
    member.step("MsgPreVoteResp", 2, 7, { reject: true });
    assert.deepEqual([member.status.role, member.status.term], ["Follower", 7]);
  });

  it("asking in a term that is over is answered (corner 22, etcd #8501)", () => {
    const member = new Member(2, { hardState: { term: 7 } });
    assert.deepEqual(kinds(member.step("MsgPreVote", 1, 3)), ["MsgPreVoteResp->1@7"]);
    assert.deepEqual(kinds(member.step("MsgVote", 1, 3)), []);
  });

  it("a node that comes back does not raise the term of a group with a leader", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.tick(50);
    assert.deepEqual([group.member(3).status.role, group.member(3).status.term], ["PreCandidate", 1]);
    group.heal();
    group.tick(5);
    assert.deepEqual([group.leader.id, group.leader.status.term], [1, 1]);
    assert.deepEqual(group.roles, ["Leader", "Follower", "Follower"]);
  });

  it("a candidate stranded at a higher term comes back (corner 22)", () => {
    const group = new Group([1, 2, 3], (id) => ({ hardState: { term: id === 3 ? 9 : 0 } }));
    group.isolate(3);
    group.elect(1);
    group.heal();
    group.tick(40);
    assert.equal(group.roles.filter((role) => role === "Leader").length, 1);
    assert.equal(new Set([1, 2, 3].map((id) => group.member(id).status.term)).size, 1);
    group.propose(group.leader.id, "data");
    assert.deepEqual(group.member(3).data, ["data"]);
  });
});

describe("lease of the leader that is heard (thesis 4.2.3, 6.4)", () => {
  for (const type of ["MsgVote", "MsgPreVote"] as const) {
    it(`drops a ${type} within the base timeout, and takes it after`, () => {
      const member = new Member(2, { chance: (bound) => bound - 1 });
      member.step("MsgHeartbeat", 1, 1);
      member.tick(9);
      assert.deepEqual(kinds(member.step(type, 3, 5)), []);
      assert.equal(member.status.term, 1);
      member.tick();
      assert.deepEqual(kinds(member.step(type, 3, 5)), [`${type}Resp->3@5`]);
    });
  }

  it("does not hold against an election that the leader asked for", () => {
    const member = new Member(2);
    member.step("MsgHeartbeat", 1, 1);
    assert.deepEqual(kinds(member.step("MsgVote", 3, 2, { context: 1 })), ["MsgVoteResp->3@2"]);
  });

  it("is given up by forgetLeader", () => {
    const member = new Member(2);
    member.step("MsgHeartbeat", 1, 1);
    member.raft.forgetLeader();
    assert.equal(member.status.leader, 0);
    const [answer] = member.step("MsgPreVote", 3, 2);
    assert.deepEqual([answer?.type, answer?.reject], ["MsgPreVoteResp", false]);
    // The leader's next message brings it back.
    member.step("MsgHeartbeat", 1, 1);
    assert.equal(member.status.leader, 1);
  });

  it("forgetLeader is for followers: a leader goes on", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1).raft.forgetLeader();
    assert.deepEqual([group.leader.id, group.leader.status.leader], [1, 1]);
  });

  it("after the leader's sockets closed, another leads before any timeout", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(1);
    group.member(2).raft.forgetLeader();
    group.member(3).raft.forgetLeader();
    group.elect(2);
    assert.deepEqual([group.leader.id, group.leader.status.term], [2, 2]);
  });

  it("a message of the leader restarts the wait even if the append is refused (corner 24)", () => {
    const member = new Member(2);
    for (let round = 0; round < 5; round++) {
      member.tick(9);
      member.step("MsgApp", 1, 1, { index: 9, logTerm: 1 });
    }
    assert.equal(member.status.role, "Follower");
  });
});

describe("check-quorum (thesis 6.2)", () => {
  it("a leader cut off from the quorum steps down, one that hears it stays", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(1, 2);
    group.tick(60);
    assert.equal(group.member(1).status.role, "Leader");
    group.isolate(1);
    group.tick(20);
    assert.notEqual(group.member(1).status.role, "Leader");
  });

  it("a leader that others hear but that hears nobody makes way (one-way partition, corner 21)", () => {
    const group = new Group([1, 2, 3], (id) => ({ chance: () => 3 * id }));
    group.elect(1);
    group.filter = ({ to }) => to !== 1;
    group.tick(60);
    assert.notEqual(group.leader.id, 1);
    const { term } = group.leader.status;
    assert(term <= 3, `term ${term}`);
  });

  it("an old leader learns from the answer to its heartbeat that its term is over", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(1);
    group.member(2).raft.forgetLeader();
    group.member(3).raft.forgetLeader();
    group.elect(2);
    group.filter = ({ type, from, to }) => !(to === 1 && (type === "MsgApp" || type === "MsgHeartbeat")) || from === 1;
    group.tick(2);
    assert.deepEqual([group.member(1).status.role, group.member(1).status.term], ["Follower", 2]);
  });
});

describe("elections and durability", () => {
  it("a single voter leads and commits only when its disk says so (corner 12)", () => {
    const member = new Member(1, { configuration: voters(1) });
    member.raft.campaign();
    const preVote = member.raft.ready();
    assert.deepEqual([member.status.role, preVote.hardState, preVote.mustSync], ["PreCandidate", undefined, false]);
    member.complete(preVote);
    const vote = member.raft.ready();
    assert.deepEqual([member.status.role, vote.hardState?.vote], ["Candidate", 1]);
    member.complete(vote);
    assert.equal(member.status.role, "Leader");
    const noOp = member.raft.ready();
    member.raft.propose([bytes("data")]);
    const data = member.raft.ready();
    assert.equal(member.status.commit, 0);
    member.complete(noOp);
    assert.equal(member.status.commit, 1);
    member.raft.ready();
    assert.equal(member.status.commit, 1);
    member.complete(data);
    assert.equal(member.status.commit, 2);
  });

  it("a node whose disk hangs does not win its own pre-vote", () => {
    const member = new Member(1, { log: logOf(1), hardState: { term: 1 } });
    member.raft.step(message("MsgApp", 2, 1, 1, { index: 1, logTerm: 1, entries: [entry(1, 2)] }));
    const stuck = member.raft.ready();
    for (let round = 0; round < 2; round++) {
      member.raft.campaign();
      const preVote = member.raft.ready();
      member.raft.step(message("MsgPreVoteResp", 2, 1, 2));
      assert.equal(member.status.role, "PreCandidate");
      if (round === 0) continue;
      // Reports that began before the pre-vote do not count for it.
      member.complete(stuck);
      assert.equal(member.status.role, "PreCandidate");
      member.complete(preVote);
    }
    assert.equal(member.status.role, "Candidate");
  });

  it("reads of a single voter wait for its first commit (corner 12)", () => {
    const member = new Member(1, { configuration: voters(1), config: { preVote: false } });
    member.raft.campaign();
    member.complete(member.raft.ready());
    assert.equal(member.raft.readIndex(7), true);
    const noOp = member.raft.ready();
    assert.deepEqual(noOp.readStates, []);
    member.complete(noOp);
    assert.deepEqual(member.raft.ready().readStates, [{ index: 1, context: 7 }]);
  });

  it("the answer to a duplicate append waits for the first copy (corner 14)", () => {
    const member = new Member(2);
    const append = message("MsgApp", 1, 2, 1, { entries: [entry(1, 1)], session: 1 });
    member.raft.step(append);
    const first = member.raft.ready();
    member.raft.step(append);
    const second = member.raft.ready();
    assert.deepEqual([second.entries, second.mustSync], [[], false]);
    assert.deepEqual([kinds(second.messages), kinds(second.messagesAfterPersist)], [[], ["MsgAppResp->1@1"]]);
    assert(second.number > first.number, "persisted(second) speaks for the first as well");
  });

  it("one report may complete several Readies, and none goes back", () => {
    const member = new Member(1, { configuration: voters(1), config: { preVote: false } });
    member.raft.campaign();
    member.complete(member.raft.ready());
    const first = member.raft.ready();
    member.raft.propose([bytes("data")]);
    const second = member.raft.ready();
    member.storage.append(first.entries);
    member.storage.append(second.entries);
    member.raft.persisted(second.number);
    assert.equal(member.status.commit, 2);
    assert.throws(() => member.raft.persisted(first.number), /after/);
    assert.throws(() => member.raft.persisted(99), /reported as persisted/);
  });

  it("term and vote go out no later than what depends on them", () => {
    const member = new Member(2, { hardState: { term: 1, vote: 3 } });
    member.raft.step(message("MsgHeartbeat", 1, 2, 4));
    const ready = member.raft.ready();
    assert.deepEqual(kinds(ready.messages), ["MsgHeartbeatResp->1@4"]);
    assert.deepEqual([ready.hardState, ready.mustSync], [{ term: 4, vote: 0, commit: 0 }, true]);
  });

  it("a commit index alone need not be synced", () => {
    const member = new Member(2, { log: logOf(1), hardState: { term: 1 } });
    member.raft.step(message("MsgHeartbeat", 1, 2, 1, { commit: 1 }));
    const ready = member.raft.ready();
    assert.deepEqual([ready.hardState?.commit, ready.mustSync], [1, false]);
  });

  it("a vote that became durable for an earlier term is none for this one (corner 14)", () => {
    const member = new Member(1, { config: { preVote: false } });
    member.raft.campaign();
    const first = member.raft.ready();
    member.raft.campaign();
    const second = member.raft.ready();
    member.raft.step(message("MsgVoteResp", 2, 1, 2));
    member.complete(first);
    assert.deepEqual([member.status.role, member.status.term], ["Candidate", 2]);
    member.complete(second);
    assert.equal(member.status.role, "Leader");
  });

  it("a node whose hard state is older than its log does not start (corner 13)", () => {
    assert.throws(() => new Member(1, { log: logOf(3), hardState: { term: 2 } }), /hard state was lost/);
  });

  it("a heartbeat that tells of commits which the log lacks stops the node: it lost what it acknowledged", () => {
    const member = new Member(2, { log: logOf(1) });
    assert.throws(() => member.step("MsgHeartbeat", 1, 1, { commit: 2 }), /entries were lost/);
    // An empty log is that of a member which was removed and added again.
    new Member(2).step("MsgHeartbeat", 1, 1, { commit: 2 });
  });
});

describe("election timeout", () => {
  it("can be changed at run time, base and jitter apart", () => {
    const member = new Member(1, { config: { preVote: false }, chance: (bound) => bound - 1 });
    member.raft.setElectionTicks(3, 1);
    member.tick(2);
    assert.equal(member.status.role, "Follower");
    member.tick();
    assert.equal(member.status.role, "Candidate");
    member.raft.setElectionTicks(5, 6);
    member.tick(9);
    assert.equal(member.status.term, 1);
    member.tick();
    assert.equal(member.status.term, 2);
    assert.throws(() => member.raft.setElectionTicks(1, 1), /more than heartbeatTicks/);
  });

  it("begins anew after an own pause (corner 24), and never ends a leader's rounds", () => {
    const member = new Member(1, { config: { preVote: false } });
    member.tick(9);
    member.raft.restartElectionTimer();
    member.tick(9);
    assert.equal(member.status.role, "Follower");
    member.tick();
    assert.equal(member.status.role, "Candidate");
    const leader = new Group([1, 2, 3]).elect(1);
    leader.tick(9);
    leader.raft.restartElectionTimer();
    leader.tick();
    leader.raft.restartElectionTimer();
    leader.tick(10);
    assert.equal(leader.status.role, "Follower", "nobody answered");
  });

  it("a candidate asks the voters of both halves, and no learner", () => {
    const configuration = { ...voters(1, 2), outgoing: [1, 3], learners: [4] };
    const member = new Member(1, { configuration });
    member.raft.campaign();
    assert.deepEqual(kinds(member.turn()), ["MsgPreVote->2@1", "MsgPreVote->3@1"]);
  });

  it("a node that is no voter never campaigns", () => {
    const configuration = { ...voters(2, 3), learners: [1] };
    const member = new Member(1, { configuration });
    member.tick(100);
    member.raft.campaign();
    member.step("MsgTimeoutNow", 2, 0);
    assert.deepEqual([member.status.role, member.turn()], ["Follower", []]);
    // But it votes when asked: the asker may know of a promotion it has not applied.
    assert.deepEqual(kinds(member.step("MsgVote", 2, 1)), ["MsgVoteResp->2@1"]);
  });
});
