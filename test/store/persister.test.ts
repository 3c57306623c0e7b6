import assert from "node:assert/strict";
import type { Finished } from "../../src/base/env.js";
import type { KeyValueBatch } from "../../store/key-value.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { Persister } from "../../store/persister.js";
import { ManualEnv } from "./manual-env.js";

const keyspace = { revision: 1, compactRevision: 0 };
const position = (appliedIndex: number) => ({ appliedIndex, objects: keyspace, etcd: keyspace });
const batch = (name: string): KeyValueBatch => ({
  puts: [{ key: Buffer.from(name), value: Buffer.from(name) }],
  deletes: [],
});

/** Whose writes end when the test says so. */
class SlowKeyValue extends MemoryKeyValue {
  readonly writes: { readonly batch: KeyValueBatch; readonly done: Finished }[] = [];

  override write(written: KeyValueBatch, done: Finished): void {
    this.writes.push({ batch: written, done });
  }

  end(error: Error | null = null): void {
    this.writes.shift()?.done(error);
  }
}

describe("what brings state to the disk", () => {
  const told: string[] = [];
  let keyValue: SlowKeyValue;
  let persister: Persister;
  beforeEach(() => {
    told.length = 0;
    keyValue = new SlowKeyValue();
    persister = new Persister(
      keyValue,
      new ManualEnv().timers,
      0,
      { flushIntervalMs: 10 },
      {
        onWritten: ({ appliedIndex }) => void told.push(`written ${appliedIndex}`),
        onIdle: () => void told.push("idle"),
        onDurable: (index) => void told.push(`durable ${index}`),
        onError: (error) => void told.push(error.message),
      },
    );
  });

  it("begins nothing before the write under way has ended", () => {
    persister.write(batch("a"), position(1));
    persister.remove([Buffer.from("x")], () => told.push("removed x"));
    persister.remove([Buffer.from("y")], () => told.push("removed y"));
    assert.equal(keyValue.writes.length, 1);
    assert(persister.isWriting);
    keyValue.end();
    assert.equal(keyValue.writes.length, 1);
    keyValue.end();
    keyValue.end();
    assert.deepEqual(told, ["written 1", "removed x", "removed y", "idle"]);
    assert(!persister.isWriting);
  });

  it("begins nothing after one that failed", () => {
    persister.write(batch("a"), position(1));
    persister.remove([Buffer.from("x")], () => told.push("removed x"));
    keyValue.end(new Error("no space"));
    assert.equal(keyValue.writes.length, 0);
    assert.deepEqual(told, ["no space"]);
  });

  it("drops removals that wait when the state is to be replaced", () => {
    persister.write(batch("a"), position(1));
    persister.remove([Buffer.from("x")], () => told.push("removed x"));
    persister.whenIdle(() => told.push("replacing"));
    keyValue.end();
    assert.equal(keyValue.writes.length, 0);
    assert.deepEqual(told, ["written 1", "replacing"]);
  });
});
