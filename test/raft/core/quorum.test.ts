import assert from "node:assert/strict";
import * as fc from "fast-check";
import { committedIndex, majority, majorityVote, voteResult } from "../../../raft/core/quorum.js";
import type { ConfState, NodeId } from "../../../raft/core/types.js";

const nodes = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 });
const indexes = fc.dictionary(fc.integer({ min: 1, max: 9 }).map(String), fc.integer({ min: 0, max: 6 }));
const votes = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), { maxLength: 12 })
  .map((pairs) => new Map(pairs));

function configuration(incoming: readonly NodeId[], outgoing: readonly NodeId[]): ConfState {
  return { voters: incoming, outgoing, learners: [], learnersNext: [], autoLeave: false };
}

/** By definition: the highest index for which more than half of each half hold it. */
function bruteForceCommitted(halves: readonly (readonly NodeId[])[], match: Readonly<Record<string, number>>): number {
  for (let index = 6; index > 0; index--) {
    const holds = (voters: readonly NodeId[]): boolean =>
      voters.filter((id) => (match[id] ?? 0) >= index).length > voters.length / 2;
    if (halves.every((voters) => voters.length === 0 || holds(voters))) return index;
  }
  return 0;
}

/** By definition: try every way in which the open votes may still fall. */
function bruteForceVote(halves: readonly (readonly NodeId[])[], cast: ReadonlyMap<NodeId, boolean>): string {
  const open = [...new Set(halves.flat())].filter((id) => !cast.has(id));
  const outcomes = new Set<boolean>();
  for (let choice = 0; choice < 2 ** open.length; choice++) {
    const granted = (id: NodeId): boolean => cast.get(id) ?? ((choice >> open.indexOf(id)) & 1) === 1;
    outcomes.add(halves.every((voters) => voters.filter(granted).length > voters.length / 2 || voters.length === 0));
  }
  if (outcomes.size === 2) return "Pending";
  return outcomes.has(true) ? "Won" : "Lost";
}

describe("quorum", () => {
  it("needs more than half", () => {
    assert.deepEqual([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
  });

  it("commits what a majority of every half holds, as counted by hand", () => {
    fc.assert(
      fc.property(
        nodes.filter((ids) => ids.length > 0),
        nodes,
        indexes,
        (incoming, outgoing, match) => {
          const found = committedIndex(configuration(incoming, outgoing), (id) => match[id] ?? 0);
          assert.equal(found, bruteForceCommitted([incoming, outgoing], match));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("agrees to anything without voters", () => {
    assert.equal(
      committedIndex(configuration([], []), () => 0),
      Infinity,
    );
    assert.equal(majorityVote([], new Map()), "Won");
  });

  it("decides an election when no open vote can change it any more", () => {
    fc.assert(
      fc.property(nodes, nodes, votes, (incoming, outgoing, cast) => {
        const halves = [incoming, outgoing];
        assert.equal(voteResult(configuration(incoming, outgoing), cast), bruteForceVote(halves, cast));
      }),
      { numRuns: 2000 },
    );
  });
});
