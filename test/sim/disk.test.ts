import assert from "node:assert/strict";
import { assert as check, nat, property, uint8Array } from "fast-check";
import type { Disk, Finished } from "../../src/base/env.js";
import { diskContract } from "./disk-contract.js";
import { SimulatedDisk, type DiskFaults } from "./disk.js";
import type { CrashLoss } from "./disk-file.js";
import { Process, World } from "./world.js";

const steady: DiskFaults = {
  latencyUsMin: 10,
  latencyUsMax: 200,
  syncUsMin: 100,
  syncUsMax: 900,
  stallRate: 0,
  stallUsMax: 0,
  syncErrorRate: 0,
  writeErrorRate: 0,
  readErrorRate: 0,
  capacityBytes: 1e9,
};

const powerCut: CrashLoss = { processOnly: false, keep: "subset", tearRate: 0.5, tearBytes: 1 };

function machine(
  seed: number,
  faults: Partial<DiskFaults> = {},
): { world: World; process: Process; disk: SimulatedDisk } {
  const world = new World({ seed });
  const process = new Process(1);
  process.start();
  return { world, process, disk: new SimulatedDisk(world, { ...steady, ...faults }) };
}

/** Runs the world until the request has completed. */
function complete(world: World, start: (done: Finished) => void): Error | null {
  let result: Error | null | undefined;
  start((error) => {
    result = error;
  });
  assert.equal(result, undefined, "a completion never runs inside its request");
  world.runUntil(world.timeUs + 60_000_000, () => result !== undefined);
  assert.notEqual(result, undefined, "the request completed");
  return result ?? null;
}

function readAll(world: World, disk: Disk, path: string): Uint8Array | null {
  let read: Uint8Array | null = null;
  const error = complete(world, (done) =>
    disk.read(path, 0, 1 << 20, (failure, bytes) => {
      read = bytes;
      done(failure);
    }),
  );
  return error ? null : read;
}

function restart(process: Process, disk: SimulatedDisk, loss: CrashLoss): Disk {
  process.end();
  disk.crash(loss);
  process.start();
  return disk.open(process);
}

describe("simulated disk", () => {
  diskContract(() => {
    const { world, process, disk } = machine(1);
    return {
      disk: disk.open(process),
      settle: (done) => {
        world.runUntil(world.timeUs + 60_000_000, done);
        return Promise.resolve();
      },
    };
  });

  it("keeps what a sync of the file and its folder covered, whatever a power cut does", () => {
    check(
      property(nat(), uint8Array({ minLength: 1, maxLength: 2000 }), (seed, bytes) => {
        const { world, process, disk } = machine(seed);
        const before = disk.open(process);
        complete(world, (done) => before.makeFolder("log", done));
        complete(world, (done) => before.write("log/a", 7, bytes, done));
        complete(world, (done) => before.sync("log/a", done));
        complete(world, (done) => before.syncFolder("log", done));
        const after = restart(process, disk, powerCut);
        assert.deepEqual(readAll(world, after, "log/a")?.subarray(7), bytes);
      }),
      { numRuns: 50 },
    );
  });

  it("loses and tears what was not synced, in some run", () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { world, process, disk } = machine(seed);
      const before = disk.open(process);
      complete(world, (done) => before.write("a", 0, new Uint8Array(4).fill(1), done));
      complete(world, (done) => before.sync("a", done));
      complete(world, (done) => before.syncFolder("", done));
      complete(world, (done) => before.write("a", 4, new Uint8Array(4).fill(2), done));
      const bytes = readAll(world, restart(process, disk, powerCut), "a");
      outcomes.add(bytes ? bytes.join("") : "gone");
    }
    assert.deepEqual([...outcomes].sort(), ["1111", "11112", "111122", "1111222", "11112222"]);
  });

  it("keeps what was written when only the process dies", () => {
    const { world, process, disk } = machine(3);
    complete(world, (done) => disk.open(process).write("a", 0, new Uint8Array([5]), done));
    const after = restart(process, disk, { ...powerCut, processOnly: true });
    assert.deepEqual(readAll(world, after, "a"), new Uint8Array([5]));
    assert.equal(
      readAll(world, restart(process, disk, { ...powerCut, keep: "nothing" }), "a"),
      null,
      "and it was not durable",
    );
  });

  it("forgets a new or renamed name without a sync of the folder", () => {
    const { world, process, disk } = machine(4);
    const before = disk.open(process);
    complete(world, (done) => before.write("old", 0, new Uint8Array([1]), done));
    complete(world, (done) => before.sync("old", done));
    complete(world, (done) => before.syncFolder("", done));
    complete(world, (done) => before.write("new", 0, new Uint8Array([2]), done));
    complete(world, (done) => before.sync("new", done));
    complete(world, (done) => before.rename("new", "old", done));
    const after = restart(process, disk, { ...powerCut, keep: "nothing" });
    assert.deepEqual(readAll(world, after, "old"), new Uint8Array([1]));
    assert.equal(readAll(world, after, "new"), null);
  });

  it("covers with a sync only the writes that had completed before it was asked for", () => {
    let lost = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { world, process, disk } = machine(seed, { latencyUsMin: 1000, latencyUsMax: 2000, syncUsMin: 5000 });
      const before = disk.open(process);
      complete(world, (done) => before.write("a", 0, new Uint8Array([1]), done));
      complete(world, (done) => before.syncFolder("", done));
      before.write("a", 0, new Uint8Array([2]), () => undefined);
      complete(world, (done) => before.sync("a", done));
      if (readAll(world, restart(process, disk, { ...powerCut, keep: "nothing" }), "a")?.[0] === 1) lost++;
    }
    assert.equal(lost, 100);
  });

  it("completes requests out of order and fails a sync when told to", () => {
    const orders = new Set<string>();
    for (let seed = 0; seed < 50; seed++) {
      const { world, process, disk } = machine(seed);
      const order: number[] = [];
      for (const at of [1, 2, 3]) disk.open(process).write("a", at, new Uint8Array([at]), () => order.push(at));
      world.runUntil(1_000_000);
      orders.add(order.join(""));
    }
    assert.equal(orders.size, 6);
    const { world, process, disk } = machine(1, { syncErrorRate: 1, capacityBytes: 10 });
    const open = disk.open(process);
    complete(world, (done) => open.write("a", 0, new Uint8Array(8), done));
    assert.match(String(complete(world, (done) => open.sync("a", done))), /EIO/);
    assert.match(String(complete(world, (done) => open.write("a", 8, new Uint8Array(8), done))), /ENOSPC/);
  });
});
