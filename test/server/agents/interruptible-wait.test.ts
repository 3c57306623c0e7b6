import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { InterruptibleWait } from "../../../src/server/agents/interruptible-wait.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const never = new Promise<never>(() => undefined);

describe("an interruptible wait", () => {
  it("settles as what it waits for", async () => {
    const wait = new InterruptibleWait();
    assert.equal(await wait.for(Promise.resolve(7)), 7);
    await assert.rejects(wait.for(Promise.reject(new Error("broken"))), /broken/);
  });

  it("is cut short by the first interruption, and every later one too", async () => {
    const wait = new InterruptibleWait();
    const waiting = wait.for(never);
    wait.interrupt(new Error("first"));
    wait.interrupt(new Error("second"));
    await assert.rejects(waiting, /first/);
    await assert.rejects(wait.for(never), /first/);
  });

  it("keeps no result: sessions last for months", async () => {
    const wait = new InterruptibleWait();
    const results: WeakRef<object>[] = [];
    const one = async (): Promise<void> => {
      const result = await wait.for(turn().then(() => ({ message: "large" })));
      results.push(new WeakRef(result));
    };
    for (let at = 0; at < 20; at++) await one();
    await turn();
    collectGarbage();
    const kept = results.filter((result) => result.deref() !== undefined).length;
    assert.ok(kept <= 1, `${kept} of 20 results are still held`);
    wait.interrupt(new Error("end"));
  });
});
