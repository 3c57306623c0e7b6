import assert from "node:assert/strict";
import { RandomNetwork } from "./random-network.js";

describe("random network", function () {
  // A wider range takes as long as it takes.
  this.timeout(process.env["RAFT_SEEDS"] === undefined ? 20_000 : 0);

  it("keeps every invariant under faults and agrees after them", () => {
    // RAFT_SEEDS=first-last replays or widens.
    const [first, last] = (process.env["RAFT_SEEDS"] ?? "1-120").split("-").map(Number);
    const total = { committed: 0, leaders: 0, reads: 0 };
    for (let seed = first!; seed <= (last ?? first!); seed++) {
      const network = new RandomNetwork(seed);
      try {
        network.run(3000);
        network.recover();
      } catch (failure) {
        throw new Error(`seed ${seed}: ${failure instanceof Error ? failure.message : String(failure)}`, {
          cause: failure,
        });
      }
      const { committed, leaders, reads } = network.summary;
      total.committed += committed;
      total.leaders += leaders;
      total.reads += reads;
    }
    if (process.env["RAFT_SEEDS"] !== undefined) console.log(total);
    assert(total.committed > 1000 && total.leaders > 300 && total.reads > 300, `a dull run: ${JSON.stringify(total)}`);
  });
});
