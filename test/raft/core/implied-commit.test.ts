import assert from "node:assert/strict";
import { impliedCommit } from "../../../raft/core/implied-commit.js";
import { MemoryStorage } from "../../../raft/core/memory-storage.js";
import type { EntryType } from "../../../raft/core/types.js";

function logOf(...types: readonly EntryType[]): MemoryStorage {
  const storage = new MemoryStorage();
  storage.append(types.map((type, at) => ({ term: 1, index: at + 1, type, data: new Uint8Array(0) })));
  return storage;
}

describe("what a log of several changes says of its commit index", () => {
  it("all but the last change behind the commit index are committed", () => {
    const storage = logOf("Normal", "ConfChange", "Normal", "ConfChange", "ConfChange", "Normal");
    assert.equal(impliedCommit(storage, 0), 4);
    assert.equal(impliedCommit(storage, 2), 4);
    assert.equal(impliedCommit(storage, 4), 4);
  });

  it("one change, or none, says nothing", () => {
    assert.equal(impliedCommit(logOf("Normal", "ConfChange", "Normal"), 1), 1);
    assert.equal(impliedCommit(logOf("Normal", "Normal"), 1), 1);
    assert.equal(impliedCommit(new MemoryStorage({ index: 7, term: 2 }), 7), 7);
  });
});
