import assert from "node:assert/strict";
import { guarantees } from "../linearizability/nine-guarantees.js";
import { reportLines } from "./report.js";
import { removeHistory, runModel } from "./run.js";

/** A small part of `npm run model`, which see. */
describe("the store of real servers and the model of it", () => {
  it("answer the same, while servers die and leadership moves", async function () {
    this.timeout(240_000);
    const said: string[] = [];
    const report = await runModel({ operations: 3_000, seed: 11, tell: (line) => said.push(line) });
    const text = [...said, ...reportLines(report)].join("\n");
    assert.deepEqual(report.deviations, [], text);
    assert.ok(report.compared > 1_000 && report.historicReads > 150 && report.watchEvents > 2_000, text);
    assert.ok(report.disturbances.size > 0, text);
    for (const name of Object.keys(guarantees))
      assert.ok((report.guarantees.get(name as keyof typeof guarantees) ?? 0) > 0, `${name} was never tried\n${text}`);
    removeHistory(report.historyFile);
  });
});
