import assert from "node:assert/strict";
import { encodeConfState } from "../../raft/conf-change.js";
import type { ReceivedSnapshot, SnapshotRequest } from "../../raft/consensus.js";
import { clusterHash } from "../../raft/log/format.js";
import { completePath } from "../../raft/snapshot/files.js";
import { completeSnapshot, type WrittenSnapshot } from "../../raft/snapshot/file-writer.js";
import type { IkadaError } from "../../src/base/errors.js";
import type { KeyValue } from "../../store/key-value.js";
import { allRows } from "../../store/layout.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { type OpenedState, openState } from "../../store/open-state.js";
import type { Replica } from "../../store/replica.js";
import { takeSnapshot } from "../../store/snapshot-taking.js";
import { damage, MemoryDisk } from "../raft/memory-disk.js";
import { collect, openRig, type Rig, tinyRecent } from "./harness.js";
import { drain, ManualEnv } from "./manual-env.js";
import { create, put, remove } from "./requests.js";

const request: SnapshotRequest = { cluster: clusterHash("c"), chunkBytes: 300, bytesPerSecond: 1e9 };
const configuration = encodeConfState({ voters: [1], outgoing: [], learners: [], learnersNext: [], autoLeave: false });

/** A disk whose requests complete by themselves, in turns of their own. */
function liveDisk(files?: ReadonlyMap<string, Uint8Array>): MemoryDisk {
  const disk = new MemoryDisk(files);
  disk.onRequest = () => queueMicrotask(() => void disk.step());
  return disk;
}

function envWith(disk: MemoryDisk, env = new ManualEnv()): ManualEnv {
  env.disk = disk.disk;
  return env;
}

async function rows(keyValue: KeyValue): Promise<string[]> {
  return new Promise((resolve, reject) =>
    keyValue.scan({ ...allRows(), limit: 100_000 }, (error, pairs) =>
      error
        ? reject(error)
        : resolve(
            pairs.map(({ key, value }) => `${Buffer.from(key).toString("hex")}=${Buffer.from(value).toString("hex")}`),
          ),
    ),
  );
}

async function commit(rig: Rig, ...txns: ReturnType<typeof create>[]): Promise<void> {
  for (const [at, txn] of txns.entries()) {
    const write = rig.replica.write({
      txns: [txn],
      origin: "test",
      client: { id: "client", sequence: rig.consensus.log.length + at + 1 },
    });
    rig.consensus.commit();
    await write;
  }
  await drain();
}

/** A snapshot of what is on this replica's disk, complete on `disk`. */
async function snapshotOf(keyValue: KeyValue, disk: MemoryDisk, env = new ManualEnv()): Promise<ReceivedSnapshot> {
  const written = await new Promise<WrittenSnapshot>((resolve, reject) => {
    takeSnapshot(envWith(disk, env), keyValue, request, (error, result) => (error ? reject(error) : resolve(result)));
    void (async () => {
      for (let turn = 0; turn < 500; turn += 1) await env.advance(1);
    })();
  });
  await new Promise<void>((resolve, reject) => {
    completeSnapshot(disk.disk, written, configuration, (error) => (error ? reject(error) : resolve()));
  });
  const { index, term } = written;
  return { index, term, path: completePath(index, term), cluster: request.cluster };
}

function open(disk: MemoryDisk, keyValue: KeyValue): Promise<OpenedState> {
  return new Promise((resolve, reject) =>
    openState(envWith(disk), keyValue, "c", (error, opened) => (error ? reject(error) : resolve(opened))),
  );
}

/** A store with live records, history, a deletion and answers; more than one chunk. */
async function filled(): Promise<Rig> {
  const rig = await openRig({ recent: tinyRecent });
  for (let at = 0; at < 20; at += 1) await commit(rig, put(`key${at % 12}`, `value ${at} `.repeat(4)));
  await commit(rig, remove("key3"));
  return rig;
}

describe("a snapshot of the store", () => {
  it("holds every row, so that a store made from it has the same rows, state and answers", async () => {
    const { replica, keyValue } = await filled();
    const disk = liveDisk();
    const { index } = await snapshotOf(keyValue, disk);
    assert.equal(index, replica.appliedIndex());
    const fresh = new MemoryKeyValue();
    const { state, snapshot } = await open(disk, fresh);
    assert.equal(state.digest(), replica.digest());
    assert.deepEqual(snapshot, { index, term: 1, configuration });
    assert.deepEqual(await rows(fresh), await rows(keyValue));
    assert.notEqual(state.answered({ id: "client", sequence: 5 }), undefined);
  });

  it("shows the state at its beginning, whatever is written while it is made", async () => {
    const rig = await filled();
    const digest = rig.replica.digest();
    const before = await rows(rig.keyValue);
    const disk = liveDisk();
    const taking = snapshotOf(rig.keyValue, disk);
    for (let at = 0; at < 10; at += 1) await commit(rig, put(`key${at}`, "changed"));
    const { index } = await taking;
    assert.equal(index, rig.replica.appliedIndex() - 10);
    const fresh = new MemoryKeyValue();
    assert.equal((await open(disk, fresh)).state.digest(), digest);
    assert.deepEqual(await rows(fresh), before);
  });

  it("is the same file on two replicas with the same applied index", async () => {
    const files: string[] = [];
    for (const [count] of [[1], [2]]) {
      const rig = await filled();
      // Batches of other sizes, a flush more: nothing of it shows.
      if (count === 2) await rig.env.advance(10_000);
      const disk = liveDisk();
      const { path } = await snapshotOf(rig.keyValue, disk);
      files.push(Buffer.from(disk.files.get(path) ?? []).toString("hex"));
    }
    assert.equal(files[0], files[1]);
    assert.ok((files[0]?.length ?? 0) > 2000);
  });

  it("keeps to its rate", async () => {
    const { keyValue } = await filled();
    const env = new ManualEnv();
    const disk = liveDisk();
    let written: WrittenSnapshot | undefined;
    takeSnapshot(
      envWith(disk, env),
      keyValue,
      { ...request, bytesPerSecond: 1000 },
      (_error, result) => (written = result),
    );
    await env.advance(1000);
    const [bytes = 0] = [...disk.files.values()].map(({ length }) => length);
    assert.ok(bytes > 500 && bytes < 2000, `${bytes} bytes after a second at 1,000 a second`);
    await env.advance(100_000);
    assert.ok(written && written.bytes > 2000);
  });
});

describe("an installed snapshot", () => {
  it("comes to the same after a crash at each step of the disk and of the database", async () => {
    const newer = await filled();
    const files = liveDisk();
    await snapshotOf(newer.keyValue, files);
    const digest = newer.replica.digest();
    const expected = await rows(newer.keyValue);
    let crashes = 0;
    for (let last = 0; ; last += 1) {
      const keyValue = await older();
      const dying = dies(keyValue, last);
      const outcome = await Promise.race([open(liveDisk(files.files), dying.keyValue).then(() => "done"), dying.died]);
      if (outcome === "done") break;
      crashes += 1;
      const { state } = await open(liveDisk(files.files), keyValue);
      assert.equal(state.digest(), digest, `after a crash at write ${last}`);
      assert.deepEqual(await rows(keyValue), expected);
    }
    assert.ok(crashes > 4, `${crashes} crashes`);
  });

  it("is not begun from a damaged file, and the state is as before", async () => {
    const newer = await filled();
    const files = liveDisk();
    const { path } = await snapshotOf(newer.keyValue, files);
    damage(files.files, path, (bytes) => void (bytes[200]! ^= 1));
    const keyValue = await older();
    const before = await rows(keyValue);
    await open(files, keyValue);
    assert.deepEqual(await rows(keyValue), before);
    assert.equal(files.files.has(path), false);
  });

  it("that was begun and whose file is gone is told, not opened", async () => {
    const newer = await filled();
    const files = liveDisk();
    await snapshotOf(newer.keyValue, files);
    const keyValue = await older();
    const dying = dies(keyValue, 2);
    await Promise.race([open(liveDisk(files.files), dying.keyValue), dying.died]);
    await assert.rejects(open(liveDisk(), keyValue), /was being replaced by a snapshot that is gone/);
  });

  it("leads watches on without a gap, has caches read anew, and answers whose write is in it", async () => {
    const newer = await filled();
    const disk = liveDisk();
    const rig = await openRig({ recent: tinyRecent });
    const env = envWith(disk, rig.env);
    for (let at = 0; at < 4; at += 1) await commit(rig, put(`key${at % 12}`, `value ${at} `.repeat(4)));
    const replayed = collect(rig.replica, "", 2);
    const live = collect(rig.replica, "key1", rig.replica.revision());
    let replacedAt = 0;
    rig.replica.watch("", rig.replica.revision(), {
      onBatch: () => assert.fail("it is closed before the next batch"),
      onError: (error) => assert.fail(error),
      onReplaced: () => (replacedAt = rig.replica.revision()),
    });
    const lost = rig.replica.write({ txns: [], origin: "test", client: { id: "client", sequence: 9 } });
    const waiting = rig.replica.reached(newer.replica.revision());
    const snapshot = await snapshotOf(newer.keyValue, disk);
    rig.replica.onSnapshot(snapshot);
    await assert.rejects(
      rig.replica.range({ prefix: "", limit: 10, revision: 1 }),
      (error: IkadaError) => error.reason === "Unavailable",
    );
    assert.equal(rig.replica.peek("key0")?.version, 1, "the state before can be read meanwhile");
    await env.advance(1000);
    await waiting;
    assert.equal(rig.replica.digest(), newer.replica.digest());
    assert.deepEqual(rig.consensus.told.at(-1), [snapshot.index, snapshot.index]);
    assert.equal(replacedAt, newer.replica.revision());
    assert.equal((await lost).length, 1);
    await env.advance(1000);
    const revisions = replayed.batches.map(({ revision }) => revision);
    assert.deepEqual(
      revisions,
      Array.from({ length: newer.replica.revision() - 2 }, (_, at) => at + 3),
    );
    assert.ok(live.batches.length > 2 && live.batches.every(({ revision }) => revision > 4));
    // And all of them go on.
    rig.consensus.log.length = snapshot.index;
    await commit(rig, put("key1", "after"));
    assert.equal(live.batches.at(-1)?.revision, rig.replica.revision());
    assert.equal(replayed.progress, rig.replica.revision());
    assert.deepEqual([...live.errors, ...replayed.errors, ...rig.fatal], []);
  });

  it("that is older than the state changes nothing", async () => {
    const disk = liveDisk();
    const rig = await filled();
    const snapshot = await snapshotOf(rig.keyValue, disk);
    await commit(rig, put("later", "1"));
    const digest = rig.replica.digest();
    rig.replica.onSnapshot(snapshot);
    await rig.env.advance(1000);
    assert.equal(rig.replica.digest(), digest);
  });

  it("keeps what is committed behind it until it is there", async () => {
    const newer = await filled();
    const disk = liveDisk();
    const rig = await openRig();
    const env = envWith(disk, rig.env);
    const snapshot = await snapshotOf(newer.keyValue, disk);
    rig.replica.onSnapshot(snapshot);
    rig.consensus.log.length = snapshot.index;
    await commitUnwaited(rig, newer.replica, env);
    assert.equal(rig.replica.peek("behind")?.modRevision, newer.replica.revision() + 1);
  });
});

async function commitUnwaited(rig: Rig, newer: Replica, env: ManualEnv): Promise<void> {
  const write = rig.replica.write({ txns: [put("behind", "1")], origin: "test" });
  rig.consensus.commit();
  assert.equal(rig.replica.revision(), 0);
  await env.advance(1000);
  await write;
  assert.equal(rig.replica.appliedIndex(), newer.appliedIndex() + 1);
}

/** What `filled` had a while before, and a key that it has not. */
async function older(): Promise<MemoryKeyValue> {
  const rig = await openRig();
  for (let at = 0; at < 6; at += 1) await commit(rig, put(`key${at % 12}`, `value ${at} `.repeat(4)));
  await commit(rig, create("zz is gone later", "1"));
  return rig.keyValue.inner;
}

/** The store until its process dies before write number `last`. */
function dies(inner: KeyValue, last: number): { readonly keyValue: KeyValue; readonly died: Promise<string> } {
  let count = 0;
  let die: (what: string) => void = () => undefined;
  const died = new Promise<string>((resolve) => (die = resolve));
  const keyValue: KeyValue = {
    get: (key, done) => inner.get(key, done),
    scan: (range, done) => inner.scan(range, done),
    view: () => inner.view(),
    close: () => inner.close(),
    write: (batch, done) => (count++ >= last ? die("died") : inner.write(batch, done)),
    flush: (done) => (count++ >= last ? die("died") : inner.flush(done)),
  };
  return { keyValue, died };
}
