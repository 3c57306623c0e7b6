import assert from "node:assert/strict";
import * as fc from "fast-check";
import {
  applyChange,
  checked,
  enterJoint,
  leaveJoint,
  members,
  simple,
  type ConfChange,
  type ConfChangeStep,
  type ConfChangeStepType,
  type ConfResult,
} from "../../../raft/core/configuration.js";
import { committedIndex } from "../../../raft/core/quorum.js";
import type { ConfState } from "../../../raft/core/types.js";
import { voters } from "./group.js";

const letters: Record<string, ConfChangeStepType> = { v: "AddVoter", l: "AddLearner", r: "Remove", u: "Update" };

/** "v1 l2 r3": add voter 1, add learner 2, remove 3. */
function steps(text: string): ConfChangeStep[] {
  return text.split(" ").map((word) => ({ type: letters[word[0]!]!, node: Number(word.slice(1)) }));
}

function made(result: ConfResult): ConfState {
  if ("error" in result) throw new Error(result.error);
  return result.configuration;
}

/** "(1 2)&&(1) learners=(3) next=(2) auto". */
function show(configuration: ConfState): string {
  const { outgoing, learners, learnersNext, autoLeave } = configuration;
  let shown = `(${configuration.voters.join(" ")})`;
  if (outgoing.length > 0) shown += `&&(${outgoing.join(" ")})`;
  if (learners.length > 0) shown += ` learners=(${learners.join(" ")})`;
  if (learnersNext.length > 0) shown += ` next=(${learnersNext.join(" ")})`;
  return autoLeave ? `${shown} auto` : shown;
}

const anyStep = fc.record({
  type: fc.constantFrom<ConfChangeStepType[]>("AddVoter", "AddLearner", "Remove", "Update"),
  node: fc.integer({ min: 1, max: 6 }),
});
const anyChange = fc.record({
  transition: fc.constantFrom("Auto" as const, "JointImplicit" as const, "JointExplicit" as const),
  steps: fc.array(anyStep, { maxLength: 4 }),
});

type Part = "voter" | "learner" | "none";

/** Each node's part now and, in a joint configuration, before it. Says the same in another way: nothing is moved between lists. */
class PartsModel {
  #now: Part[];
  #before: Part[] | undefined;
  #auto = false;

  constructor(count: number) {
    this.#now = Array.from({ length: 7 }, (_, id) => (id >= 1 && id <= count ? "voter" : "none"));
  }

  /** How the new configuration is shown; undefined when the change is refused. */
  apply({ transition, steps: changes }: ConfChange): string | undefined {
    const isLeaving = transition === "Auto" && changes.length === 0;
    if ((this.#before !== undefined) !== isLeaving) return undefined;
    if (isLeaving) {
      this.#before = undefined;
      this.#auto = false;
      return this.#show();
    }
    const next = [...this.#now];
    for (const { type, node } of changes) {
      if (type !== "Update") next[node] = type === "AddVoter" ? "voter" : type === "AddLearner" ? "learner" : "none";
    }
    if (!next.includes("voter")) return undefined;
    if (transition !== "Auto" || changes.length > 1) {
      this.#before = this.#now;
      this.#auto = transition !== "JointExplicit";
    }
    this.#now = next;
    return this.#show();
  }

  #show(): string {
    const before = this.#before;
    const ids = (holds: (id: number) => boolean): number[] => [1, 2, 3, 4, 5, 6].filter(holds);
    return show({
      voters: ids((id) => this.#now[id] === "voter"),
      outgoing: ids((id) => before?.[id] === "voter"),
      learners: ids((id) => this.#now[id] === "learner" && before?.[id] !== "voter"),
      learnersNext: ids((id) => this.#now[id] === "learner" && before?.[id] === "voter"),
      autoLeave: this.#auto,
    });
  }
}

describe("configuration", () => {
  it("changes one voter in one step", () => {
    assert.equal(show(made(simple(voters(1), steps("v2")))), "(1 2)");
    assert.equal(show(made(simple(voters(1, 2), steps("l2")))), "(1) learners=(2)");
    assert.equal(show(made(simple(voters(1, 2), steps("r1")))), "(2)");
    assert.equal(show(made(simple(voters(1), steps("l2 l3")))), "(1) learners=(2 3)");
    assert.equal(show(made(simple(voters(1, 2), steps("u2")))), "(1 2)");
  });

  it("refuses two voters in one step, no voters, joint on joint, and ids that are none", () => {
    const joint = made(enterJoint(voters(1), steps("v2"), false));
    const refusals: [ConfResult, RegExp][] = [
      [simple(voters(1), steps("v2 v3")), /2 voters change at once/],
      [simple(voters(1), steps("r1")), /last voter/],
      [simple(joint, steps("v3")), /must be left/],
      [enterJoint(joint, steps("v3"), false), /joint already/],
      [enterJoint(voters(), steps("v3"), false), /without voters/],
      [enterJoint(voters(1, 2), steps("r1 r2"), true), /last voter/],
      [leaveJoint(voters(1)), /nothing to leave/],
      [simple(voters(1), steps("v0")), /no node id/],
    ];
    for (const [result, pattern] of refusals) assert.match("error" in result ? result.error : "none", pattern);
  });

  it("goes through a joint configuration and out of it", () => {
    const joint = made(enterJoint(voters(1, 2, 3), steps("v4 r3 l2"), true));
    assert.equal(show(joint), "(1 4)&&(1 2 3) next=(2) auto");
    assert.deepEqual(members(joint), [1, 2, 3, 4]);
    assert.equal(show(made(leaveJoint(joint))), "(1 4) learners=(2)");
  });

  it("Auto takes one step at once and several through joint consensus", () => {
    const one = applyChange(voters(1, 2), { transition: "Auto", steps: steps("v3") });
    assert.equal(show(made(one)), "(1 2 3)");
    const several = applyChange(voters(1, 2), { transition: "Auto", steps: steps("v3 r1") });
    assert.equal(show(made(several)), "(2 3)&&(1 2) auto");
    const explicit = applyChange(voters(1, 2), { transition: "JointExplicit", steps: steps("v3") });
    assert.equal(show(made(explicit)), "(1 2 3)&&(1 2)");
    assert.equal(show(made(applyChange(made(explicit), { transition: "Auto", steps: [] }))), "(1 2 3)");
  });

  it("notices a configuration that contradicts itself", () => {
    const base = voters(1, 2);
    assert.throws(() => checked({ ...base, learners: [1] }), /voter and learner/);
    assert.throws(() => checked({ ...base, learnersNext: [2] }), /no outgoing voter/);
    assert.throws(() => checked({ ...base, autoLeave: true }), /joint consensus only/);
  });

  it("is what a table of each node's part makes of the same changes", () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 14 }), (changes) => {
        let configuration = voters(1, 2, 3);
        const model = new PartsModel(3);
        for (const each of changes) {
          const result = applyChange(configuration, each);
          const expected = model.apply(each);
          assert.equal("configuration" in result, expected !== undefined, JSON.stringify(each));
          if ("error" in result) continue;
          assert.equal(show(result.configuration), expected);
          configuration = result.configuration;
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("keeps neighbouring quorums intersecting whatever the changes, and its parts consistent", () => {
    fc.assert(
      fc.property(fc.array(anyChange, { maxLength: 12 }), (changes) => {
        let configuration = voters(1, 2, 3);
        for (const each of changes) {
          const result = applyChange(configuration, each);
          if ("error" in result) continue;
          checked(result.configuration);
          assertQuorumsIntersect(configuration, result.configuration);
          configuration = result.configuration;
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** Tries every set of nodes: no set may be a quorum of one while the rest is a quorum of the other. */
function assertQuorumsIntersect(one: ConfState, other: ConfState): void {
  for (let set = 0; set < 2 ** 6; set++) {
    const inside = (id: number): number => (set >> (id - 1)) & 1;
    const both = committedIndex(one, inside) > 0 && committedIndex(other, (id) => 1 - inside(id)) > 0;
    assert(!both, `${show(one)} and ${show(other)} can decide apart`);
  }
}
