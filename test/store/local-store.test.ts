import assert from "node:assert/strict";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { openLocalStore } from "../../store/local-store.js";
import type { WatchBatch } from "../../store/store.js";
import { ManualEnv } from "./manual-env.js";
import { put, remove, text } from "./requests.js";

describe("local store", () => {
  it("writes, reads, watches and reopens", async () => {
    const env = new ManualEnv();
    const keyValue = new MemoryKeyValue();
    const store = await openLocalStore(env, { keyValue });
    const seen: WatchBatch[] = [];
    store.watch("a/", 0, { onBatch: (batch) => seen.push(batch), onError: assert.fail });

    const results = await store.write({ txns: [put("a/1", "one"), put("b/1", "two"), remove("a/2")], origin: "test" });
    await store.write({ txns: [remove("a/1"), put("a/3", "{}", 1)], origin: "test" });

    assert.deepEqual(results, [
      { succeeded: true, revision: 1 },
      { succeeded: true, revision: 2 },
      { succeeded: true, revision: 2 },
    ]);
    assert.equal(store.peek("a/1"), undefined);
    assert.equal(text(store.peek("a/3")), "{4}");
    assert.deepEqual(
      seen.map(({ revision, events }) => [revision, events.map(({ type, key }) => `${type} ${key}`)]),
      [
        [1, ["put a/1"]],
        [3, ["delete a/1"]],
        [4, ["put a/3"]],
      ],
    );
    assert.equal(await store.barrier(), 4);
    const digest = store.digest();
    await store.close();

    const again = await openLocalStore(env, { keyValue });
    assert.equal(again.digest(), digest);
    assert.equal(again.revision(), 4);
    await again.write({ txns: [put("b/1", "three")], origin: "test" });
    assert.deepEqual(again.peek("b/1")?.version, 2);
    await again.close();
    assert.equal(env.timersWaiting, 0);
  });
});
