import assert from "node:assert/strict";
import { defaultRaftConfig } from "../../../raft/core/config.js";
import { MemoryStorage } from "../../../raft/core/memory-storage.js";
import { Raft } from "../../../raft/core/raft.js";
import { Group, Member, encodeChange, entry, logOf, message, voters } from "./group.js";

/** A leader 1 whose log begins behind entry 4 and who is away from member 3, which has nothing. */
function groupWithLaggard(): Group {
  const group = new Group([1, 2, 3]);
  group.isolate(3);
  group.elect(1);
  group.propose(1, "a", "b", "c");
  group.member(1).compact();
  return group;
}

function progressOf(member: Member, id: number): Member["status"]["progress"][number] {
  const progress = member.status.progress.find((each) => each.id === id);
  assert(progress);
  return progress;
}

describe("snapshots (paper 7)", () => {
  it("bring a member up to date that needs entries which are cut, and appends go on behind", () => {
    const group = groupWithLaggard();
    group.heal();
    group.tick();
    const laggard = group.member(3);
    assert.deepEqual(laggard.data, ["a", "b", "c"]);
    assert.equal(laggard.storage.firstIndex(), 5);
    group.propose(1, "d");
    assert.deepEqual(laggard.data, ["a", "b", "c", "d"]);
    assert.equal(progressOf(group.member(1), 3).state, "Replicate");
  });

  it("nothing else is sent while one is on its way, but heartbeats", () => {
    const group = groupWithLaggard();
    const leader = group.member(1);
    group.filter = ({ type }) => type !== "MsgSnap";
    group.tick();
    assert.deepEqual(
      {
        state: progressOf(leader, 3).state,
        pending: progressOf(leader, 3).pendingSnapshot,
        next: progressOf(leader, 3).next,
      },
      { state: "Snapshot", pending: 4, next: 5 },
    );
    const types = new Set<string>();
    group.filter = (sent) => {
      if (sent.to === 3) types.add(sent.type);
      return true;
    };
    group.propose(1, "d");
    group.tick(3);
    assert.deepEqual([...types], ["MsgHeartbeat"]);
  });

  it("are sent again when the transfer is reported to have failed", () => {
    const group = groupWithLaggard();
    group.filter = ({ type }) => type !== "MsgSnap";
    group.tick();
    group.heal();
    group.member(1).raft.reportSnapshot(3, false);
    const { state, next } = progressOf(group.member(1), 3);
    assert.deepEqual([state, next], ["Probe", 1]);
    group.tick();
    assert.deepEqual(group.member(3).data, ["a", "b", "c"]);
  });

  it("that there are none of yet are asked for again with each heartbeat answered", () => {
    const group = groupWithLaggard();
    const leader = group.member(1);
    leader.storage.offerSnapshot(undefined);
    group.heal();
    group.tick();
    assert.equal(leader.storage.takeSnapshotWanted(), true);
    assert.equal(leader.storage.takeSnapshotWanted(), false);
    assert.equal(progressOf(leader, 3).state, "Probe");
    group.tick();
    assert.equal(leader.storage.takeSnapshotWanted(), true);
    leader.storage.offerSnapshot(leader.snapshot());
    group.tick();
    assert.deepEqual(group.member(3).data, ["a", "b", "c"]);
  });

  it("are not sent to a member that is not heard from", () => {
    const group = new Group([1, 2, 3]);
    const leader = group.elect(1);
    group.isolate(3);
    group.propose(1, "a", "b", "c");
    group.tick(30);
    leader.compact();
    leader.raft.reportUnreachable(3);
    const types: string[] = [];
    group.filter = ({ type, to }) => to !== 3 || types.push(type) < 0;
    group.propose(1, "d");
    assert.deepEqual([types, progressOf(leader, 3).state], [[], "Probe"]);
    group.heal();
    group.tick();
    assert.deepEqual(group.member(3).data, ["a", "b", "c", "d"]);
  });

  it("a lost report does no harm: the member's answer ends it (corner 27)", () => {
    const group = groupWithLaggard();
    group.heal();
    // No reportSnapshot comes in these tests at all.
    group.tick();
    assert.equal(progressOf(group.member(1), 3).state, "Replicate");
    assert.equal(progressOf(group.member(1), 3).match, 4);
  });

  it("are ended by an answer to an append, once the log can go on from there", () => {
    const group = groupWithLaggard();
    group.filter = ({ type }) => type !== "MsgSnap";
    group.tick();
    const leader = group.member(1);
    const { session } = progressOf(leader, 3);
    assert.deepEqual(leader.step("MsgAppResp", 3, 1, { index: 3, session }), []);
    assert.equal(progressOf(leader, 3).state, "Snapshot");
    leader.step("MsgAppResp", 3, 1, { index: 4, session });
    assert.equal(progressOf(leader, 3).state, "Replicate");
  });

  it("replace the log at the receiver, which answers when that is durable", () => {
    const member = new Member(2, { log: logOf(1, 1, 1), hardState: { term: 2, commit: 1 } });
    member.turn();
    const snapshot = { index: 10, term: 2, configuration: voters(1, 2, 4) };
    member.raft.step(message("MsgSnap", 1, 2, 3, { snapshot, session: 7 }));
    const ready = member.raft.ready();
    assert.deepEqual(ready.snapshot, snapshot);
    assert.deepEqual(ready.hardState, { term: 3, vote: 0, commit: 10 });
    assert.equal(ready.mustSync, true);
    assert.deepEqual([ready.entries, ready.committedEntries, ready.messages], [[], [], []]);
    assert.deepEqual(
      ready.messagesAfterPersist.map(({ type, index, session }) => ({ type, index, session })),
      [{ type: "MsgAppResp", index: 10, session: 7 }],
    );
    assert.equal(member.status.durableIndex, 3);
    member.complete(ready);
    const { applied, commit, lastIndex, durableIndex, configuration } = member.status;
    assert.deepEqual([applied, commit, lastIndex, durableIndex], [10, 10, 10, 10]);
    assert.deepEqual(configuration.voters, [1, 2, 4]);
  });

  it("entries behind one may come before it is durable", () => {
    const member = new Member(2);
    const snapshot = { index: 10, term: 2, configuration: voters(1, 2, 3) };
    member.raft.step(message("MsgSnap", 1, 2, 3, { snapshot }));
    const first = member.raft.ready();
    member.raft.step(message("MsgApp", 1, 2, 3, { index: 10, logTerm: 2, entries: [entry(3, 11, "x")], commit: 11 }));
    const second = member.raft.ready();
    assert.deepEqual(
      second.entries.map(({ index }) => index),
      [11],
    );
    assert.deepEqual(second.committedEntries, []);
    member.complete(first);
    member.complete(second);
    member.turn();
    assert.deepEqual(member.data, ["x"]);
  });

  it("a write from before one is not taken for part of it", () => {
    const member = new Member(2);
    member.raft.step(message("MsgApp", 1, 2, 1, { entries: logOf(1, 1, 1) }));
    const before = member.raft.ready();
    member.raft.step(message("MsgSnap", 1, 2, 1, { snapshot: { index: 3, term: 1, configuration: voters(1, 2) } }));
    // The log matches: nothing is replaced.
    assert.equal(member.raft.ready().snapshot, undefined);
    member.raft.step(message("MsgSnap", 1, 2, 2, { snapshot: { index: 9, term: 2, configuration: voters(1, 2) } }));
    const reset = member.raft.ready();
    member.complete(before);
    assert.equal(member.status.lastIndex, 9);
    member.complete(reset);
    assert.equal(member.status.durableIndex, 9);
  });

  it("one that must be persisted is not taken for durable without the storage having been reset", () => {
    const member = new Member(2);
    member.raft.step(message("MsgSnap", 1, 2, 1, { snapshot: { index: 3, term: 1, configuration: voters(1, 2) } }));
    const { number } = member.raft.ready();
    assert.throws(() => member.raft.persisted(number), /storage was not reset/);
  });

  it("a write from before one that reaches behind it is not taken for what follows it", () => {
    const member = new Member(2);
    member.raft.step(message("MsgApp", 1, 2, 1, { entries: logOf(1, 1, 1) }));
    const before = member.raft.ready();
    member.raft.step(message("MsgSnap", 3, 2, 2, { snapshot: { index: 2, term: 2, configuration: voters(1, 2, 3) } }));
    const reset = member.raft.ready();
    assert.notEqual(reset.snapshot, undefined);
    member.raft.step(message("MsgApp", 3, 2, 2, { index: 2, logTerm: 2, entries: [entry(2, 3)] }));
    const behind = member.raft.ready();
    member.complete(before);
    assert.equal(member.status.durableIndex, 0);
    member.complete(reset);
    assert.equal(member.status.durableIndex, 2);
    member.complete(behind);
    assert.equal(member.status.durableIndex, 3);
  });

  it("while one is not durable the log is as long as it says, for those who ask for votes too", () => {
    const member = new Member(2, { log: logOf(1, 1, 1, 1) });
    member.raft.step(message("MsgSnap", 1, 2, 2, { snapshot: { index: 3, term: 2, configuration: voters(1, 2, 3) } }));
    member.raft.forgetLeader();
    member.raft.step(message("MsgVote", 3, 2, 3, { index: 4, logTerm: 1 }));
    const refusal = member.raft.ready().messagesAfterPersist.find(({ type }) => type === "MsgVoteResp");
    assert.equal(refusal?.reject, true);
  });

  it("fast-forward the commit index when the log has it all, and keep what is behind", () => {
    const member = new Member(2, { log: logOf(1, 1, 1, 2) });
    const answers = member.step("MsgSnap", 1, 2, { snapshot: { index: 3, term: 1, configuration: voters(1, 2) } });
    assert.deepEqual([member.status.commit, member.status.lastIndex], [3, 4]);
    assert.deepEqual(member.status.configuration.voters, [1, 2, 3]);
    assert.deepEqual(
      answers.map(({ type, index, reject }) => [type, index, reject]),
      [["MsgAppResp", 3, false]],
    );
  });

  it("of less than what is committed change nothing", () => {
    const member = new Member(2, { log: logOf(1, 1, 1), hardState: { commit: 3 } });
    const answers = member.step("MsgSnap", 1, 2, { snapshot: { index: 2, term: 1, configuration: voters(1, 2) } });
    assert.deepEqual([member.status.commit, member.status.lastIndex], [3, 3]);
    assert.deepEqual(
      answers.map(({ type, index }) => [type, index]),
      [["MsgAppResp", 3]],
    );
    // Nor when the log does not even know their term any more.
    member.compact();
    member.step("MsgSnap", 1, 2, { snapshot: { index: 1, term: 1, configuration: voters(1, 2) } });
    assert.deepEqual([member.status.commit, member.status.lastIndex], [3, 3]);
  });

  it("a member that is not in the configuration of its own takes it and does not campaign", () => {
    const member = new Member(4, { configuration: voters(1, 2, 3) });
    member.step("MsgSnap", 1, 2, { snapshot: { index: 5, term: 2, configuration: voters(1, 2, 3) } });
    assert.equal(member.status.lastIndex, 5);
    member.tick(40);
    assert.equal(member.status.role, "Follower");
  });

  it("nobody campaigns before its snapshot is durable", () => {
    const member = new Member(2);
    member.raft.step(message("MsgSnap", 1, 2, 1, { snapshot: { index: 3, term: 1, configuration: voters(1, 2, 3) } }));
    const ready = member.raft.ready();
    member.raft.step(message("MsgTimeoutNow", 1, 2, 1));
    assert.equal(member.status.role, "Follower");
    member.complete(ready);
    member.step("MsgTimeoutNow", 1, 1);
    assert.equal(member.status.role, "Candidate");
  });

  it("a log that was reset before a crash starts from there, although its commit index was not written (corner 16)", () => {
    const storage = new MemoryStorage();
    storage.append(logOf(1, 1));
    storage.reset({ index: 8, term: 3 });
    assert.deepEqual(
      [storage.firstIndex(), storage.lastIndex(), storage.term(8), storage.term(7)],
      [9, 8, 3, undefined],
    );
    const start = (applied: number): Raft =>
      new Raft(
        { ...defaultRaftConfig, id: 1 },
        { hardState: { term: 3, vote: 0, commit: 2 }, configuration: voters(1, 2, 3), applied },
        storage,
        () => 0,
      );
    assert.deepEqual([start(8).status().commit, start(8).status().lastIndex], [8, 8]);
    // The state machine has to install the snapshot first: what lies between is nowhere else.
    assert.throws(() => start(2), /the state machine is at 2, but the log begins at 9/);
  });

  it("one of an old leader is used all the same: a transfer that an election overtook is not thrown away (corner 26)", () => {
    const member = new Member(2, { log: logOf(1), hardState: { term: 5, commit: 1 } });
    member.turn();
    const answers = member.step("MsgSnap", 1, 3, { snapshot: { index: 9, term: 3, configuration: voters(1, 2, 3) } });
    assert.deepEqual(answers, []);
    assert.deepEqual([member.status.term, member.status.leader, member.status.commit], [5, 0, 9]);
    // The leader of today goes on behind it.
    const [answer] = member.step("MsgApp", 3, 5, { index: 9, logTerm: 3, entries: [entry(5, 10)] });
    assert.deepEqual([answer?.reject, answer?.index], [false, 10]);
  });

  it("what the state machine had in hand when one overtook it stays in order (corner 16)", () => {
    const change = { transition: "Auto", steps: [{ type: "AddVoter", node: 4 }] } as const;
    const log = [...logOf(1), { term: 1, index: 2, type: "ConfChange", data: encodeChange(change) } as const];
    const member = new Member(2, { log, hardState: { term: 1, commit: 2 } });
    const inHand = member.raft.ready();
    assert.deepEqual(inHand.committedEntries.length, 2);
    const snapshot = { index: 9, term: 1, configuration: voters(1, 2, 5) };
    member.raft.step(message("MsgSnap", 1, 2, 1, { snapshot }));
    // The change is in the snapshot already, and what came of it later.
    assert.deepEqual(member.raft.applyConfChange(change), snapshot.configuration);
    member.raft.applied(2);
    const reset = member.raft.ready();
    assert.deepEqual(reset.committedEntries, []);
    assert.throws(() => member.raft.applied(9), /durable to 2/);
    member.complete(reset);
    assert.equal(member.status.applied, 9);
  });

  it("heartbeats go on, and count for the quorum, while one is on its way (corner 26)", () => {
    const group = groupWithLaggard();
    group.filter = ({ type, to, from }) => type !== "MsgSnap" && to !== 2 && from !== 2;
    group.tick(100);
    assert.deepEqual(
      [group.leader.id, group.leader.status.term, progressOf(group.leader, 3).state],
      [1, 1, "Snapshot"],
    );
    assert.equal(group.member(3).status.role, "Follower");
  });

  it("an offer that the log has outgrown is no offer", () => {
    const storage = new MemoryStorage();
    storage.append(logOf(1, 1, 1));
    const snapshot = { index: 1, term: 1, configuration: voters(1) };
    storage.offerSnapshot(snapshot);
    assert.equal(storage.snapshot(), snapshot);
    storage.compact(1);
    assert.equal(storage.snapshot(), snapshot);
    storage.compact(2);
    storage.compact(1);
    assert.deepEqual([storage.snapshot(), storage.firstIndex(), storage.term(2)], [undefined, 3, 1]);
    assert.throws(() => storage.compact(4), /ends at 3/);
  });
});
