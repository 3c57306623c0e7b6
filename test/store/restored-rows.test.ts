import assert from "node:assert/strict";
import { encodeConfState } from "../../raft/conf-change.js";
import { clusterHash } from "../../raft/log/format.js";
import { completeSnapshot, SnapshotWriter } from "../../raft/snapshot/file-writer.js";
import { restoredRows } from "../../store/backup/restored-rows.js";
import type { KeyValuePair } from "../../store/key-value.js";
import { allRows } from "../../store/layout.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { type OpenedState, openState } from "../../store/open-state.js";
import { Replica } from "../../store/replica.js";
import { encodeRows } from "../../store/snapshot-rows.js";
import { MemoryDisk } from "../raft/memory-disk.js";
import { collect, openRig, type Rig, ScriptedConsensus } from "./harness.js";
import { drain, ManualEnv } from "./manual-env.js";
import { create, put, remove } from "./requests.js";

const cluster = clusterHash("new");
const configuration = encodeConfState({ voters: [1], outgoing: [], learners: [], learnersNext: [], autoLeave: false });
const options = { revisionBump: 1000, term: 77, isDropped: (key: string) => key.startsWith("/cluster/") };

async function write(rig: Pick<Rig, "consensus">, start: () => Promise<unknown>): Promise<void> {
  const done = start();
  rig.consensus.commit();
  await done;
  await drain();
}

async function old(): Promise<Rig> {
  const rig = await openRig();
  const { replica } = rig;
  for (let at = 0; at < 12; at += 1) {
    const client = { id: "client", sequence: at + 1 };
    await write(rig, () => replica.write({ txns: [put(`key${at % 5}`, `value ${at}`)], origin: "test", client }));
  }
  await write(rig, () => replica.write({ txns: [remove("key1")], origin: "test" }));
  await write(rig, () => replica.write({ txns: [create("/cluster/members/1", "{}")], origin: "members" }));
  await write(rig, () => replica.etcd.execute({ type: "grant", lease: 7, ttlSeconds: 60 }, "test"));
  for (const value of [1, 2]) {
    const operation = { type: "put", key: "a", value: Uint8Array.of(value), lease: 7 } as const;
    const txn = { compares: [], success: [operation], failure: [] };
    await write(rig, () => replica.etcd.execute({ type: "txn", txn }, "test"));
  }
  return rig;
}

function rowsOf({ keyValue }: Pick<Rig, "keyValue">): Promise<readonly KeyValuePair[]> {
  return new Promise((resolve, reject) =>
    keyValue.scan({ ...allRows(), limit: 100_000 }, (error, rows) => (error ? reject(error) : resolve(rows))),
  );
}

/** A new server that begins with the restored rows, by the way of a snapshot, as a restored one does. */
async function restored(rig: Rig): Promise<Pick<Rig, "replica" | "consensus" | "env" | "keyValue">> {
  const disk = new MemoryDisk();
  disk.onRequest = () => queueMicrotask(() => void disk.step());
  const env = new ManualEnv();
  env.disk = disk.disk;
  const writer = new SnapshotWriter(disk.disk, { cluster, index: rig.replica.appliedIndex(), term: options.term });
  await called((done) => writer.open(done));
  const rows = encodeRows([...restoredRows(await rowsOf(rig), options)]);
  await called((done) => writer.add(rows, done));
  await called((done) => void completeSnapshot(disk.disk, writer.written, configuration, done));
  const keyValue = new MemoryKeyValue();
  const { state } = await new Promise<OpenedState>((resolve, reject) =>
    openState(env, keyValue, "new", (error, opened) => (error ? reject(error) : resolve(opened))),
  );
  assert.equal(state.appliedTerm, options.term);
  const consensus = new ScriptedConsensus();
  consensus.log.length = state.appliedIndex;
  const replica = new Replica({ env, keyValue, state, onFatal: (error) => assert.fail(error) });
  consensus.connect(replica);
  replica.connect(consensus);
  return { replica, consensus, env, keyValue: keyValue as never };
}

describe("the rows of a backup in a new cluster", () => {
  it("are the present as it was, at revisions ahead of all that were ever handed out", async () => {
    const before = await old();
    const after = await restored(before);
    assert.equal(after.replica.revision(), before.replica.revision() + 1000);
    assert.equal(after.replica.etcd.revision(), before.replica.etcd.revision() + 1000);
    for (const key of ["key0", "key2", "key3", "key4"])
      assert.deepEqual(after.replica.peek(key), before.replica.peek(key), key);
    assert.equal(after.replica.peek("key1"), undefined);
    assert.equal(after.replica.peek("/cluster/members/1"), undefined, "who the old servers were");
    await write(after, () => after.replica.write({ txns: [put("key0", "new")], origin: "test" }));
    assert.equal(after.replica.peek("key0")?.modRevision, before.replica.revision() + 1001);
    assert.equal(after.replica.peek("key0")?.version, 4);
  });

  it("tell who watched or read before to begin anew, in both keyspaces", async () => {
    const before = await old();
    const { replica } = await restored(before);
    const all = { key: "\0", end: "\0" };
    const ignore = { onBatch: () => undefined, onError: () => undefined };
    for (const from of [1, before.replica.revision(), before.replica.revision() + 500]) {
      assert.throws(() => replica.watch("", from, ignore), { reason: "Compacted" });
      await assert.rejects(replica.range({ prefix: "", limit: 5, revision: from }), { reason: "Compacted" });
    }
    assert.throws(() => replica.etcd.watch(all, before.replica.etcd.revision(), ignore), { reason: "Compacted" });
    const now = await replica.range({ prefix: "key", limit: 10, revision: replica.revision() });
    assert.deepEqual(
      now.records.map(({ key }) => key),
      ["key0", "key2", "key3", "key4"],
    );
  });

  it("let watches go on from the new revision, with what was there before each change", async () => {
    const after = await restored(await old());
    const { batches, errors } = collect(after.replica, "key", after.replica.revision());
    await write(after, () => after.replica.write({ txns: [put("key2", "new")], origin: "test" }));
    await after.env.advance(1000);
    assert.deepEqual(errors, []);
    assert.equal(batches[0]?.events[0]?.previous?.version, 2);
    assert.equal(await after.replica.revisionAt(Date.now()), after.replica.revision());
  });

  it("know leases with their keys, and who was answered what", async () => {
    const before = await old();
    const { replica } = await restored(before);
    assert.deepEqual([...replica.etcd.leases.ids()], [7]);
    assert.equal(replica.etcd.leases.ttlSeconds(7), 60);
    assert.deepEqual([...replica.etcd.leases.keys(7)], ["a"]);
    assert.deepEqual(
      replica.answered({ id: "client", sequence: 12 }),
      before.replica.answered({ id: "client", sequence: 12 }),
    );
  });

  it("have nothing left of history, also after compaction has run", async () => {
    const after = await restored(await old());
    await after.env.advance(10_000);
    const kinds = (await rowsOf(after)).map(({ key }) => String.fromCharCode(key[0]!));
    assert.deepEqual(kinds.join(""), "cckkkkklmss");
  });
});

function called(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}
