import assert from "node:assert/strict";
import { Leadership } from "../../src/leadership.js";
import { silentLog } from "../../src/host/log.js";

describe("leadership", () => {
  let opened: number;
  let closed: number;
  let settle: { resolve: () => void; reject: (error: Error) => void };
  let leadership: Leadership;
  let asked: number;
  let pauses: (() => void)[];
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const leads = (term: number) => leadership.observe({ role: "Leader", term, leader: 1 });
  const follows = (term: number) => leadership.observe({ role: "Follower", term, leader: 2 });

  beforeEach(() => {
    opened = 0;
    closed = 0;
    asked = 0;
    pauses = [];
    leadership = new Leadership({
      log: silentLog,
      timers: {
        after: (_delayMs, run) => {
          pauses.push(run);
          return { cancel: () => undefined };
        },
      },
      barrier: (done) => {
        asked += 1;
        settle = { resolve: () => done(null), reject: done };
      },
      open: (scope) => {
        opened += 1;
        scope.defer(() => {
          closed += 1;
        });
      },
    });
  });

  it("opens once the no-op of the term is applied, and closes on step-down", async () => {
    leads(3);
    await turn();
    assert.equal(opened, 0);
    settle.resolve();
    await turn();
    leads(3);
    assert.deepEqual([opened, closed], [1, 0]);
    follows(4);
    await turn();
    assert.deepEqual([opened, closed], [1, 1]);
  });

  it("asks again while no quorum confirms, and not once it is deposed", async () => {
    leads(3);
    settle.reject(new Error("no answer"));
    await turn();
    assert.equal(asked, 1, "asks again without a pause");
    for (const end of pauses.splice(0)) end();
    await turn();
    assert.equal(asked, 2);
    settle.resolve();
    await turn();
    assert.equal(opened, 1);
    follows(4);
    leads(5);
    const late = settle;
    follows(6);
    late.resolve();
    await turn();
    assert.equal(opened, 1);
  });

  it("begins anew in another term", async () => {
    leads(3);
    settle.resolve();
    await turn();
    leads(5);
    settle.resolve();
    await turn();
    assert.deepEqual([opened, closed], [2, 1]);
  });

  it("stays closed while the process stops, whatever consensus still tells", async () => {
    leads(3);
    settle.resolve();
    await turn();
    leadership.close();
    leads(3);
    leads(4);
    await turn();
    assert.deepEqual([opened, closed], [1, 1]);
  });
});
