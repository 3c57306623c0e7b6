import assert from "node:assert/strict";
import { limits } from "../../../src/base/limits.js";
import type { Message } from "../../../raft/core/types.js";
import { failpoints } from "../../../raft/failpoints.js";
import { segmentPath } from "../../../raft/log/format.js";
import { damage } from "../memory-disk.js";
import { texts, VirtualCluster, type Member } from "./virtual-cluster.js";

const electionMs = limits.tickMs * limits.electionTicks;

describe("the driver", () => {
  it("elects, commits on all members, and forwards from followers", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const all = [...cluster.members.values()];
    cluster.commit(leader, "from the leader", all);
    cluster.commit(followers(cluster)[0] as Member, "from a follower", all);
    for (const member of all) assert.deepEqual(texts(member), ["from the leader", "from a follower"]);
  });

  it("leads a cluster of one at once", () => {
    const cluster = new VirtualCluster(1);
    cluster.start();
    const leader = cluster.elect(limits.tickMs);
    cluster.commit(leader, "alone");
  });

  it("acknowledges nothing that is not durable", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.commit(leader, "settled", [...cluster.members.values()]);
    cluster.time.pass(limits.tickMs);
    const syncs = new Map([...cluster.members.values()].map((member) => [member.id, member.disk.count("sync log/")]));
    const follower = followers(cluster)[0] as Member;
    cluster.loses = ({ to, from }) =>
      ![leader.id, follower.id].includes(to) || ![leader.id, follower.id].includes(from);
    cluster.observe = (message) => {
      if (message.type !== "MsgAppResp" || message.reject || message.index <= 2) return;
      const member = cluster.member(message.from);
      assert(member.disk.count("sync log/") > (syncs.get(message.from) ?? 0), "a sync comes before the answer");
      assert.equal(member.disk.waiting, 0, "the sync is complete");
    };
    const before = leader.disk.count("sync log/");
    cluster.commit(leader, "x");
    assert(leader.disk.count("sync log/") > before);
  });

  it("makes one write of the proposals of a turn, and few of many turns", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const before = leader.disk.count("write log/");
    for (let at = 0; at < 200; at++) leader.driver?.propose(at, new Uint8Array(100));
    cluster.time.run(() => leader.committed.length >= 200);
    assert(leader.disk.count("write log/") - before <= 3, "200 proposals are one or two writes");
  });

  it("delivers again from the applied index on after a restart, and catches up", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const follower = followers(cluster)[0] as Member;
    for (let at = 0; at < 20; at++) cluster.commit(leader, `a${at}`, [follower]);
    cluster.kill(follower.id, true);
    for (let at = 0; at < 20; at++) cluster.commit(leader, `b${at}`);
    follower.appliedIndex = 7;
    cluster.start(follower.id);
    cluster.time.run(() => texts(follower).length === 40);
    assert.deepEqual(texts(follower), texts(leader));
  });

  it("answers reads on leader and followers with an index that covers earlier writes", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.commit(leader, "x");
    const written = leader.committed.length;
    for (const member of cluster.members.values()) member.driver?.readIndex(10 + member.id);
    cluster.time.run(() => [...cluster.members.values()].every(({ reads }) => reads.length === 1));
    for (const { id, reads } of cluster.members.values())
      assert(reads[0]?.tag === 10 + id && reads[0].index >= written, `member ${id}`);
  });

  it("asks a read again when question or answer was lost", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    cluster.elect();
    const follower = followers(cluster)[0] as Member;
    for (const type of ["MsgReadIndex", "MsgReadIndexResp"]) {
      let lost = 0;
      cluster.loses = (message) => message.type === type && lost++ === 0;
      follower.driver?.readIndex(5);
      cluster.time.run(() => follower.reads.length > 0, 3 * electionMs);
      assert.deepEqual(
        follower.reads.splice(0).map(({ tag }) => tag),
        [5],
      );
      assert.equal(lost > 0, true);
    }
  });

  it("holds proposals and reads without a leader, for a bounded time and number", () => {
    const cluster = new VirtualCluster(3);
    cluster.start(1);
    const member = cluster.member(1);
    cluster.time.run(() => member.driver !== undefined);
    for (let tag = 0; tag < limits.heldProposalsMax + 5; tag++) member.driver?.propose(tag, new Uint8Array(1));
    member.driver?.readIndex(9999);
    cluster.time.pass(2 * limits.tickMs);
    assert.deepEqual(
      member.refused.splice(0).map(({ tag, reason }) => `${tag} ${reason}`),
      [0, 1, 2, 3, 4].map((at) => `${limits.heldProposalsMax + at} NoLeader`),
    );
    cluster.time.pass(limits.heldProposalMsMax + limits.tickMs);
    assert.equal(member.refused.length, limits.heldProposalsMax + 1);
  });

  it("proposes what it held when a leader appears", () => {
    const cluster = new VirtualCluster(3);
    cluster.start(1);
    const member = cluster.member(1);
    cluster.time.run(() => member.driver !== undefined);
    member.driver?.propose(1, new TextEncoder().encode("held"));
    member.driver?.readIndex(2);
    cluster.time.pass(electionMs);
    cluster.start(2, 3);
    cluster.time.run(() => texts(member).includes("held") && member.reads.length === 1);
    assert.deepEqual(member.refused, []);
  });

  it("refuses an entry that is too large", () => {
    const cluster = new VirtualCluster(1);
    cluster.start();
    const leader = cluster.elect();
    leader.driver?.propose(3, new Uint8Array(limits.entryBytesMax + 1));
    assert.deepEqual(leader.refused, [], "no answer before the call has returned");
    cluster.time.run(() => leader.refused.length === 1);
    assert.deepEqual(leader.refused, [{ tag: 3, reason: "TooLarge" }]);
  });

  it("refuses as Overloaded what is beyond the uncommitted bytes", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.loses = () => true;
    const count = Math.ceil(limits.uncommittedBytesMax / limits.entryBytesMax) + 2;
    for (let tag = 1; tag <= count; tag++) leader.driver?.propose(tag, new Uint8Array(limits.entryBytesMax));
    cluster.time.run(() => leader.refused.length >= 2);
    assert(leader.refused.every(({ reason }) => reason === "Overloaded"));
  });
});

describe("the driver, when the leader dies", () => {
  it("elects within a few ticks after the connection breaks", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    for (let round = 0; round < 10; round++) {
      const first = cluster.elect();
      cluster.commit(first, `x${round}`, [...cluster.members.values()]);
      cluster.kill(first.id, true);
      const killedMs = cluster.time.nowMs;
      cluster.elect();
      assert(cluster.time.nowMs - killedMs < 4 * limits.tickMs, `took ${cluster.time.nowMs - killedMs} ms`);
      cluster.start(first.id);
    }
  });

  it("elects after the election timeout when nobody is told", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const first = cluster.elect();
    cluster.kill(first.id, false);
    const killedMs = cluster.time.nowMs;
    cluster.elect();
    assert(cluster.time.nowMs - killedMs > electionMs / 2);
  });

  it("keeps a living leader when a connection to it breaks", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const term = leader.status?.term;
    for (const follower of followers(cluster)) {
      for (let round = 0; round < 10; round++) {
        follower.peer(leader.id, false);
        cluster.time.pass(electionMs);
      }
    }
    assert.equal(cluster.elect().id, leader.id);
    assert.equal(leader.status?.term, term);
  });
});

describe("the driver, paused or with a bad disk", () => {
  it("does not campaign after its own pause", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const follower = followers(cluster)[0] as Member;
    let campaigns = 0;
    cluster.observe = ({ type, from }) => {
      if (from === follower.id && (type === "MsgPreVote" || type === "MsgVote")) campaigns++;
    };
    for (let round = 0; round < 20; round++) {
      // Four ticks of silence before the pause and four behind it are no silence of an election timeout.
      cluster.loses = ({ to }) => to === follower.id;
      cluster.time.pass(4 * limits.tickMs);
      cluster.pause(follower.id);
      cluster.time.pass(electionMs * 3);
      cluster.resume(follower.id);
      cluster.time.pass(4 * limits.tickMs);
      cluster.loses = () => false;
      cluster.time.pass(limits.tickMs * 2);
    }
    assert.equal(campaigns, 0);
    assert.equal(cluster.elect().id, leader.id);
  });

  it("hands leadership over to whoever is furthest when no member is named", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const [behind, furthest] = followers(cluster) as [Member, Member];
    cluster.loses = ({ to, type }) => to === behind.id && type === "MsgApp";
    cluster.commit(leader, "x", [furthest]);
    leader.driver?.transferLeadership(0);
    cluster.time.run(() => leads(furthest), electionMs / 2);
  });

  it("hands leadership over while a sync of the leader hangs", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const first = cluster.elect();
    cluster.commit(first, "x", [...cluster.members.values()]);
    first.disk.onRequest = () => undefined;
    first.driver?.propose(1, new TextEncoder().encode("hangs"));
    const hangsMs = cluster.time.nowMs;
    cluster.time.run(() => others(cluster, first).some(leads));
    assert(cluster.time.nowMs - hangsMs < 3 * electionMs, `took ${cluster.time.nowMs - hangsMs} ms`);
  });

  it("falls silent when its disk hangs and nobody takes the leadership over", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const first = cluster.elect();
    cluster.commit(first, "x", [...cluster.members.values()]);
    cluster.loses = ({ type }) => type === "MsgTimeoutNow";
    first.disk.onRequest = () => undefined;
    first.driver?.propose(1, new TextEncoder().encode("hangs"));
    cluster.time.run(() => others(cluster, first).some(leads), 10 * electionMs);
  });

  for (const part of ["write log/", "sync log/"]) {
    it(`ends after a failed ${part}, once, and sends nothing more`, () => {
      const cluster = new VirtualCluster(3);
      cluster.start();
      const leader = cluster.elect();
      leader.disk.fails = (request) => request.startsWith(part);
      leader.driver?.propose(1, new Uint8Array(1));
      leader.driver?.propose(2, new Uint8Array(1));
      cluster.time.run(() => leader.fatal.length > 0);
      let sent = 0;
      cluster.observe = ({ from }) => (sent += from === leader.id ? 1 : 0);
      leader.disk.fails = () => false;
      leader.driver?.propose(3, new Uint8Array(1));
      cluster.time.pass(electionMs * 4);
      assert.equal(sent, 0);
      assert.equal(leader.fatal.length, 1);
      assert(others(cluster, leader).some(leads));
    });
  }

  it("does not start on a log behind its state machine", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    for (let at = 0; at < 10; at++) cluster.commit(leader, `a${at}`, [...cluster.members.values()]);
    cluster.kill(2, true);
    const member = cluster.member(2);
    member.appliedIndex = 1000;
    cluster.start(2);
    cluster.time.run(() => member.fatal.length === 1);
    assert.match(member.fatal[0]?.message ?? "", /has applied entry 1000, but the Raft log ends at/);
    cluster.time.pass(electionMs * 4);
    assert.equal(member.status, undefined, "it takes no part");
  });

  it("does not start on a damaged log when it is alone", () => {
    const cluster = new VirtualCluster(1);
    cluster.start();
    for (let at = 0; at < 10; at++) cluster.commit(cluster.elect(), `a${at}`);
    cluster.kill(1, true);
    const member = cluster.member(1);
    damage(member.disk.files, segmentPath(1), (bytes) => void (bytes[400] = 77));
    cluster.start(1);
    cluster.time.run(() => member.fatal.length === 1);
    assert.match(member.fatal[0]?.message ?? "", /the Raft log is damaged: log\//);
  });
});

describe("the driver's end", () => {
  it("hands leadership over, then closes the log", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.commit(leader, "x", [...cluster.members.values()]);
    let stopped = false;
    const startedMs = cluster.time.nowMs;
    leader.driver?.stop((error) => {
      assert.equal(error, null);
      stopped = true;
    });
    cluster.time.run(() => stopped);
    assert(others(cluster, leader).some(leads), "a follower leads already");
    assert(cluster.time.nowMs - startedMs < electionMs / 2, "without an election timeout");
  });

  it("closes in bounded time when nobody can take over", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    cluster.loses = () => true;
    let stopped = false;
    leader.driver?.stop(() => (stopped = true));
    cluster.time.run(() => stopped, 3 * electionMs);
  });

  it("survives a crash at each failpoint with everything that was committed", () => {
    for (const point of Object.values(failpoints)) {
      // The members here lack nothing that a snapshot would have: snapshots.test.ts crashes at these.
      if (point.startsWith("snapshot")) continue;
      const cluster = new VirtualCluster(3, { segmentBytes: 2048, growBytes: 512, markerBytes: 512 });
      cluster.start();
      const leader = cluster.elect();
      // A leader has nothing to send that waits for its disk.
      const victim = point === failpoints.beforeSendPersisted ? (followers(cluster)[1] as Member) : leader;
      let passed = 0;
      victim.failpoint = (name) => {
        if (name === point && ++passed === (isRare(point) ? 1 : 3)) throw new Error("crash");
      };
      const witness = followers(cluster)[0] as Member;
      let crashed = false;
      for (let at = 0; at < 60 && !crashed; at++) {
        victim.driver?.propose(at, new TextEncoder().encode(`p${at}`));
        try {
          cluster.time.pass(5);
        } catch (error) {
          if ((error as Error).message !== "crash") throw error;
          crashed = true;
        }
      }
      // Opening and cutting happen at a start only.
      if (point === failpoints.logBeforeCut || point === failpoints.logBeforeRemove) continue;
      assert(crashed, `${point} is passed`);
      cluster.kill(victim.id, true);
      cluster.elect();
      victim.failpoint = () => undefined;
      victim.appliedIndex = victim.committed.length - 1;
      cluster.start(victim.id);
      cluster.commit(witness, "after", [...cluster.members.values()]);
      const expected = texts(witness);
      for (const member of cluster.members.values()) assert.deepEqual(texts(member), expected, point);
    }
  });
});

describe("messages that are not a member's", () => {
  it("are dropped when they claim another sender or another receiver", () => {
    const cluster = new VirtualCluster(3);
    cluster.start();
    const leader = cluster.elect();
    const term = leader.status?.term ?? 0;
    const forged: Message = {
      type: "MsgApp",
      from: 3,
      to: leader.id,
      term: term + 10,
      logTerm: 0,
      index: 0,
      entries: [],
      commit: 0,
      reject: false,
      rejectHint: 0,
      snapshot: undefined,
      context: 0,
      session: 0,
    };
    leader.receive(leader.id === 1 ? 2 : 1, [forged]);
    leader.receive(3, [{ ...forged, to: 77 }]);
    cluster.time.pass(electionMs);
    assert.equal(cluster.elect().status?.term, term);
  });
});

function followers(cluster: VirtualCluster): Member[] {
  return [...cluster.members.values()].filter(({ status }) => status?.role !== "Leader");
}

function others(cluster: VirtualCluster, member: Member): Member[] {
  return [...cluster.members.values()].filter((other) => other !== member);
}

function leads({ status }: Member): boolean {
  return status?.role === "Leader";
}

function isRare(point: string): boolean {
  return point === failpoints.logAfterRoll || point === failpoints.logBeforeMarker;
}
