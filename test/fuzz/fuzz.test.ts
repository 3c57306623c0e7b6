import assert from "node:assert/strict";
import { runFuzz } from "./run.js";

describe("real servers under requests that are made to be wrong", () => {
  it("refuse them with a reason, keep their leader, and hold the same state", async function () {
    this.timeout(300_000);
    const report = await runFuzz({ requests: 600, seed: 1, minutes: 2, tell: () => undefined });
    assert.deepEqual(report.findings, []);
    assert(report.requests > 50 && report.manifests > 10, "enough were sent to mean something");
  });
});
