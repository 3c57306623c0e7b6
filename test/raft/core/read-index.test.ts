import assert from "node:assert/strict";
import { ForwardedReads, ReadIndexQueue } from "../../../raft/core/read-index.js";
import type { Message } from "../../../raft/core/types.js";
import { Group, Member, bytes, message, voters } from "./group.js";

function leader(): Member {
  const member = new Member(1, { config: { preVote: false } });
  member.raft.campaign();
  member.turn();
  member.step("MsgVoteResp", 2, 1);
  member.step("MsgAppResp", 2, 1, { index: 1, session: 1 });
  member.turn();
  return member;
}

function heartbeats(messages: readonly Message[]): number[] {
  return messages.filter(({ type, to }) => type === "MsgHeartbeat" && to === 2).map(({ context }) => context);
}

describe("reads (thesis 6.4)", () => {
  it("are answered with the commit index at which they came in, when a quorum confirms the leader", () => {
    const member = leader();
    member.raft.readIndex(7);
    const [position] = heartbeats(member.turn());
    member.raft.propose([bytes("later")]);
    member.turn();
    member.step("MsgAppResp", 2, 1, { index: 2, session: 1 });
    assert.deepEqual(member.reads, []);
    member.step("MsgHeartbeatResp", 2, 1, { context: position!, session: 1 });
    assert.deepEqual(member.reads, [{ index: 1, context: 7 }]);
    assert.equal(member.status.commit, 2);
  });

  it("of one turn share one round of heartbeats", () => {
    const member = leader();
    for (let context = 1; context <= 100; context++) member.raft.readIndex(context);
    assert.deepEqual(heartbeats(member.turn()).length, 1);
    member.step("MsgHeartbeatResp", 2, 1, { context: 1, session: 1 });
    assert.equal(member.reads.length, 100);
  });

  it("are not confirmed by an answer to an earlier round, though their context is the same (corner 10, etcd #20418)", () => {
    const member = leader();
    member.raft.readIndex(7);
    const [first] = heartbeats(member.turn());
    const old = { context: first!, session: 1 };
    member.step("MsgHeartbeatResp", 2, 1, old);
    assert.equal(member.reads.length, 1);
    member.raft.readIndex(7);
    member.turn();
    member.step("MsgHeartbeatResp", 2, 1, old);
    member.step("MsgHeartbeatResp", 3, 1, old);
    assert.equal(member.reads.length, 1);
    // Nor by an answer to a round that was never sent.
    member.step("MsgHeartbeatResp", 3, 1, { context: 99, session: 1 });
    assert.equal(member.reads.length, 1);
  });

  it("are not confirmed by an answer to another incarnation of the member", () => {
    const member = leader();
    member.raft.readIndex(7);
    const [position] = heartbeats(member.turn());
    member.step("MsgHeartbeatResp", 2, 1, { context: position!, session: 9 });
    assert.deepEqual(member.reads, []);
  });

  it("wait until the leader has committed in its term (paper 8, corner 9, etcd #7331)", () => {
    const member = new Member(1, { config: { preVote: false } });
    member.raft.campaign();
    member.turn();
    member.step("MsgVoteResp", 2, 1);
    member.raft.readIndex(7);
    const [position] = heartbeats(member.turn());
    member.step("MsgHeartbeatResp", 2, 1, { context: position!, session: 1 });
    assert.deepEqual(member.reads, []);
    member.step("MsgAppResp", 3, 1, { index: 1, session: 1 });
    assert.deepEqual(member.reads, [{ index: 1, context: 7 }]);
  });

  it("whose heartbeats were lost are confirmed by a later tick's", () => {
    const member = leader();
    member.raft.readIndex(7);
    const [lost] = heartbeats(member.turn());
    member.tick();
    assert.deepEqual(heartbeats(member.turn()), [lost]);
  });

  it("on a follower go through the leader", () => {
    const group = new Group([1, 2, 3]);
    assert.equal(group.member(2).raft.readIndex(5), false, "no leader is known");
    group.elect(1);
    group.propose(1, "data");
    assert.equal(group.member(2).raft.readIndex(5), true);
    group.settle();
    assert.deepEqual(group.member(2).reads, [{ index: 2, context: 5 }]);
  });

  it("of a deposed leader are never answered", () => {
    const group = new Group([1, 2, 3], { config: { checkQuorum: false, preVote: false } });
    group.elect(1);
    group.isolate(1);
    group.elect(2);
    group.propose(2, "new");
    assert.equal(group.member(1).raft.readIndex(5), true);
    group.tick(3);
    assert.deepEqual(group.member(1).reads, []);
    group.heal();
    group.tick(30);
    assert.deepEqual(group.member(1).reads, []);
  });

  it("forwarded, ignore an answer that comes twice, or is for a read of an earlier process", () => {
    const answers: Message[] = [];
    const group = new Group([1, 2, 3]);
    group.filter = (each) => {
      if (each.type === "MsgReadIndexResp") answers.push(each);
      return true;
    };
    group.elect(1);
    group.member(2).raft.readIndex(5);
    group.settle();
    group.propose(1, "data");
    group.member(2).raft.readIndex(5);
    group.member(2).raft.step(answers[0]!);
    assert.equal(group.member(2).turn().length, 1);
    assert.deepEqual(group.member(2).reads, [{ index: 1, context: 5 }]);
    const restarted = new Member(2, { hardState: { term: 1 }, chance: () => 3 });
    restarted.step("MsgHeartbeat", 1, 1);
    restarted.raft.readIndex(5);
    restarted.turn();
    restarted.raft.step({ ...answers[0]! });
    restarted.turn();
    assert.deepEqual(restarted.reads, []);
  });

  it("are refused beyond the bound", () => {
    const member = new Member(1, { configuration: voters(1, 2, 3), config: { preVote: false, pendingReadsMax: 2 } });
    member.raft.campaign();
    member.turn();
    member.step("MsgVoteResp", 2, 1);
    assert.deepEqual(
      [1, 2, 3].map((context) => member.raft.readIndex(context)),
      [true, true, false],
    );
  });
});

describe("queues of reads", () => {
  it("issue a position only when a read waits for it", () => {
    const queue = new ReadIndexQueue();
    assert.deepEqual([queue.roundDue, queue.issue()], [false, 0]);
    queue.add(1, 10, 0, 4);
    assert.deepEqual([queue.roundDue, queue.issue(), queue.roundDue, queue.issue()], [true, 1, false, 1]);
    queue.add(1, 11, 0, 5);
    assert.deepEqual(
      queue.confirmed(1).map(({ context }) => context),
      [10],
    );
    assert.deepEqual([queue.issue(), queue.confirmed(1).length, queue.confirmed(2).length], [2, 0, 1]);
  });

  it("give up the oldest forwarded read beyond the bound", () => {
    const reads = new ForwardedReads(8);
    const numbers = [1, 2, 3].map((context) => reads.add(context, 2));
    assert.deepEqual(
      numbers.map((number) => reads.take(number, 8)),
      [undefined, 2, 3],
    );
    assert.equal(reads.take(numbers[1]!, 8), undefined);
  });

  it("a read that waits does not survive a new term", () => {
    const member = leader();
    member.raft.readIndex(7);
    member.turn();
    member.raft.step(message("MsgHeartbeat", 2, 1, 2));
    member.turn();
    member.step("MsgHeartbeatResp", 2, 1, { context: 1, session: 1 });
    assert.deepEqual(member.reads, []);
  });
});
