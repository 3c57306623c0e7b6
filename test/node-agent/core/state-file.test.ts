import assert from "node:assert/strict";
import type { Timers } from "../../../src/base/env.js";
import { crc32c } from "../../../node-agent/core/checksum.js";
import { decodeState, encodeState, StateFile } from "../../../node-agent/core/state-file.js";
import { MemoryDisk } from "../memory-disk.js";
import { VirtualWorld } from "../virtual-world.js";

describe("state file", () => {
  it("CRC-32C of the standard's check value", () => {
    assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  });

  it("has this form, for ever", () => {
    const hex = Buffer.from(encodeState({ a: 1 })).toString("hex");
    assert.equal(hex, "494b444101000000070000006ad5f7cf7b2261223a317d");
    assert.deepEqual(decodeState(Buffer.from(hex, "hex"), "x"), { a: 1 });
  });

  it("refuses what is damaged, later or encrypted", () => {
    const good = encodeState({ a: 1 });
    const changed = (at: number, to: number): Uint8Array => good.map((byte, index) => (index === at ? to : byte));
    const table: readonly [string, Uint8Array, RegExp][] = [
      ["empty", new Uint8Array(), /not a state file/],
      ["magic", changed(0, 0), /not a state file/],
      ["version", changed(4, 2), /format 2/],
      ["key", changed(6, 9), /encrypted/],
      ["length", good.subarray(0, good.length - 1), /wrong length/],
      ["payload", changed(good.length - 2, 0x32), /wrong checksum/],
    ];
    for (const [name, bytes, expected] of table) assert.throws(() => decodeState(bytes, "f"), expected, name);
  });

  it("after a crash at any moment there is the old value or the new one, and what was acknowledged stays", () => {
    const writes = 4;
    for (let steps = 0; ; steps++) {
      const world = new VirtualWorld();
      const disk = new MemoryDisk();
      let alive = true;
      const timers: Timers = { after: (delayMs, run) => world.timers.after(delayMs, () => alive && run()) };
      const file = new StateFile<{ value: number }>(disk.open(timers), "state");
      let acknowledged = 0;
      const save = (value: number): void =>
        file.save({ value }, (error) => {
          assert.equal(error, null);
          acknowledged = value;
          if (value < writes) save(value + 1);
        });
      save(1);
      let left = steps;
      while (left > 0 && world.step()) left -= 1;
      alive = false;
      disk.crash();
      const again = new StateFile<{ value: number }>(disk.open(world.timers), "state");
      const loaded: { value?: number | undefined } = {};
      again.load((error, value) => {
        assert.equal(error, null);
        loaded.value = value?.value ?? 0;
      });
      world.until("loaded", () => loaded.value !== undefined);
      const value = loaded.value ?? -1;
      assert.ok(value === acknowledged || value === acknowledged + 1, `${steps}: ${value} after ${acknowledged}`);
      if (left > 0) break;
    }
  });

  it("folds saves that come while one is in flight", () => {
    const world = new VirtualWorld();
    const disk = new MemoryDisk();
    let syncs = 0;
    const inner = disk.open(world.timers);
    const file = new StateFile<number>({ ...inner, sync: (path, done) => (syncs++, inner.sync(path, done)) }, "state");
    let done = 0;
    for (let value = 0; value < 100; value++) file.save(value, () => (done += 1));
    world.until("all done", () => done === 100);
    assert.equal(syncs, 2);
  });
});
