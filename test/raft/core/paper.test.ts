import assert from "node:assert/strict";
import type { RaftConfig } from "../../../raft/core/config.js";
import { RaftInvariantError } from "../../../raft/core/invariant.js";
import type { Message, Term } from "../../../raft/core/types.js";
import { Group, Member, bytes, entry, logOf, message, text, voters } from "./group.js";

// One test per rule of the paper (Ongaro & Ousterhout 2014), with its section. Where the thesis refines a rule (pre-vote,
// check-quorum) it is switched off here, so that the paper's own rule is seen.
const plain = { config: { preVote: false, checkQuorum: false } };

function candidate(): Member {
  const member = new Member(1, plain);
  member.raft.campaign();
  member.turn();
  return member;
}

/** A leader of term 1 whose no-op both followers have. */
function leader(options = plain): Member {
  const member = new Member(1, options);
  member.raft.campaign();
  member.turn();
  member.step("MsgVoteResp", 2, 1);
  member.step("MsgAppResp", 2, 1, { index: 1, session: 1 });
  member.step("MsgAppResp", 3, 1, { index: 1, session: 1 });
  return member;
}

function ofType(messages: readonly Message[], type: Message["type"]): Message[] {
  return messages.filter((each) => each.type === type);
}

describe("paper 5.1: terms", () => {
  for (const role of ["Follower", "Candidate", "Leader"] as const) {
    it(`a ${role} that sees a higher term takes it and becomes a follower`, () => {
      const member = role === "Follower" ? new Member(1, plain) : role === "Candidate" ? candidate() : leader();
      assert.equal(member.status.role, role);
      member.step("MsgApp", 2, 5);
      assert.deepEqual([member.status.role, member.status.term, member.status.leader], ["Follower", 5, 2]);
      assert.equal(member.hardState.vote, 0);
    });
  }

  it("a request of an old term changes nothing", () => {
    const answersWith = (config: Partial<RaftConfig>): unknown[] => {
      const member = new Member(1, { config: { ...plain.config, ...config }, hardState: { term: 3 } });
      const answers = member.step("MsgApp", 2, 2, { entries: [entry(2, 1)] });
      assert.equal(member.log.length, 0);
      assert.deepEqual([member.status.term, member.status.leader], [3, 0]);
      return answers.map(({ type, term, index, session }) => [type, term, index, session]);
    };
    // It tells the sender the term it has missed, and nothing that could be taken for more: no index, no session.
    assert.deepEqual(answersWith({ checkQuorum: true }), [["MsgAppResp", 3, 0, 0]]);
    assert.deepEqual(answersWith({ preVote: true }), [["MsgAppResp", 3, 0, 0]]);
    // Else its own next request for votes tells it.
    assert.deepEqual(answersWith({}), []);
  });

  it("everyone starts as a follower", () => {
    assert.equal(new Member(1).status.role, "Follower");
  });
});

describe("paper 5.2: leader election", () => {
  it("a leader sends heartbeats to all in each interval", () => {
    const member = leader();
    member.tick();
    const beats = ofType(member.turn(), "MsgHeartbeat");
    assert.deepEqual(
      beats.map(({ to, term }) => [to, term]),
      [
        [2, 1],
        [3, 1],
      ],
    );
  });

  for (const role of ["Follower", "Candidate"] as const) {
    it(`a ${role} that hears no leader for its timeout starts an election`, () => {
      const member = role === "Follower" ? new Member(1, plain) : candidate();
      const { term } = member.status;
      member.tick(9);
      assert.deepEqual(member.turn(), []);
      member.tick();
      const requests = ofType(member.turn(), "MsgVote");
      assert.deepEqual([member.status.role, member.status.term], ["Candidate", term + 1]);
      assert.equal(member.hardState.vote, 1);
      assert.deepEqual(
        requests.map(({ to, term }) => [to, term]),
        [
          [2, term + 1],
          [3, term + 1],
        ],
      );
    });
  }

  it("a candidate wins with the votes of a majority, loses with a majority against, and else waits", () => {
    const cases: [number, Record<number, boolean>, string][] = [
      [1, {}, "Leader"],
      [3, { 2: true, 3: true }, "Leader"],
      [3, { 2: true }, "Leader"],
      [5, { 2: true, 3: true, 4: true, 5: true }, "Leader"],
      [5, { 2: true, 3: true }, "Leader"],
      [3, { 2: false, 3: false }, "Follower"],
      [5, { 2: false, 3: false, 4: false, 5: true }, "Follower"],
      [3, {}, "Candidate"],
      [5, { 2: true }, "Candidate"],
      [5, { 2: false, 3: false }, "Candidate"],
    ];
    for (const [count, answers, role] of cases) {
      const ids = Array.from({ length: count }, (_, place) => place + 1);
      const member = new Member(1, { ...plain, configuration: voters(...ids) });
      member.raft.campaign();
      member.turn();
      for (const [from, granted] of Object.entries(answers)) {
        member.step("MsgVoteResp", Number(from), 1, { reject: !granted });
      }
      assert.equal(member.status.role, role, JSON.stringify({ count, answers }));
      assert.equal(member.status.term, 1);
    }
  });

  it("an answer that comes twice is one vote", () => {
    const member = new Member(1, { ...plain, configuration: voters(1, 2, 3, 4, 5) });
    member.raft.campaign();
    member.turn();
    for (let again = 0; again < 4; again++) member.step("MsgVoteResp", 2, 1);
    assert.equal(member.status.role, "Candidate");
    // Nor can a voter change its mind.
    member.step("MsgVoteResp", 3, 1, { reject: true });
    member.step("MsgVoteResp", 3, 1);
    assert.equal(member.status.role, "Candidate");
  });

  it("an answer from another term or from no voter is no vote", () => {
    const member = candidate();
    member.step("MsgVoteResp", 2, 0);
    member.step("MsgVoteResp", 9, 1);
    assert.equal(member.status.role, "Candidate");
  });

  it("a server votes for one candidate per term, first come first served", () => {
    const cases: [number, number, boolean][] = [
      [0, 2, true],
      [0, 3, true],
      [2, 2, true],
      [3, 3, true],
      [2, 3, false],
      [3, 2, false],
    ];
    for (const [vote, asker, granted] of cases) {
      const member = new Member(1, { ...plain, hardState: { term: 1, vote } });
      const [answer] = member.step("MsgVote", asker, 1);
      assert.deepEqual([answer?.type, answer?.to, answer?.reject], ["MsgVoteResp", asker, !granted]);
      assert.equal(member.hardState.vote, granted ? asker : vote);
    }
  });

  for (const term of [1, 2]) {
    it(`a candidate that hears from a leader of term ${term}, its own being 1, follows it`, () => {
      const member = candidate();
      member.step("MsgApp", 2, term);
      assert.deepEqual([member.status.role, member.status.term, member.status.leader], ["Follower", term, 2]);
    });
  }

  it("a candidate follows the term's leader even if the logs conflict (corner 24)", () => {
    const member = candidate();
    const [answer] = member.step("MsgApp", 2, 1, { index: 7, logTerm: 1 });
    assert.deepEqual([answer?.type, answer?.reject], ["MsgAppResp", true]);
    assert.deepEqual([member.status.role, member.status.leader], ["Follower", 2]);
  });

  it("timeouts are drawn anew from [base, base + jitter) for each wait", () => {
    const seen = new Set<number>();
    let draw = 0;
    const member = new Member(1, { ...plain, chance: (bound) => draw++ % bound });
    let waited = 0;
    let { term } = member.status;
    for (let tick = 0; tick < 1000; tick++) {
      member.tick();
      member.turn();
      waited++;
      if (member.status.term === term) continue;
      seen.add(waited);
      waited = 0;
      ({ term } = member.status);
    }
    assert.deepEqual(
      [...seen].sort((left, right) => left - right),
      [10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    );
  });
});

describe("paper 5.3: log replication", () => {
  it("a leader appends a proposal and sends it to all, with the entry before it", () => {
    const member = leader();
    member.turn();
    const result = member.raft.propose([bytes("some data")]);
    assert.deepEqual(result, { outcome: "Accepted", index: 2, term: 1 });
    const ready = member.raft.ready();
    assert.deepEqual(
      ready.entries.map(({ term, index }) => [term, index]),
      [[1, 2]],
    );
    for (const append of ofType(ready.messages, "MsgApp")) {
      assert.deepEqual([append.index, append.logTerm, append.commit], [1, 1, 1]);
      assert.deepEqual(append.entries.map(text), ["some data"]);
    }
    assert.deepEqual(
      ready.messages.map(({ to }) => to),
      [2, 3],
    );
  });

  it("an entry is committed when a majority has it durably", () => {
    const cases: [number, number[], boolean][] = [
      [1, [], true],
      [3, [], false],
      [3, [2], true],
      [3, [2, 3], true],
      [5, [2], false],
      [5, [2, 3], true],
      [5, [2, 3, 4, 5], true],
    ];
    for (const [count, acceptors, committed] of cases) {
      const ids = Array.from({ length: count }, (_, place) => place + 1);
      const member = new Member(1, { ...plain, configuration: voters(...ids) });
      member.raft.campaign();
      member.turn();
      for (const id of ids.slice(1)) member.step("MsgVoteResp", id, 1);
      for (const id of ids.slice(1)) member.step("MsgAppResp", id, 1, { index: 1, session: 1 });
      member.raft.propose([bytes("some data")]);
      member.turn();
      for (const id of acceptors) member.step("MsgAppResp", id, 1, { index: 2, session: 1 });
      assert.equal(member.status.commit, committed ? 2 : 1, JSON.stringify({ count, acceptors }));
    }
  });

  it("an answer that comes twice counts once", () => {
    const group = new Member(1, { ...plain, configuration: voters(1, 2, 3, 4, 5) });
    group.raft.campaign();
    group.turn();
    for (const id of [2, 3]) group.step("MsgVoteResp", id, 1);
    for (let again = 0; again < 5; again++) group.step("MsgAppResp", 2, 1, { index: 1, session: 1 });
    assert.equal(group.status.commit, 0);
  });

  it("committing an entry commits all before it, those of earlier leaders too", () => {
    for (const terms of [[], [2], [1, 2], [1]] as Term[][]) {
      const member = new Member(1, { ...plain, log: logOf(...terms), hardState: { term: 2 } });
      member.raft.campaign();
      member.turn();
      member.step("MsgVoteResp", 2, 3);
      const last = terms.length + 1;
      member.step("MsgAppResp", 2, 3, { index: last, session: last });
      assert.deepEqual(
        member.applied.map(({ term, index }) => [term, index]),
        [...terms, 3].map((term, place) => [term, place + 1]),
      );
    }
  });

  it("a follower applies what it hears to be committed, in order", () => {
    const entries = [entry(1, 1, "one"), entry(1, 2, "two")];
    for (const [commit, expected] of [
      [1, ["one"]],
      [2, ["one", "two"]],
    ] as const) {
      const member = new Member(1, plain);
      member.step("MsgApp", 2, 1, { entries, commit });
      assert.deepEqual(member.data, expected);
    }
  });

  it("a follower commits no further than what it has been sent in this append", () => {
    const member = new Member(1, { ...plain, log: logOf(1, 1, 1) });
    member.step("MsgApp", 2, 2, { index: 1, logTerm: 1, commit: 3 });
    // Its entries 2 and 3 may be others than the leader's.
    assert.equal(member.status.commit, 1);
  });

  it("a follower refuses an append that does not follow an entry it has", () => {
    const log = logOf(1, 2);
    const cases: [Term, number, boolean][] = [
      [0, 0, false],
      [1, 1, false],
      [2, 2, false],
      [1, 2, true],
      [3, 3, true],
    ];
    for (const [logTerm, index, reject] of cases) {
      const member = new Member(1, { ...plain, log, hardState: { commit: 1, term: 2 } });
      const [answer] = member.step("MsgApp", 2, 2, { logTerm, index });
      assert.equal(answer?.reject, reject, `${index}@${logTerm}`);
    }
  });

  it("a follower replaces entries that conflict, and keeps those that do not", () => {
    const cases: [Term, number, Term[], Term[]][] = [
      [2, 2, [3], [1, 2, 3]],
      [1, 1, [3, 4], [1, 3, 4]],
      [0, 0, [1], [1, 2]],
      [0, 0, [3], [3]],
    ];
    for (const [logTerm, index, terms, expected] of cases) {
      const member = new Member(1, { ...plain, log: logOf(1, 2) });
      const entries = terms.map((term, place) => entry(term, index + 1 + place));
      member.step("MsgApp", 2, 4, { logTerm, index, entries });
      assert.deepEqual(
        member.log.map(({ term }) => term),
        expected,
      );
    }
  });

  it("an old, shorter append cuts nothing (corner 29)", () => {
    const member = new Member(1, plain);
    const all = [entry(1, 1), entry(1, 2), entry(1, 3)];
    member.step("MsgApp", 2, 1, { entries: all });
    const [answer] = member.step("MsgApp", 2, 1, { entries: all.slice(0, 1) });
    assert.equal(member.log.length, 3);
    assert.equal(answer?.index, 1);
  });

  it("Figure 7: a leader makes every log like its own", () => {
    const leaderLog: Term[] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const others: Term[][] = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const terms of others) {
      const group = new Group([1, 2, 3], (id) => ({
        ...plain,
        log: id === 3 ? [] : logOf(...(id === 1 ? leaderLog : terms)),
        hardState: { term: 7 },
      }));
      // The empty node 3 is there for the vote that node 2 may refuse.
      group.elect(1);
      group.tick(2);
      assert.deepEqual(
        group.member(2).log.map(({ term }) => term),
        [...leaderLog, 8],
      );
      assert.equal(group.member(2).status.commit, leaderLog.length + 1);
    }
  });
});

describe("paper, Figure 3 and 5.5", () => {
  it("leader append-only: a leader takes no entries from others in its term", () => {
    const member = leader();
    const before = member.log;
    member.step("MsgApp", 2, 1, { index: 0, entries: [entry(1, 1, "other")], commit: 1 });
    member.step("MsgSnap", 2, 1, { snapshot: { index: 9, term: 1, configuration: voters(1, 2, 3) } });
    assert.deepEqual([member.status.role, member.log], ["Leader", before]);
  });

  it("5.5: what a crashed follower missed is sent until it answers, and twice does no harm", () => {
    const group = new Group([1, 2, 3]);
    group.elect(1);
    group.isolate(3);
    group.propose(1, "a", "b");
    group.tick(30);
    group.filter = (each) => {
      if (each.type === "MsgApp") group.member(each.to).raft.step(each);
      return true;
    };
    group.tick(2);
    assert.deepEqual(group.member(3).data, ["a", "b"]);
    assert.deepEqual(group.member(3).log, group.member(1).log);
  });

  it("5.2: of members that wait for different times the first to time out wins, in one round", () => {
    const group = new Group([1, 2, 3], (id) => ({ config: plain.config, chance: () => 3 - id }));
    const types: string[] = [];
    group.filter = ({ type }) => Boolean(types.push(type));
    group.tick(10);
    assert.deepEqual([group.leader.id, group.leader.status.term], [3, 1]);
    assert.equal(types.filter((type) => type === "MsgVote").length, 2);
  });
});

describe("paper 5.4: safety", () => {
  it("5.4.1: a request for votes tells how far the log goes", () => {
    const member = new Member(1, { ...plain, log: logOf(1, 2, 2) });
    member.raft.campaign();
    const requests = ofType(member.turn(), "MsgVote");
    assert.deepEqual(
      requests.map(({ index, logTerm, term }) => [index, logTerm, term]),
      [
        [3, 2, 3],
        [3, 2, 3],
      ],
    );
  });

  it("5.4.1: a voter refuses a candidate whose log is less up to date", () => {
    const cases: [Term[], Term, number, boolean][] = [
      [[1], 1, 1, true],
      [[1], 1, 2, true],
      [[1, 1], 1, 1, false],
      [[1], 2, 1, true],
      [[1], 2, 2, true],
      [[1, 1], 2, 1, true],
      [[2], 1, 1, false],
      [[2], 1, 2, false],
      [[1, 2], 1, 5, false],
    ];
    for (const [log, logTerm, index, granted] of cases) {
      const member = new Member(1, { ...plain, log: logOf(...log) });
      const [answer] = member.step("MsgVote", 2, 3, { logTerm, index });
      assert.equal(answer?.reject, !granted, JSON.stringify({ log, logTerm, index }));
    }
  });

  it("5.4.2, Figure 8: a leader commits entries of earlier terms only with one of its own", () => {
    const member = new Member(1, { ...plain, log: logOf(1, 2), hardState: { term: 2 } });
    member.raft.campaign();
    member.turn();
    member.step("MsgVoteResp", 2, 3);
    member.step("MsgAppResp", 2, 3, { index: 2, session: 3 });
    assert.equal(member.status.commit, 0);
    member.step("MsgAppResp", 2, 3, { index: 3, session: 3 });
    assert.equal(member.status.commit, 3);
  });

  it("5.4.2: a new leader begins its term with an entry without data", () => {
    const member = candidate();
    member.step("MsgVoteResp", 2, 1);
    assert.deepEqual(
      member.log.map(({ term, type, data }) => [term, type, data.length]),
      [[1, "Normal", 0]],
    );
  });

  it("5.4.3: a committed entry is never replaced: the node stops instead", () => {
    const member = new Member(1, { ...plain, log: logOf(1, 1), hardState: { term: 1, commit: 2 } });
    const conflicting = { index: 0, entries: [entry(1, 1), entry(3, 2)] };
    assert.throws(() => member.raft.step(message("MsgApp", 2, 1, 3, conflicting)), RaftInvariantError);
  });
});

describe("paper 5.6 and Figure 2: what must be durable before it is said", () => {
  it("a vote leaves when it is durable (corner 13)", () => {
    const member = new Member(1, plain);
    member.raft.step(message("MsgVote", 2, 1, 1));
    const ready = member.raft.ready();
    assert.deepEqual(ready.messages, []);
    assert.equal(ready.mustSync, true);
    assert.deepEqual(ready.hardState, { term: 1, vote: 2, commit: 0 });
    assert.deepEqual(
      ready.messagesAfterPersist.map(({ type, reject }) => [type, reject]),
      [["MsgVoteResp", false]],
    );
  });

  it("a candidate asks when its term is durable (corner 19), and counts its own vote then", () => {
    const member = new Member(1, plain);
    member.raft.campaign();
    const ready = member.raft.ready();
    assert.deepEqual(ready.messages, []);
    assert.deepEqual(
      ready.messagesAfterPersist.map(({ type }) => type),
      ["MsgVote", "MsgVote"],
    );
    member.raft.step(message("MsgVoteResp", 2, 1, 1));
    assert.equal(member.status.role, "Candidate");
    member.complete(ready);
    assert.equal(member.status.role, "Leader");
  });

  it("an append is acknowledged when it is durable", () => {
    const member = new Member(1, plain);
    member.raft.step(message("MsgApp", 2, 1, 1, { entries: [entry(1, 1)], commit: 1 }));
    const ready = member.raft.ready();
    assert.deepEqual(ready.messages, []);
    assert.deepEqual(
      ready.messagesAfterPersist.map(({ type, index }) => [type, index]),
      [["MsgAppResp", 1]],
    );
    // Nor is it applied before.
    assert.deepEqual(ready.committedEntries, []);
    member.complete(ready);
    assert.equal(member.raft.ready().committedEntries.length, 1);
  });

  it("a leader sends entries while it writes them, and counts itself when they are durable", () => {
    const member = leader();
    member.raft.propose([bytes("data")]);
    const ready = member.raft.ready();
    assert.deepEqual(
      ready.messages.map(({ type }) => type),
      ["MsgApp", "MsgApp"],
    );
    member.raft.step(message("MsgAppResp", 2, 1, 1, { index: 2, session: 1 }));
    assert.equal(member.status.commit, 1);
    member.complete(ready);
    assert.equal(member.status.commit, 2);
  });
});
