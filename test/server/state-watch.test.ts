import assert from "node:assert/strict";
import { StateWatch } from "../../src/server/replicas/state-watch.js";
import type { StateDigest } from "../../src/server/replica-status.js";
import { silentLog } from "./harness.js";

describe("the comparison of the replicas' states", () => {
  it("tells of a replica that differs at an index which both have, once", async () => {
    const told: unknown[] = [];
    const log = { ...silentLog, error: (_message: string, fields?: object) => void told.push(fields) };
    const at = (index: number, digest: string): StateDigest => ({ index, digest });
    let second = [at(1024, "a"), at(2048, "b")];
    const watch = new StateWatch({
      self: 1,
      own: () => [at(1024, "a"), at(2048, "b"), at(3072, "c")],
      others: () =>
        Promise.resolve([
          [2, second],
          [3, [at(1000, "x"), at(4096, "y")]],
        ] as const),
      log,
    });
    await watch.check();
    assert.deepEqual(watch.diverged, []);
    second = [at(2048, "b"), at(3072, "other")];
    await watch.check();
    await watch.check();
    assert.deepEqual(watch.diverged, [2]);
    assert.deepEqual(told, [{ self: 1, other: 2, index: 3072, own: "c", theirs: "other" }]);
    watch.close();
  });
});
