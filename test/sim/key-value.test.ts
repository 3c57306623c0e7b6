import assert from "node:assert/strict";
import type { KeyValue } from "../../store/key-value.js";
import type { CrashLoss } from "./disk-file.js";
import { SimulatedKeyValue } from "./key-value.js";
import { Process, World } from "./world.js";

const loss: CrashLoss = { processOnly: false, keep: "prefix", tearRate: 0, tearBytes: 512 };
const byte = (value: number): Uint8Array => new Uint8Array([value]);

function keysOf(world: World, database: KeyValue, reverse = false, limit = 100): number[] {
  let keys: number[] | undefined;
  database.scan({ from: byte(0), to: byte(255), limit, reverse }, (error, pairs) => {
    assert.equal(error, null);
    keys = pairs.map((pair) => pair.key[0] ?? -1);
  });
  world.runUntil(world.timeUs + 1_000_000, () => keys !== undefined);
  return keys ?? [];
}

describe("simulated key-value store", () => {
  it("leaves a prefix of the batches, at least the flushed ones", () => {
    const left = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      const world = new World({ seed });
      const process = new Process(1);
      process.start();
      const store = new SimulatedKeyValue(world, {
        latencyUsMin: 1,
        latencyUsMax: 500,
        flushUsMin: 1,
        flushUsMax: 500,
        errorRate: 0,
      });
      const database = store.open(process);
      let flushed = false;
      for (const key of [9, 3, 7])
        database.write({ puts: [{ key: byte(key), value: byte(1) }], deletes: [] }, () => undefined);
      world.runUntil(1_000);
      database.flush(() => (flushed = true));
      world.runUntil(2_000, () => flushed);
      database.write({ puts: [{ key: byte(5), value: byte(1) }], deletes: [byte(3)] }, () => undefined);
      database.write({ puts: [{ key: byte(1), value: byte(1) }], deletes: [] }, () => undefined);
      world.runUntil(2_000 + world.random.int(600));
      process.end();
      store.crash(loss);
      process.start();
      const keys = keysOf(world, store.open(process));
      left.add(keys.length);
      const prefixes = [
        [3, 7, 9],
        [5, 7, 9],
        [1, 5, 7, 9],
      ];
      assert.ok(
        prefixes.some((prefix) => prefix.join(",") === keys.join(",")),
        `a prefix of the batches: ${keys.join(",")}`,
      );
    }
    assert.ok(left.size > 1, "some run lost the tail");
  });

  it("scans in both directions within a limit", () => {
    const world = new World({ seed: 1 });
    const process = new Process(1);
    process.start();
    const store = new SimulatedKeyValue(world, {
      latencyUsMin: 1,
      latencyUsMax: 5,
      flushUsMin: 1,
      flushUsMax: 5,
      errorRate: 0,
    });
    const database = store.open(process);
    const puts = [4, 2, 8].map((key) => ({ key: byte(key), value: byte(key) }));
    database.write({ puts, deletes: [] }, () => undefined);
    world.runUntil(100);
    assert.deepEqual(keysOf(world, database), [2, 4, 8]);
    assert.deepEqual(keysOf(world, database, true, 2), [8, 4]);
    assert.deepEqual(keysOf(world, database, false, 1), [2]);
  });
});
