import assert from "node:assert/strict";
import { Harness } from "./harness.js";
import { killLeaders } from "./leader-kills.js";

describe("killing leaders under writes", () => {
  it("loses and doubles no acknowledged write", async function () {
    this.timeout(240_000);
    const harness = await Harness.start({ servers: 3, agents: 0, runtime: "fake" });
    try {
      const report = await killLeaders(harness, 4, () => undefined);
      assert.deepEqual({ lost: report.lost, doubled: report.doubled }, { lost: [], doubled: [] });
      assert.ok(report.acknowledged > 100, `only ${report.acknowledged} writes were acknowledged`);
    } catch (caught) {
      process.stderr.write(harness.logs());
      throw caught;
    } finally {
      await harness.close();
    }
  });
});
