import assert from "node:assert/strict";
import type { ConfChange, ConfChangeStepType } from "../../../raft/core/configuration.js";
import type { NodeId } from "../../../raft/core/types.js";
import { eventually, leaderOf, RealCluster, type RealMember } from "./real-cluster.js";

describe("members over real sockets, added and removed at run time", function () {
  this.timeout(90_000);
  let cluster: RealCluster;
  let tag = 0;

  beforeEach(async () => {
    cluster = await RealCluster.create(3);
  });

  afterEach(async () => {
    await cluster.close();
  });

  async function change(leader: RealMember, ...steps: (readonly [ConfChangeStepType, NodeId])[]): Promise<void> {
    const wanted: ConfChange = { transition: "Auto", steps: steps.map(([type, node]) => ({ type, node })) };
    const ask = (): void => leader.change((tag += 1), wanted);
    ask();
    await eventually(`change ${tag}`, () => {
      // A new leader takes none before its first entry is committed.
      if (leader.refused.some((refusal) => refusal.tag === tag && refusal.reason === "ChangePending")) ask();
      return leader.changed.has(tag);
    });
  }

  it("bring in a server that nobody knew, let it lead, and send another one away", async () => {
    const members = await cluster.start(1, 2, 3);
    await eventually("a leader", () => leaderOf(members) !== undefined);
    const first = leaderOf(members) as RealMember;
    for (let at = 0; at < 500; at++) first.propose(`before ${at}`);
    const added = await cluster.another();
    const [fourth] = (await cluster.start(added.id)) as [RealMember];
    const all = [...cluster.options(1).members, ...added.members];
    for (const member of members) member.setMembers({ members: all, removed: [] });
    await change(first, ["AddLearner", 4]);
    await eventually("everything on the learner", () => fourth.texts.length === 500);
    await eventually("the learner knows that it is one", () => fourth.status?.configuration.learners[0] === 4);
    assert.deepEqual(fourth.status?.configuration.voters, [1, 2, 3]);
    await change(first, ["AddVoter", 4]);

    first.transfer(4);
    await eventually("the new one leads", () => leaderOf([...members, fourth]) === fourth);
    await change(fourth, ["Remove", first.id]);
    const rest = [...members.filter((member) => member !== first), fourth];
    const kept = { members: all.filter(({ id }) => id !== first.id), removed: [first.id] };
    for (const member of rest) member.setMembers(kept);
    await eventually("the removed one knows", () => first.fatal.length > 0);
    assert.match(first.fatal[0] ?? "", /was removed from the cluster/);
    fourth.propose("after");
    await eventually("a write of the others", () => rest.every(({ texts }) => texts.at(-1) === "after"));
    for (const member of rest) assert.deepEqual(member.texts, fourth.texts);
  });

  it("keep a server's place in the cluster over its restart, though its configuration names only itself", async () => {
    const members = await cluster.start(1, 2, 3);
    await eventually("a leader", () => leaderOf(members) !== undefined);
    const leader = leaderOf(members) as RealMember;
    const added = await cluster.another();
    const [fourth] = (await cluster.start(added.id)) as [RealMember];
    const all = [...cluster.options(1).members, ...added.members];
    for (const member of members) member.setMembers({ members: all, removed: [] });
    await change(leader, ["AddLearner", 4]);
    leader.propose("one");
    await eventually("caught up", () => fourth.texts.includes("one"));
    await fourth.kill();
    const [again] = (await cluster.start(added.id)) as [RealMember];
    leader.propose("two");
    await eventually("caught up again", () => again.texts.includes("two"));
    await eventually("it is a learner still", () => again.status?.configuration.learners[0] === 4);
  });
});
