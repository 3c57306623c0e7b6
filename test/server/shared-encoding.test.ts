import assert from "node:assert/strict";
import { SharedEncoding } from "../../src/server/shared-encoding.js";
import type { WatchEvent } from "../../store/store.js";

describe("the encoding of events that many watch", () => {
  const event = (key: string, modRevision: number): WatchEvent => {
    const record = { key, value: new Uint8Array(1), createRevision: 1, modRevision, version: 1 };
    return { type: "put", key, record, previous: undefined };
  };

  it("happens once for each event and shape", () => {
    const made: string[] = [];
    const encoding = new SharedEncoding((one: WatchEvent, shape: "long" | "short") => {
      made.push(`${one.key} ${shape}`);
      return new Uint8Array(shape === "long" ? 2 : 1);
    });
    const [a, b, later] = [event("a", 5), event("b", 5), event("a", 6)];
    const told = Array.from({ length: 100 }, () => [a, b].map((one) => encoding.bytesOf(one, "short")));
    assert.ok(told.every(([first, second]) => first === told[0]?.[0] && second === told[0]?.[1]));
    assert.equal(encoding.bytesOf(a, "long").length, 2);
    for (let watcher = 0; watcher < 100; watcher += 1) encoding.bytesOf(later, "short");
    assert.deepEqual(made, ["a short", "b short", "a long", "a short"]);
  });
});
