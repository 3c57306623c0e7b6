import assert from "node:assert/strict";
import { firstMessage } from "../../../src/server/agents/first-message.js";

describe("the first message of an agent's stream", () => {
  it("is given, or the stream's end", async () => {
    async function* one() {
      yield await Promise.resolve("hello");
    }
    const messages = one();
    assert.deepEqual(await firstMessage(messages, 1_000, "no hello"), { value: "hello", done: false });
    assert.equal((await firstMessage(messages, 1_000, "no hello")).done, true);
  });

  it("is not waited for for ever", async () => {
    let end: (() => void) | undefined;
    async function* silent() {
      await new Promise<void>((resolve) => {
        end = resolve;
      });
      yield "late";
    }
    await assert.rejects(firstMessage(silent(), 5, "no hello"), {
      reason: "Deadline",
      message: "no hello within 5 ms",
    });
    end?.();
  });
});
