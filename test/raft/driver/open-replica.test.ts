import assert from "node:assert/strict";
import { encodeConfChange, encodeConfState } from "../../../raft/conf-change.js";
import type { ConfState, Entry } from "../../../raft/core/types.js";
import type { SnapshotPoint } from "../../../raft/log/log-point.js";
import { openReplica, type OpenReplicaOptions, type Replica } from "../../../raft/open-replica.js";
import { entry, logEnv, smallLog, write } from "../log/log-fixture.js";
import { MemoryDisk } from "../memory-disk.js";

function open(disk: MemoryDisk, options: Partial<OpenReplicaOptions> = {}): Replica {
  let replica: Replica | undefined;
  let failure: Error | null = null;
  const all = { ...smallLog, initialMembers: [1, 2, 3], appliedIndex: 0, ...options };
  openReplica(all, logEnv(disk), assert.fail, (error, opened) => {
    failure = error;
    replica = opened;
  });
  disk.run();
  if (failure) throw failure as Error;
  assert(replica);
  return replica;
}

function members(...voters: number[]): ConfState {
  return { voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

function snapshot(index: number, term: number, ...voters: number[]): SnapshotPoint {
  return { index, term, configuration: encodeConfState(members(...voters)) };
}

/** A member with entries 1 to 60, of which the 10th and the 50th add a member. */
function filled(): { disk: MemoryDisk; replica: Replica } {
  const disk = new MemoryDisk();
  const replica = open(disk);
  for (let index = 1; index <= 60; index++) {
    const added = index === 10 ? 4 : index === 50 ? 5 : 0;
    const one: Entry =
      added === 0
        ? entry(index, 1)
        : {
            ...entry(index, 1),
            type: "ConfChange",
            data: encodeConfChange({ steps: [{ type: "AddVoter", node: added }], transition: "Auto" }),
          };
    write(disk, replica.log, { hardState: { term: 1, vote: 1, commit: index - 1 }, entries: [one], mustSync: true });
  }
  return { disk, replica };
}

describe("a member that opens", () => {
  it("behind a compaction begins with its storage there, and with the configuration as applied", () => {
    const { disk, replica } = filled();
    replica.log.compact(snapshot(40, 1, 1, 2, 3, 4));
    disk.run();
    for (const [appliedIndex, voters] of [
      [40, [1, 2, 3, 4]],
      [49, [1, 2, 3, 4]],
      [50, [1, 2, 3, 4, 5]],
    ] as const) {
      const { storage, initial } = open(new MemoryDisk(disk.files), { appliedIndex });
      const first = storage.firstIndex();
      assert(first > 20 && first <= 41);
      assert.equal(storage.lastIndex(), 60);
      assert.equal(storage.term(first - 1), 1);
      assert.equal(storage.term(first - 2), undefined);
      assert.deepEqual(initial.configuration.voters, voters);
      assert.equal(initial.applied, appliedIndex);
    }
  });

  it("does not when its state machine is older than its log", () => {
    const { disk, replica } = filled();
    replica.log.compact(snapshot(40, 1, 1, 2, 3, 4));
    disk.run();
    assert.throws(() => open(new MemoryDisk(disk.files), { appliedIndex: 39 }), /the Raft log begins behind 40/);
    assert.throws(() => open(new MemoryDisk(disk.files), { appliedIndex: 61 }), /the Raft log ends at 60/);
  });

  it("resets a log that does not reach the snapshot that was installed", () => {
    for (const installed of [snapshot(100, 3, 1, 2), snapshot(60, 2, 1, 2), snapshot(100, 1, 1, 2)]) {
      const { index, term } = installed;
      const { disk } = filled();
      const options = { snapshot: installed, appliedIndex: index };
      for (let starts = 0; starts < 2; starts++) {
        const { storage, initial } = open(disk, options);
        assert.deepEqual([storage.firstIndex(), storage.lastIndex(), storage.term(index)], [index + 1, index, term]);
        assert.deepEqual(initial.configuration, members(1, 2));
        // It knows no term below that of its last entry, and has voted in none of those that it has not heard of.
        assert.deepEqual(initial.hardState, { term, vote: term === 1 ? 1 : 0, commit: index });
      }
    }
  });

  it("with nothing but a restored state begins behind it, in its term, as the only voter", () => {
    const disk = new MemoryDisk();
    const options = { initialMembers: [1], snapshot: snapshot(100, 1_000_003, 1), appliedIndex: 100 };
    for (let starts = 0; starts < 2; starts++) {
      const { storage, initial } = open(disk, options);
      assert.deepEqual([storage.firstIndex(), storage.lastIndex()], [101, 100]);
      assert.deepEqual(initial.configuration, members(1));
      assert.deepEqual(initial.hardState, { term: 1_000_003, vote: 0, commit: 100 });
    }
  });

  it("keeps a log that goes beyond the snapshot", () => {
    const { disk } = filled();
    const { storage } = open(disk, { snapshot: snapshot(55, 1, 1, 2, 3, 4, 5), appliedIndex: 55 });
    assert.deepEqual([storage.firstIndex(), storage.lastIndex()], [1, 60]);
  });

  it("comes to the same after a crash at each request of the reset", () => {
    const { disk } = filled();
    const options = { snapshot: snapshot(100, 3, 1, 2), appliedIndex: 100 };
    const whole = new MemoryDisk(disk.files);
    open(whole, options);
    for (let stop = 1; stop <= whole.requests.length; stop++) {
      const failing = new MemoryDisk(disk.files);
      failing.fails = () => failing.requests.length >= stop;
      const all = { ...smallLog, initialMembers: [1, 2, 3], ...options };
      openReplica(
        all,
        logEnv(failing),
        () => undefined,
        () => undefined,
      );
      failing.run();
      const { storage } = open(new MemoryDisk(failing.files), options);
      assert.deepEqual([storage.firstIndex(), storage.lastIndex()], [101, 100]);
    }
  });
});
