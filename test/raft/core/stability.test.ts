import assert from "node:assert/strict";
import * as fc from "fast-check";
import { Group, Member, bytes, entry, logOf, message, voters } from "./group.js";

const ids = [1, 2, 3] as const;

/** Members whose timeouts lie apart, and drawn from a sequence that repeats only after a while. */
function group(): Group {
  return new Group(ids, (id) => {
    let draw = id * 7;
    return { chance: (bound) => (draw = (draw * 31 + 11) % 997) % bound };
  });
}

describe("stability", () => {
  it("every partition of three, one-way ones too, that leaves a connected quorum has a leader that stays (corner 21)", () => {
    const links = ids.flatMap((from) => ids.filter((to) => to !== from).map((to) => ({ from, to })));
    let tried = 0;
    for (let cut = 0; cut < 2 ** links.length; cut++) {
      const isCut = (from: number, to: number): boolean =>
        links.some((link, place) => link.from === from && link.to === to && ((cut >> place) & 1) === 1);
      const pairs = [
        [1, 2],
        [1, 3],
        [2, 3],
      ] as const;
      if (!pairs.some(([one, other]) => !isCut(one, other) && !isCut(other, one))) continue;
      tried++;
      const members = group();
      members.elect(1);
      members.filter = ({ from, to }) => !isCut(from, to);
      members.tick(150);
      const before = ids.map((id) => members.member(id).status.term);
      const { leader } = members;
      const commit = members.propose(leader.id, "data");
      assert.equal(commit.outcome, "Accepted", `cut ${cut.toString(2)}`);
      members.tick(60);
      assert.equal(members.leader.id, leader.id, `cut ${cut.toString(2)}`);
      assert.deepEqual(leader.data, ["data"], `cut ${cut.toString(2)}`);
      assert.deepEqual(
        ids.map((id) => members.member(id).status.term),
        before,
        `cut ${cut.toString(2)}`,
      );
    }
    assert.equal(tried, 37);
  });

  it("members of any terms and logs find a leader and agree (corner 22)", () => {
    const start = fc.record({
      terms: fc
        .array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 })
        .map((terms) => terms.sort((left, right) => left - right)),
      ahead: fc.integer({ min: 0, max: 5 }),
    });
    const settings = fc.record({ preVote: fc.boolean(), checkQuorum: fc.boolean() });
    fc.assert(
      fc.property(fc.tuple(start, start, start), settings, (starts, config) => {
        // Where there is an entry there was an election: a majority knows its term, and here everybody.
        const newest = Math.max(0, ...starts.flatMap(({ terms }) => terms));
        const members = new Group(ids, (id) => {
          const { terms, ahead } = starts[id - 1]!;
          let draw = id;
          return {
            log: logOf(...terms),
            hardState: { term: newest + ahead },
            config,
            chance: (bound) => (draw = (draw * 31 + 11) % 997) % bound,
          };
        });
        // Logs of one term that differ can't come about.
        if (!isPossible(ids.map((id) => members.member(id).log.map(({ term }) => term)))) return;
        for (let round = 0; round < 40; round++) members.tick(10);
        members.propose(members.leader.id, "data");
        members.tick(2);
        for (const id of ids) assert.equal(members.member(id).data.at(-1), "data");
      }),
      { numRuns: 100 },
    );
  });

  it("a leader asks for no pre-votes, also when told to campaign (corner 22)", () => {
    const members = group();
    members.elect(1);
    members.member(1).raft.campaign();
    members.member(1).step("MsgTimeoutNow", 2, 1);
    assert.equal(members.member(1).status.role, "Leader");
    assert.deepEqual(members.member(1).turn(), []);
  });

  it("answers to pre-votes of the node's own past do not make a leader (corner 22)", () => {
    const member = new Member(1);
    member.raft.campaign();
    member.turn();
    member.step("MsgPreVoteResp", 2, 1);
    assert.equal(member.status.role, "Candidate");
    member.step("MsgPreVoteResp", 3, 1);
    member.step("MsgPreVoteResp", 3, 2);
    assert.equal(member.status.role, "Candidate");
  });

  it("ticks in bunches with the messages between them start no election (corner 24)", () => {
    const members = group();
    members.elect(1);
    for (let bunch = 0; bunch < 50; bunch++) {
      // A member that got no time does all of its ticks at once, but takes its messages first and says that it was paused.
      for (const id of ids) {
        if ((bunch + id) % 3 !== 0) continue;
        members.member(id).raft.restartElectionTimer();
        for (let tick = 0; tick < 9; tick++) members.member(id).raft.tick();
      }
      members.member(1).raft.tick();
      members.settle();
    }
    assert.deepEqual([members.leader.id, members.leader.status.term], [1, 1]);
  });

  it("a recovering or lagging follower that refuses every append still counts as hearing its leader (corner 24)", () => {
    const member = new Member(2, { log: logOf(1, 1), hardState: { term: 1 }, recoverTo: 9 });
    for (let round = 0; round < 20; round++) {
      member.tick(8);
      member.step("MsgApp", 1, 1, { index: 30, logTerm: 1, session: 1 });
      member.step("MsgHeartbeat", 1, 1, { commit: 30, session: 1 });
    }
    assert.deepEqual([member.status.role, member.status.leader], ["Follower", 1]);
    assert.deepEqual(member.step("MsgPreVote", 3, 2), [], "nor does it help to depose it");
  });

  it("what leaves at once promises nothing: whatever a crash takes, it may have been said (corner 19)", () => {
    const harmless = new Set([
      "MsgApp",
      "MsgHeartbeat",
      "MsgHeartbeatResp",
      "MsgPreVote",
      "MsgProp",
      "MsgReadIndex",
      "MsgSnap",
    ]);
    const member = new Member(2);
    const seen = new Set<string>();
    const take = (): void => {
      while (member.raft.hasReady()) {
        const ready = member.raft.ready();
        for (const { type, term } of ready.messages) {
          assert(harmless.has(type), type);
          // A leader or candidate speaks in a term that is durable; only answers to a new leader may run ahead.
          if (type === "MsgApp" || type === "MsgHeartbeat") assert.equal(member.hardState.term, term);
          seen.add(type);
        }
        for (const each of member.complete(ready)) seen.add(each.type);
      }
    };
    member.raft.step(message("MsgHeartbeat", 1, 2, 4, { session: 1 }));
    take();
    member.raft.step(message("MsgApp", 1, 2, 5, { entries: [entry(5, 1)], session: 1 }));
    take();
    member.raft.forgetLeader();
    member.raft.step(message("MsgPreVote", 3, 2, 6, { index: 9, logTerm: 5 }));
    take();
    member.raft.campaign();
    take();
    member.raft.step(message("MsgPreVoteResp", 3, 2, 6));
    take();
    member.raft.step(message("MsgVoteResp", 3, 2, 6));
    take();
    member.raft.propose([bytes("data")]);
    member.tick();
    take();
    for (const type of ["MsgVote", "MsgApp", "MsgAppResp", "MsgPreVoteResp", "MsgHeartbeat"])
      assert(seen.has(type), type);
  });
});

/** Entries of one term come from one leader: two logs with an entry of a term agree up to the shorter one's last of it. */
function isPossible(logs: readonly (readonly number[])[]): boolean {
  return logs.every((one) =>
    logs.every((other) => {
      const shared = one.findLastIndex((term, place) => other[place] === term);
      const prefix = one.slice(0, shared + 1).every((term, place) => other[place] === term);
      const elsewhere = one.some((term, place) => other[place] !== term && other.includes(term));
      return prefix && !elsewhere;
    }),
  );
}

describe("the wait of those who may not campaign", () => {
  it("ends their belief in a leader all the same: else they would refuse votes for ever", () => {
    const learner = new Member(3, { configuration: { ...voters(1, 2), learners: [3] } });
    learner.step("MsgHeartbeat", 1, 1);
    learner.tick(25);
    assert.equal(learner.step("MsgPreVote", 2, 2)[0]?.reject, false);
  });
});
