import assert from "node:assert/strict";
import { compare } from "./levels.js";
import { runText } from "./run-script.js";
import { parseScript } from "./script.js";

const expected = `INFO 1 talks
> 1 handling Ready
  Ready MustSync=true:
  Lead:1 State:StateLeader
  HardState Term:1 Vote:1 Commit:3
  Entries:
  1/4 EntryNormal "a"
  CommittedEntries:
  1/3 EntryNormal ""
  Messages:
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "a"]
  1->3 MsgApp Term:1 Log:1/3 Commit:3 Entries:[
    1/4 EntryNormal "a"
    1/5 EntryNormal "b"
  ]
> 2 receiving messages
  1->2 MsgApp Term:1 Log:1/3 Commit:3 Entries:[1/4 EntryNormal "a"]
  raft: cannot step as peer not found
`;

/** How far the output of `stabilize` agrees once `from` is replaced by `to`. */
function levelWith(from: string, to: string): number {
  const [directive] = parseScript(`stabilize\n----\n${expected}`);
  const output = expected.replace(from, to);
  assert.notEqual(output, expected, `${from} is not in the output`);
  return compare(directive!, output).level;
}

describe("levels of agreement", () => {
  it("L4: log lines alone do not count", () => {
    assert.equal(levelWith("INFO 1 talks\n", ""), 4);
    assert.equal(levelWith("INFO 1 talks", "WARN 1 shouts"), 4);
  });

  it("L3: arrangement, roles and the order of messages differ", () => {
    assert.equal(levelWith("MustSync=true", "MustSync=false"), 3);
    assert.equal(levelWith("  Lead:1 State:StateLeader\n", ""), 3);
    assert.equal(levelWith("> 2 receiving messages\n", ""), 3);
  });

  it("L2: a message is lacking, or has other contents", () => {
    assert.equal(
      levelWith("> 2 receiving messages\n  1->2 MsgApp Term:1", "> 2 receiving messages\n  1->2 MsgApp Term:2"),
      2,
    );
    assert.equal(levelWith('    1/5 EntryNormal "b"\n', ""), 2);
    assert.equal(levelWith("1->3 MsgApp Term:1 Log:1/3 Commit:3", "1->3 MsgApp Term:1 Log:1/3 Commit:2"), 2);
  });

  it("L1: what a node writes or applies differs", () => {
    assert.equal(levelWith("Vote:1 Commit:3", "Vote:2 Commit:3"), 1);
    assert.equal(levelWith('  Entries:\n  1/4 EntryNormal "a"', '  Entries:\n  2/4 EntryNormal "a"'), 1);
    assert.equal(levelWith('  CommittedEntries:\n  1/3 EntryNormal ""\n', ""), 1);
    assert.equal(levelWith("> 1 handling Ready", "> 2 handling Ready"), 1);
  });

  it("none: an error is lacking, or a probe shows another state", () => {
    assert.equal(levelWith("  raft: cannot step as peer not found\n", ""), 0);
    const [probe] = parseScript("raft-state\n----\n1: StateLeader (Voter) Term:1 Lead:1\n");
    assert.equal(compare(probe!, "1: StateLeader (Voter) Term:2 Lead:1\n").level, 0);
  });

  it("the first difference has its line in the file, whatever log lines stand before", () => {
    const [directive] = parseScript(`# one\n\nstabilize\n----\n${expected}`);
    const { difference } = compare(directive!, expected.replace("Commit:3\n  Entries", "Commit:4\n  Entries"));
    assert.deepEqual(difference, {
      line: 9,
      expected: "  HardState Term:1 Vote:1 Commit:3",
      got: "  HardState Term:1 Vote:1 Commit:4",
    });
  });

  it("a file reaches what all of its directives reach, and counts those that reach more", () => {
    const text =
      "add-nodes 1 voters=(1) index=2\n----\nok\n\ncampaign 1\n----\nok\n\n" +
      "stabilize\n----\n> 1 handling Ready\n  Ready MustSync=true:\n  HardState Term:1 Vote:1 Commit:2\n\n" +
      "raft-state\n----\n1: StateLeader (Voter) Term:1 Lead:1\n";
    const { row } = runText(text, "a.txt");
    assert.equal(row.kind, "interaction");
    assert.equal(row.level, "L1");
    assert.deepEqual(row.agreeing, { L1: 4, L2: 3, L3: 3, L4: 3 });
    assert.equal(row.firstDifference?.directive, "stabilize");
    assert.equal(row.firstDifference?.reaches, "L1");
  });
});

describe("scripts that can't be followed", () => {
  it("an unknown command is told with its line, and the others run", () => {
    const { row } = runText("raft-state\n----\nok\n\nfly 1\n----\nok\n\nraft-state\n----\nok\n", "a.txt");
    assert.deepEqual(row.errors, [{ line: 5, message: 'unknown command "fly"' }]);
    assert.deepEqual(row.agreeing, { L1: 2, L2: 2, L3: 2, L4: 2 });
    assert.equal(row.level, null);
  });

  it("so is a node that isn't there, a file that is no script, and one without a known command", () => {
    assert.match(runText("campaign 9\n----\nok\n", "a").row.errors[0]!.message, /there is no node 9/);
    assert.match(runText("campaign 1\n", "a").row.errors[0]!.message, /line 1: "campaign" has no "----"/);
    assert.match(runText("dance\n----\n", "a").row.errors[0]!.message, /no directive of the file is known/);
  });

  it("a core that stops is told, and does not end the run", () => {
    const text = "add-nodes 2 voters=(1,2) learners=(2) index=2\n----\nok\n\nraft-state\n----\nok\n";
    const { row, outcomes } = runText(text, "a");
    assert.match(row.errors[0]!.message, /the core stopped: node 2 is voter and learner at once/);
    assert.equal(outcomes.length, 2);
  });

  it("quorum and confchange scripts agree in every character or not at all", () => {
    const text = "vote cfg=(1,2) votes=(y,y)\n----\nVoteWon\n\nvote cfg=(1,2) votes=(y,_)\n----\nVoteWon\n";
    const { row } = runText(text, "a");
    assert.deepEqual([row.kind, row.agreeing, row.level], ["quorum", { L0: 1 }, null]);
    assert.deepEqual(row.firstDifference, {
      line: 7,
      expected: "VoteWon",
      got: "VotePending",
      directive: "vote cfg=(1,2) votes=(y,_)",
      reaches: null,
    });
  });
});
