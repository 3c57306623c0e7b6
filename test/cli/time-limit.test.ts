import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { TimeLimit } from "../../cli/time-limit.js";

describe("cli/time-limit", () => {
  it("fires although garbage is collected meanwhile", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    using limit = new TimeLimit(50, new AbortController().signal);
    const ended = new Promise<string>((done) => limit.signal.addEventListener("abort", () => done("ended")));
    await new Promise(setImmediate);
    collect();
    const late = new Promise<string>((done) => setTimeout(done, 5_000, "never").unref());
    assert.equal(await Promise.race([ended, late]), "ended");
    assert.equal(limit.expired, true);
  });

  it("ends with the outer signal, and then it is not the time that is over", () => {
    const outer = new AbortController();
    using limit = new TimeLimit(60_000, outer.signal);
    outer.abort();
    assert.deepEqual([limit.signal.aborted, limit.expired], [true, false]);
    using late = new TimeLimit(60_000, outer.signal);
    assert.equal(late.signal.aborted, true);
  });

  it("a wait longer than a timer can be does not end at once", async () => {
    using limit = new TimeLimit(Number.MAX_SAFE_INTEGER, new AbortController().signal);
    await new Promise((done) => setTimeout(done, 20));
    assert.equal(limit.signal.aborted, false);
  });
});
