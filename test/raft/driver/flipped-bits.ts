import assert from "node:assert/strict";
import type { Entry, Message, NodeId } from "../../../raft/core/types.js";
import { markerPath } from "../../../raft/log/marker.js";
import { VoteFile, votePath } from "../../../raft/log/vote-file.js";
import { damage, MemoryDisk } from "../memory-disk.js";
import { texts, VirtualCluster, type Member } from "./virtual-cluster.js";

/**
 * What three stopped members left, at the worst moment for one of them to forget: `lost` acknowledged the last entries and
 * voted in the last term together with `leader` alone, while `behind` was cut off.
 */
export interface Stopped {
  readonly files: ReadonlyMap<NodeId, ReadonlyMap<string, Uint8Array>>;
  readonly committed: readonly Entry[];
  readonly leader: NodeId;
  readonly lost: NodeId;
  readonly behind: NodeId;
  readonly term: number;
}

export interface Flip {
  readonly path: string;
  readonly at: number;
  readonly bit: number;
}

const options = { segmentBytes: 512, growBytes: 256 };
const last = "the last acknowledged";

/** `idleMs` passes between the last acknowledgement and the end of all. */
export function stoppedCluster(idleMs: number): Stopped {
  const cluster = new VirtualCluster(3, options);
  cluster.start();
  const first = cluster.elect();
  const all = [...cluster.members.values()];
  for (let at = 0; at < 6; at++) cluster.commit(first, `entry ${at}`, all);
  const behind = all.find((member) => member !== first) as Member;
  cluster.loses = ({ from, to }) => from === behind.id || to === behind.id;
  cluster.kill(first.id, false);
  cluster.start(first.id);
  const two = all.filter((member) => member !== behind);
  const leads = (): Member | undefined => two.find(({ status }) => status?.role === "Leader");
  cluster.time.run(() => leads() !== undefined, 20_000);
  const leader = leads() as Member;
  for (let at = 6; at < 9; at++) cluster.commit(leader, `entry ${at}`, two);
  cluster.commit(leader, last, [leader]);
  cluster.time.pass(idleMs);
  for (const { id } of all) cluster.kill(id, false);
  const lost = two.find((member) => member !== leader) as Member;
  return {
    files: new Map(all.map(({ id, disk }) => [id, disk.files])),
    committed: leader.committed,
    leader: leader.id,
    lost: lost.id,
    behind: behind.id,
    term: leader.committed.at(-1)?.term as number,
  };
}

/** Every bit of the log's files; of zeros behind the last record one in a byte, and none of what is between two slots, which nobody reads. */
export function* allFlips({ files, lost }: Stopped): Generator<Flip> {
  for (const [path, bytes] of files.get(lost) ?? []) {
    const isSlots = path === markerPath || path === votePath;
    if (!isSlots && !path.endsWith(".seg")) continue;
    const end = bytes.findLastIndex((byte) => byte !== 0) + 8;
    for (let at = 0; at < bytes.length; at++) {
      if (isSlots && at % 4096 >= 56) continue;
      if (at >= end) yield { path, at, bit: at % 8 };
      else for (let bit = 0; bit < 8; bit++) yield { path, at, bit };
    }
  }
}

/**
 * Starts the cluster with that bit flipped: first without the one that has everything, then with it, at last without it
 * again. Throws when an acknowledged entry is missing anywhere, two members lead one term, or the damaged member votes before it
 * is repaired or is not repaired. Returns whether it had to be.
 */
export function runWithFlip(stopped: Stopped, flip: Flip, withState: boolean): boolean {
  const { leader, lost, behind } = stopped;
  const cluster = new VirtualCluster(3, options);
  for (const [id, files] of stopped.files)
    cluster.members.set(id, { ...cluster.member(id), disk: new MemoryDisk(files) });
  const victim = cluster.member(lost);
  damage(victim.disk.files, flip.path, (bytes) => void (bytes[flip.at] = (bytes[flip.at] as number) ^ (1 << flip.bit)));
  if (withState) {
    victim.committed = [...stopped.committed];
    victim.appliedIndex = stopped.committed.at(-1)?.index ?? 0;
  }
  const leaders = new Map([[stopped.term, leader]]);
  cluster.observe = (message) => watch(message, leaders, victim);
  cluster.start(lost, behind);
  cluster.time.pass(1500);
  assert.deepEqual(victim.fatal, [], "a flipped bit is no reason not to start");
  const wasRecovering = recoverTo(victim) > 0;
  assert.equal(cluster.leader === undefined, wasRecovering, "two are enough, if they have everything");
  cluster.start(leader);
  cluster.time.run(() => cluster.leader !== undefined, 10_000);
  cluster.commit(cluster.leader as Member, "after", [...cluster.members.values()]);
  const expected = [...stopped.committed.map(({ data }) => new TextDecoder().decode(data)), "after"];
  const all = expected.filter((text) => text !== "");
  for (const member of cluster.members.values()) assert.deepEqual(texts(member), all, `member ${member.id}`);
  cluster.time.run(() => recoverTo(victim) === 0);
  if (!wasRecovering) return false;
  cluster.kill(leader, true);
  cluster.time.run(() => cluster.leader !== undefined, 10_000);
  cluster.commit(cluster.leader as Member, "votes again", [victim, cluster.member(behind)]);
  return true;
}

function watch(message: Message, leaders: Map<number, NodeId>, victim: Member): void {
  const { type, from, term, reject } = message;
  if (type === "MsgApp" || type === "MsgHeartbeat") {
    assert.equal(leaders.get(term) ?? from, from, `two lead term ${term}`);
    leaders.set(term, from);
  }
  const votes = (type === "MsgVoteResp" && !reject) || type === "MsgVote";
  if (from === victim.id && votes) assert.equal(recoverTo(victim), 0, "votes before it is repaired");
}

/** As its disk has it. */
function recoverTo({ disk }: Member): number {
  const copy = new MemoryDisk(new Map([...disk.files].filter(([path]) => path === votePath)));
  let result = 0;
  VoteFile.read(copy.disk, (error, { found }) => {
    assert.equal(error, null);
    result = found?.recoverTo ?? 0;
  });
  copy.run();
  return result;
}
