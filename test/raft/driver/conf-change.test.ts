import assert from "node:assert/strict";
import { decodeConfChange, decodeConfState, encodeConfChange, encodeConfState } from "../../../raft/conf-change.js";
import { leaveJointChange, type ConfChange } from "../../../raft/core/configuration.js";
import type { ConfState, Entry } from "../../../raft/core/types.js";
import { openReplica, type Replica } from "../../../raft/open-replica.js";
import { entries, entry, logEnv, openLog, smallLog, write } from "../log/log-fixture.js";
import { MemoryDisk } from "../memory-disk.js";

const plain = { outgoing: [], learners: [], learnersNext: [], autoLeave: false };

describe("configurations in the Raft log", () => {
  it("keep every field, in bytes that do not change", () => {
    const change: ConfChange = {
      transition: "JointExplicit",
      steps: [
        { type: "AddVoter", node: 4 },
        { type: "Remove", node: 1 },
        { type: "Update", node: 2 ** 40 },
        { type: "AddLearner", node: 5 },
      ],
    };
    const bytes = encodeConfChange(change);
    assert.deepEqual(decodeConfChange(bytes), change);
    const hex = "010002040004000000000000000101000000000000000200000000000100000305000000000000 00".replace(" ", "");
    assert.equal(Buffer.from(bytes).toString("hex"), hex);
    assert.equal(encodeConfChange(leaveJointChange).length, 0);
    assert.deepEqual(decodeConfChange(new Uint8Array(0)), leaveJointChange);
    const state: ConfState = { voters: [1, 2], outgoing: [1, 3], learners: [7], learnersNext: [3], autoLeave: true };
    assert.deepEqual(decodeConfState(encodeConfState(state)), state);
    assert.equal(
      Buffer.from(encodeConfState({ ...plain, voters: [9] })).toString("hex"),
      "010000010900000000000000000000",
    );
  });

  it("refuse bytes of another format, shortened or lengthened", () => {
    const change = encodeConfChange({ transition: "Auto", steps: [{ type: "AddVoter", node: 4 }] });
    const state = encodeConfState({ ...plain, voters: [1, 2, 3] });
    for (const [bytes, decode] of [
      [change, decodeConfChange],
      [state, decodeConfState],
    ] as const) {
      for (let length = 1; length < bytes.length; length++)
        assert.throws(() => decode(bytes.slice(0, length)), /unknown format/, `${length} bytes`);
      assert.throws(() => decode(Uint8Array.of(...bytes, 0)), /unknown format/);
      assert.throws(() => decode(Uint8Array.of(2, ...bytes.slice(1))), /unknown format/);
    }
  });

  it("are put together again from the first record and the applied changes", () => {
    const disk = new MemoryDisk();
    open(disk, 0);
    const { log } = openLog(disk);
    const changed = (index: number, change: ConfChange): Entry => ({
      ...entry(index, 1),
      type: "ConfChange",
      data: encodeConfChange(change),
    });
    write(
      disk,
      log,
      { hardState: { term: 1, vote: 1, commit: 0 }, entries: [], mustSync: true },
      entries(
        entry(1, 1),
        changed(2, { transition: "Auto", steps: [{ type: "AddVoter", node: 4 }] }),
        changed(3, { transition: "JointExplicit", steps: [{ type: "Remove", node: 1 }] }),
        changed(4, leaveJointChange),
      ),
    );
    const voters = [0, 1, 2, 3, 4].map((applied) => open(disk, applied).initial.configuration);
    assert.deepEqual(voters, [
      { ...plain, voters: [1, 2, 3] },
      { ...plain, voters: [1, 2, 3] },
      { ...plain, voters: [1, 2, 3, 4] },
      { ...plain, voters: [2, 3, 4], outgoing: [1, 2, 3, 4] },
      { ...plain, voters: [2, 3, 4] },
    ]);
  });

  it("do not begin without this member", () => {
    assert.throws(() => open(new MemoryDisk(), 0, [2, 3]), /member 1 is not among the first members/);
  });
});

function open(disk: MemoryDisk, appliedIndex: number, initialMembers = [3, 1, 2]): Replica {
  let opened: Replica | undefined;
  let failure: Error | null = null;
  openReplica({ ...smallLog, initialMembers, appliedIndex }, logEnv(disk), assert.fail, (error, replica) => {
    failure = error;
    opened = replica;
  });
  disk.run();
  if (failure) throw failure as Error;
  assert(opened);
  return opened;
}
