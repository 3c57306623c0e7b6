import assert from "node:assert/strict";
import { defaultRaftConfig } from "../../../raft/core/config.js";
import { Inflights } from "../../../raft/core/inflights.js";
import { Progress } from "../../../raft/core/progress.js";
import type { ProgressStatus } from "../../../raft/core/raft.js";
import type { Message } from "../../../raft/core/types.js";
import { Group, Member, bytes, entry, logOf, text, type MemberOptions } from "./group.js";

function appends(messages: readonly Message[], to = 2): Message[] {
  return messages.filter((each) => each.type === "MsgApp" && each.to === to);
}

function shape(messages: readonly Message[]): [number, number][] {
  return messages.map(({ index, entries }) => [index, entries.length]);
}

/** A leader of term 1 whose follower 2 has its no-op and is being replicated to; node 3 is silent. */
function leader(config: MemberOptions["config"] = {}): Member {
  const member = new Member(1, { config: { preVote: false, ...config } });
  member.raft.campaign();
  member.turn();
  member.step("MsgVoteResp", 2, 1);
  member.step("MsgAppResp", 2, 1, { index: 1, session: 1 });
  return member;
}

function progressOf(member: Member, id: number): ProgressStatus {
  return member.status.progress.find((each) => each.id === id)!;
}

describe("window", () => {
  it("is full by count or by bytes, and is freed in order", () => {
    const window = new Inflights(12, 100);
    for (let index = 1; index <= 12; index++) window.add(index, 1);
    assert.equal(window.full, true);
    window.freeThrough(5);
    assert.deepEqual([window.count, window.bytes, window.full], [7, 7, false]);
    for (let index = 13; index <= 16; index++) window.add(index, 1);
    window.add(17, 1000);
    assert.equal(window.full, true);
    assert.throws(() => window.add(18, 1), /full window/);
    window.freeThrough(16);
    assert.equal(window.full, true);
    window.freeThrough(17);
    assert.deepEqual([window.count, window.bytes], [0, 0]);
  });
});

describe("progress", () => {
  it("takes a refusal only of what it sent last while probing, and only above match while replicating", () => {
    const progress = new Progress(2, 1, 8, { ...defaultRaftConfig, id: 1 });
    assert.equal(progress.refused(5, 4), false);
    assert.equal(progress.refused(7, 4), true);
    assert.equal(progress.next, 5);
    assert.equal(progress.refused(4, 9), true);
    assert.equal(progress.next, 4, "the hint may not lead forward");
    progress.accepted(3);
    progress.becomeReplicate();
    progress.sent(4, 10, 0);
    assert.deepEqual([progress.match, progress.next], [3, 8]);
    assert.equal(progress.refused(3, 1), false);
    assert.equal(progress.refused(7, 3), true);
    assert.deepEqual([progress.state, progress.match, progress.next], ["Probe", 3, 4]);
  });

  it("never moves match back", () => {
    const progress = new Progress(2, 1, 8, { ...defaultRaftConfig, id: 1 });
    assert.equal(progress.accepted(5), true);
    assert.equal(progress.accepted(3), false);
    assert.equal(progress.match, 5);
  });
});

describe("flow of appends", () => {
  it("sends a turn's proposals to a member in one message", () => {
    const member = leader();
    for (const data of ["a", "b", "c"]) member.raft.propose([bytes(data)]);
    const [append, ...rest] = appends(member.turn());
    assert.deepEqual(append?.entries.map(text), ["a", "b", "c"]);
    assert.deepEqual(rest, []);
  });

  it("bounds a message by entries and by bytes, but sends at least one entry", () => {
    const byCount = leader({ appendEntriesMax: 2 });
    byCount.raft.propose([bytes("a"), bytes("b"), bytes("c")]);
    assert.deepEqual(shape(appends(byCount.turn())), [
      [1, 2],
      [3, 1],
    ]);
    const byBytes = leader({ appendBytesMax: 4, inflightBytesMax: 100 });
    byBytes.raft.propose([bytes("aa"), bytes("bb"), bytes("cccccc"), bytes("d")]);
    assert.deepEqual(shape(appends(byBytes.turn())), [
      [1, 2],
      [3, 1],
      [4, 1],
    ]);
  });

  it("sends ahead without waiting for answers until the window is full", () => {
    const member = leader({ inflightMessagesMax: 3 });
    for (let proposal = 0; proposal < 5; proposal++) {
      member.raft.propose([bytes("data")]);
      assert.deepEqual(shape(appends(member.turn())), proposal < 3 ? [[1 + proposal, 1]] : []);
    }
    assert.deepEqual([progressOf(member, 2).paused, progressOf(member, 2).inflightMessages], [true, 3]);
    // One answer frees what it covers, and the rest leaves in one message.
    assert.deepEqual(shape(appends(member.step("MsgAppResp", 2, 1, { index: 3, session: 1 }))), [[4, 2]]);
  });

  it("bounds what is in flight by bytes too", () => {
    const member = leader({ appendBytesMax: 8, inflightBytesMax: 10 });
    for (let proposal = 0; proposal < 3; proposal++) {
      member.raft.propose([bytes("12345678")]);
      assert.equal(appends(member.turn()).length, proposal < 2 ? 1 : 0);
    }
  });

  it("finds out with an empty append after a heartbeat that a full window was lost (corner 25, etcd #14633)", () => {
    const group = new Group([1, 2, 3], { config: { inflightMessagesMax: 3 } });
    group.elect(1);
    group.filter = ({ type, to }) => !(type === "MsgApp" && to === 2);
    for (let proposal = 0; proposal < 6; proposal++) group.propose(1, "data");
    assert.equal(progressOf(group.member(1), 2).paused, true);
    group.heal();
    group.propose(1, "more");
    assert.equal(group.member(2).status.lastIndex, 1, "nothing leaves into a full window");
    group.tick();
    assert.equal(group.member(2).status.commit, 8);
    assert.equal(progressOf(group.member(1), 2).state, "Replicate");
  });

  it("probes a member it knows nothing of once per heartbeat interval", () => {
    const member = leader();
    assert.equal(progressOf(member, 3).state, "Probe");
    member.raft.propose([bytes("a")]);
    assert.deepEqual(appends(member.turn(), 3), []);
    member.tick();
    assert.deepEqual(appends(member.turn(), 3), []);
    assert.deepEqual(shape(appends(member.step("MsgHeartbeatResp", 3, 1, { session: 1 }), 3)), [[0, 2]]);
    assert.deepEqual(appends(member.turn(), 3), []);
  });

  it("goes back to where logs agree in steps of terms, by hints of both sides", () => {
    // Where every entry differs, one answer each is enough for 40 entries of 2 terms.
    const log = [...logOf(1), ...Array.from({ length: 40 }, (_, place) => entry(place < 20 ? 2 : 3, place + 2))];
    const other = [...logOf(1), ...Array.from({ length: 40 }, (_, place) => entry(4, place + 2))];
    const group = new Group([1, 2, 3], (id) => ({
      log: id === 1 ? other : id === 2 ? log : [],
      hardState: { term: 5 },
    }));
    let refusals = 0;
    group.filter = ({ type, reject, from }) => {
      if (type === "MsgAppResp" && reject && from === 2) refusals++;
      return true;
    };
    group.elect(1);
    group.tick(3);
    assert.equal(group.member(2).status.commit, 42);
    assert(refusals <= 2, `${refusals} refusals`);
  });

  it("drops to probing when the connection is reported broken", () => {
    const member = leader();
    member.raft.propose([bytes("a")]);
    member.turn();
    member.raft.reportUnreachable(2);
    assert.deepEqual([progressOf(member, 2).state, progressOf(member, 2).next], ["Probe", 2]);
  });

  it("tells members a new commit index without waiting for a heartbeat", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.propose(1, "data");
    assert.deepEqual(
      [1, 2, 3].map((id) => group.member(id).data),
      [["data"], ["data"], ["data"]],
    );
  });

  it("heartbeats carry no more of the commit index than the member has", () => {
    const member = leader();
    member.tick();
    const beats = member.turn().filter(({ type }) => type === "MsgHeartbeat");
    assert.deepEqual(
      beats.map(({ to, commit }) => [to, commit]),
      [
        [2, 1],
        [3, 0],
      ],
    );
  });

  it("ignores answers that name entries beyond the leader's log", () => {
    const member = leader();
    member.step("MsgAppResp", 2, 1, { index: 99, session: 1 });
    assert.equal(progressOf(member, 2).match, 1);
  });

  it("ignores an append whose entries do not follow each other", () => {
    const member = new Member(2);
    member.step("MsgApp", 1, 3, { entries: [entry(1, 1), entry(1, 3)] });
    member.step("MsgApp", 1, 3, { entries: [entry(2, 1), entry(1, 2)] });
    member.step("MsgApp", 1, 3, { entries: [entry(4, 1)] });
    assert.equal(member.status.lastIndex, 0);
  });
});

describe("proposals", () => {
  it("are refused as Overloaded above the bound, and taken again when entries are applied", () => {
    const member = leader({ uncommittedBytesMax: 10 });
    assert.equal(member.raft.propose([bytes("x".repeat(50))]).outcome, "Accepted", "the first is let through");
    member.turn();
    const refusal = member.raft.propose([bytes("y")]);
    assert.deepEqual([refusal.outcome, "reason" in refusal && refusal.reason], ["Refused", "Overloaded"]);
    assert.equal(member.raft.propose([bytes("")]).outcome, "Refused");
    member.step("MsgAppResp", 2, 1, { index: 2, session: 1 });
    assert.equal(member.raft.propose([bytes("y")]).outcome, "Accepted");
  });

  it("go from a follower to the leader, and nowhere without one", () => {
    const group = new Group([1, 2, 3]);
    assert.deepEqual(group.propose(2, "lost"), {
      outcome: "Refused",
      reason: "NoLeader",
      detail: "no leader is known",
    });
    group.elect(1);
    assert.deepEqual(group.propose(2, "one", "two"), { outcome: "Forwarded", to: 1 });
    assert.deepEqual(group.member(3).data, ["one", "two"]);
  });

  it("of configuration changes are not taken from others", () => {
    const member = leader();
    const change = { ...entry(0, 0, "{}"), type: "ConfChange" as const };
    member.step("MsgProp", 2, 1, { entries: [change] });
    assert.equal(member.status.lastIndex, 1);
  });
});
