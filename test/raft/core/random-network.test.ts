import assert from "node:assert/strict";
import { RandomNetwork, type Happenings } from "./random-network.js";

describe("random network", function () {
  // A wider range takes as long as it takes.
  this.timeout(process.env["RAFT_SEEDS"] === undefined ? 20_000 : 0);

  it("keeps every invariant under faults and agrees after them", () => {
    // RAFT_SEEDS=first-last replays or widens.
    const [first, last] = (process.env["RAFT_SEEDS"] ?? "1-60").split("-").map(Number);
    const total: Happenings = { committed: 0, leaders: 0, reads: 0, snapshots: 0, changes: 0, recovered: 0, wiped: 0 };
    for (let seed = first!; seed <= (last ?? first!); seed++) {
      const network = new RandomNetwork(seed);
      try {
        network.run(20_000);
        network.recover();
      } catch (failure) {
        throw new Error(`seed ${seed}: ${failure instanceof Error ? failure.message : String(failure)}`, {
          cause: failure,
        });
      }
      const { happened } = network;
      for (const what of Object.keys(total) as (keyof Happenings)[]) total[what] += happened[what];
    }
    if (process.env["RAFT_SEEDS"] !== undefined) console.log(total);
    const dull = `a dull run: ${JSON.stringify(total)}`;
    assert(total.committed > 1000 && total.leaders > 300 && total.reads > 300, dull);
    assert(total.snapshots > 50 && total.changes > 50 && total.recovered > 20 && total.wiped > 5, dull);
  });
});
