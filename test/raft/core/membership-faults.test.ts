import assert from "node:assert/strict";
import type { ConfChange, ConfChangeStepType } from "../../../raft/core/configuration.js";
import { leaveJointChange } from "../../../raft/core/configuration.js";
import type { Message } from "../../../raft/core/types.js";
import { entry, Group, logOf, Member, voters } from "./group.js";

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

function isChange({ entries }: Message): boolean {
  return entries.some(({ type }) => type === "ConfChange");
}

/** Members 1 to `count` with timeouts apart, `first` of them voters from the beginning, 1 leads. */
function grown(count: number, first: number): Group {
  const ids = Array.from({ length: count }, (_, place) => place + 1);
  const group = new Group(ids, (id) => ({ configuration: voters(...ids.slice(0, first)), chance: () => 2 * id }));
  group.elect(1);
  return group;
}

describe("membership changes under faults", () => {
  it("two leaders in a row can't change members past each other (corner 1)", () => {
    const group = grown(5, 4);
    // Leader 1 appends "add 5", which reaches nobody.
    group.isolate(1);
    group.member(1).proposeChange(change("AddVoter", 5));
    group.settle();
    // Leader 2 must not change anything before its own term has committed.
    group.filter = ({ from, to, type }) => from !== 1 && to !== 1 && type !== "MsgAppResp";
    for (const id of [2, 3, 4]) group.member(id).raft.forgetLeader();
    group.elect(2);
    const early = group.member(2).proposeChange(change("Remove", 1));
    assert.equal("reason" in early && early.reason, "ConfChangePending");
    group.isolate(1);
    group.tick(2);
    assert.equal(group.member(2).proposeChange(change("Remove", 1)).outcome, "Accepted");
    group.settle();
    // 1 wants to go on with 4 and 5 as if its change had come about.
    group.isolate(1, 4, 5);
    group.member(4).raft.forgetLeader();
    group.tick(40);
    group.member(1).raft.campaign();
    group.settle();
    assert.notEqual(group.member(1).status.role, "Leader");
    group.heal();
    group.tick(60);
    for (const id of [2, 3, 4]) assert.deepEqual(group.member(id).status.configuration, voters(2, 3, 4));
  });

  it("a leader with a change that is committed and not applied can't be elected over it (corner 2)", () => {
    const group = grown(3, 3);
    group.member(1).proposeChange(change("Remove", 3));
    // Member 2 knows of the commit, its state machine has not got there.
    const slow = group.member(2);
    const taken = slow.apply.bind(slow);
    slow.apply = () => undefined;
    group.settle();
    group.tick();
    assert.deepEqual([slow.status.commit, slow.status.applied], [2, 1]);
    group.isolate(1);
    slow.tick(100);
    slow.raft.campaign();
    slow.step("MsgTimeoutNow", 1, 1);
    assert.equal(slow.status.role, "Follower");
    slow.apply = taken;
  });

  it("a joint configuration is left in the end, wherever the leader dies (corner 3)", () => {
    for (let messages = 0; messages < 40; messages++) {
      const group = grown(4, 3);
      group.member(1).proposeChange(replaceThreeByFour);
      let left = messages;
      // Leader 1 falls silent after so many messages.
      group.filter = ({ from, to }) => (from !== 1 && to !== 1) || left-- > 0;
      group.settle();
      group.filter = ({ from, to }) => from !== 1 && to !== 1;
      group.tick(80);
      const { leader } = group;
      assert.notEqual(leader.id, 1, `silent after ${messages} messages`);
      const { configuration } = leader.status;
      assert.deepEqual(
        [configuration.outgoing, configuration.autoLeave],
        [[], false],
        `silent after ${messages} messages`,
      );
      group.propose(leader.id, "after");
      assert.deepEqual(leader.data.at(-1), "after");
    }
  });

  it("the last voter of a joint configuration hears that it has ended from those it sent away (corner 3)", () => {
    const joint = {
      voters: [1],
      outgoing: [1, 2, 3],
      learners: [],
      learnersNext: [2, 3],
      autoLeave: true,
    };
    const log = [...logOf(1), { ...entry(1, 2), type: "ConfChange" as const }];
    for (const refusalsTellCommit of [false, true]) {
      const last = new Member(1, {
        configuration: joint,
        config: { confChangeGuard: "EarlierChanges" },
        log,
        hardState: { term: 1, commit: 1 },
      });
      // It led on for a moment after the change was committed, and stored more.
      const asked = new Member(2, {
        configuration: joint,
        config: { refusalsTellCommit, confChangeGuard: "EarlierChanges" },
        log: [...log, entry(1, 3)],
        hardState: { term: 1, commit: 2 },
      });
      last.raft.campaign();
      const request = last.turn().find(({ to }) => to === 2);
      assert(request);
      asked.raft.step(request);
      for (const answer of asked.turn()) last.raft.step(answer);
      // Its campaign ends: the configuration that it counts votes by is over.
      assert.equal(last.status.role, refusalsTellCommit ? "Follower" : "PreCandidate");
      last.turn();
      last.raft.campaign();
      last.turn();
      assert.equal(last.status.role, refusalsTellCommit ? "Leader" : "PreCandidate");
    }
  });

  it("a joint configuration that a transfer kept is left when the transfer is over (corner 3)", () => {
    const group = grown(4, 3);
    group.filter = (message) => message.to !== 3;
    group.member(1).proposeChange(replaceThreeByFour);
    group.member(1).raft.transferLeadership(3);
    group.settle();
    group.tick(2);
    assert.equal(group.member(1).status.configuration.outgoing.length, 3);
    group.tick(12);
    assert.deepEqual(group.member(1).status.configuration, voters(1, 2, 4));
  });

  it("a change that another leader overwrites never counts, nor after a restart in between (corner 4)", () => {
    const group = grown(4, 3);
    group.isolate(1);
    group.member(1).proposeChange(change("AddVoter", 4));
    group.settle();
    const { log, hardState } = group.member(1);
    assert.equal(log.at(-1)?.type, "ConfChange");
    group.tick(40);
    group.propose(group.leader.id, "instead");
    const restarted = new Member(1, { log, hardState, configuration: voters(1, 2, 3) });
    restarted.fetchState = group.member(1).fetchState;
    group.members.set(1, restarted);
    group.heal();
    group.tick(40);
    assert.equal(restarted.data.at(-1), "instead");
    for (const id of [1, 2, 3]) assert.deepEqual(group.member(id).status.configuration, voters(1, 2, 3));
  });

  it("a learner that does not know of its promotion yet has to vote (corner 6)", () => {
    const configuration = { ...voters(1, 2), learners: [3] };
    const group = new Group([1, 2, 3], { configuration });
    group.elect(1);
    group.filter = (message) =>
      !(message.to === 3 && isChange(message)) && !(message.to === 3 && message.type === "MsgApp");
    group.member(1).proposeChange(change("AddVoter", 3));
    group.settle();
    group.tick();
    assert.deepEqual(group.member(2).status.configuration, voters(1, 2, 3));
    assert.deepEqual(group.member(3).status.configuration.learners, [3]);
    // 1 is gone. Only 2 can win, and only with the vote of 3, whose wait for a leader is over by then for good.
    group.isolate(1);
    group.tick(60);
    assert.equal(group.leader.id, 2);
  });

  it("a heartbeat to an earlier incarnation tells the new one nothing (corner 7)", () => {
    const group = grown(4, 3);
    group.member(1).proposeChange(change("AddVoter", 4));
    group.settle();
    group.propose(1, "a", "b", "c");
    const held: Message[] = [];
    group.filter = (message) => {
      if (message.type === "MsgHeartbeat" && message.to === 4) held.push(message);
      return true;
    };
    group.tick();
    group.member(1).proposeChange(change("Remove", 4));
    group.settle();
    group.members.set(4, new Member(4, { configuration: voters(1, 2, 3), config: { appendEntriesMax: 1 } }));
    group.filter = (message) => message.type !== "MsgAppResp" || message.from !== 4;
    group.member(1).proposeChange(change("AddVoter", 4));
    group.settle();
    const [heartbeat] = held;
    assert.equal(heartbeat?.commit, 5);
    const back = group.member(4);
    back.step("MsgApp", 1, 1, { entries: group.member(1).log.slice(0, 2), session: 99 });
    back.raft.step(heartbeat);
    assert.equal(back.status.lastIndex, 2);
    assert.throws(() => back.step("MsgHeartbeat", 1, 1, { commit: 5, session: 99 }), /entries were lost/);
  });

  it("with JointExplicit the joint configuration stays until it is to be left, and nothing else is taken", () => {
    const group = grown(4, 3);
    group.member(1).proposeChange({ ...replaceThreeByFour, transition: "JointExplicit" });
    group.settle();
    group.tick(20);
    assert.deepEqual(group.member(2).status.configuration, { ...voters(1, 2, 4), outgoing: [1, 2, 3] });
    const refusal = group.member(1).proposeChange(change("AddVoter", 5));
    assert.match("detail" in refusal ? refusal.detail : "", /must be left/);
    assert.equal(group.member(1).proposeChange(leaveJointChange).outcome, "Accepted");
    group.settle();
    group.tick();
    assert.deepEqual(group.member(2).status.configuration, voters(1, 2, 4));
  });

  it("a voter is demoted to a learner through a joint configuration, and goes on following", () => {
    const group = grown(4, 3);
    const steps = [
      { type: "AddLearner", node: 3 },
      { type: "AddVoter", node: 4 },
    ] as const;
    const seen = new Set<string>();
    group.filter = () => Boolean(seen.add(JSON.stringify(group.member(1).status.configuration.learnersNext))) || true;
    group.member(1).proposeChange({ transition: "Auto", steps });
    group.settle();
    group.tick(2);
    assert(seen.has("[3]"), "while joint it still votes in the old half");
    assert.deepEqual(group.member(3).status.configuration, { ...voters(1, 2, 4), learners: [3] });
    group.propose(1, "data");
    assert.deepEqual(group.member(3).data, ["data"]);
  });

  it("without stepDownOnRemoval a removed leader leads on, does not count itself and takes no proposals", () => {
    const group = new Group([1, 2, 3], { config: { stepDownOnRemoval: false } });
    group.elect(1);
    group.member(1).proposeChange(change("Remove", 1));
    group.settle();
    assert.equal(group.member(1).status.role, "Leader");
    const result = group.propose(1, "data");
    assert.equal("reason" in result && result.reason, "NoLeader");
    group.tick(2);
    assert.deepEqual(group.member(3).status.configuration, voters(2, 3));
    group.member(1).raft.transferLeadership(2);
    group.settle();
    assert.equal(group.leader.id, 2);
  });

  it("changes are taken in overload: they may be what ends it", () => {
    const group = new Group([1, 2, 3], { config: { uncommittedBytesMax: 4 } });
    group.elect(1);
    group.isolate(1);
    group.propose(1, "long enough");
    const refusal = group.propose(1, "more");
    assert.equal("reason" in refusal && refusal.reason, "Overloaded");
    assert.equal(group.member(1).proposeChange(change("Remove", 3)).outcome, "Accepted");
  });
});
