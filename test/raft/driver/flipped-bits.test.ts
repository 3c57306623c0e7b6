import assert from "node:assert/strict";
import { allFlips, runWithFlip, stoppedCluster } from "./flipped-bits.js";

/** Every so many flips; `npm run flips` does all. */
const step = 331;

describe("a cluster with one flipped bit in one log", () => {
  for (const idleMs of [0, 500])
    it(`loses nothing, and repairs it (${idleMs} ms after the last acknowledgement)`, () => {
      const stopped = stoppedCluster(idleMs);
      let [runs, repaired] = [0, 0];
      let place = 0;
      for (const flip of allFlips(stopped)) {
        if (place++ % step !== 0) continue;
        if (runWithFlip(stopped, flip, runs % 2 === 0)) repaired++;
        runs++;
      }
      assert(repaired > 10 && repaired < runs, `${repaired} of ${runs} were repaired`);
    }).timeout(90_000);
});
