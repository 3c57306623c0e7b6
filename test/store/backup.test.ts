import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { IkadaError } from "../../src/base/errors.js";
import { crc32c } from "../../raft/log/crc32c.js";
import { BackupFile, type ByteSource } from "../../store/backup/file.js";
import type { KeyValuePair } from "../../store/key-value.js";
import type { Backup, BackupRequest } from "../../store/store.js";
import { openRig, type Rig } from "./harness.js";
import { drain } from "./manual-env.js";
import { create, put, remove } from "./requests.js";

const golden = readFileSync("test/fixtures/backup-v1.hex", "utf8").trim();

function request(more: Partial<BackupRequest> = {}): BackupRequest {
  return { clusterId: "c", version: "0.0.1", isLocal: true, chunkBytes: 300, digest: createHash("sha256"), ...more };
}

/** A replica with something in each kind of row. */
async function filled(): Promise<Rig> {
  const rig = await openRig();
  const etcd = rig.replica.etcd;
  const write = async (start: () => Promise<unknown>): Promise<void> => {
    const done = start();
    rig.consensus.commit();
    await done;
    await drain();
  };
  for (let at = 0; at < 12; at += 1) {
    const client = { id: "client", sequence: at + 1 };
    await write(() => rig.replica.write({ txns: [put(`key${at % 5}`, `value ${at}`)], origin: "test", client }));
  }
  await write(() => rig.replica.write({ txns: [remove("key1")], origin: "test" }));
  await write(() => rig.replica.write({ txns: [create("/cluster/members/1", "{}")], origin: "members" }));
  await write(() => etcd.execute({ type: "grant", lease: 7, ttlSeconds: 60 }, "test"));
  const operation = { type: "put", key: "a", value: Uint8Array.of(1, 2, 3), lease: 7 } as const;
  await write(() => etcd.execute({ type: "txn", txn: { compares: [], success: [operation], failure: [] } }, "test"));
  return rig;
}

/** All bytes, while time passes. */
async function bytesOf(rig: Rig, backup: Backup): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const next = backup.next();
    await rig.env.advance(1000);
    const piece = await next;
    if (!piece) return Buffer.concat(pieces);
    pieces.push(piece);
  }
}

async function taken(rig: Rig): Promise<Uint8Array> {
  const backup = await rig.replica.openBackup(request());
  try {
    return await bytesOf(rig, backup);
  } finally {
    backup.close();
  }
}

function source(bytes: Uint8Array): ByteSource {
  return { name: "file", size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) };
}

/** Reads it to its end. */
function read(bytes: Uint8Array): { readonly file: BackupFile; readonly rows: KeyValuePair[] } {
  const file = new BackupFile(source(bytes), createHash("sha256"));
  return { file, rows: [...file.rows()] };
}

function fault(bytes: Uint8Array): IkadaError | undefined {
  try {
    read(bytes);
    return undefined;
  } catch (caught) {
    return caught as IkadaError;
  }
}

describe("a backup", () => {
  it("has the bytes of format 1, and says what is in it", async () => {
    const bytes = await taken(await filled());
    assert.equal(Buffer.from(bytes).toString("hex"), golden);
    const { file, rows } = read(bytes);
    const { objects, etcd, appliedIndex, clusterId, version } = file.about;
    assert.deepEqual([clusterId, version, appliedIndex], ["c", "0.0.1", 16]);
    assert.deepEqual([objects.revision, etcd.revision], [14, 1]);
    assert.equal(rows.length, file.totals.rows);
    assert.ok(file.totals.chunks > 3, "several chunks, or the tests below try little");
  });

  it("is refused when it ends early, anywhere", async () => {
    const bytes = await taken(await filled());
    for (let length = 0; length < bytes.length; length += 1) {
      const error = fault(bytes.subarray(0, length));
      assert.equal(error?.reason, length < 8 ? "Invalid" : "Damaged", `of ${length} bytes: ${error?.message}`);
    }
    assert.match(fault(Buffer.concat([bytes, Uint8Array.of(0)]))?.message ?? "", /1 bytes follow its end/);
  });

  it("is refused when a bit is flipped, anywhere", async () => {
    const bytes = await taken(await filled());
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Uint8Array.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      assert.ok(fault(flipped), `byte ${at}`);
    }
  });

  it("is refused when it is of another format or encrypted, with what to do", async () => {
    const bytes = await taken(await filled());
    const changed = (at: number): Uint8Array => {
      const copy = Uint8Array.from(bytes);
      copy[at] = 9;
      new DataView(copy.buffer).setUint32(60, crc32c(copy, 0, 0, 60), true);
      return copy;
    };
    assert.match(fault(changed(8))?.message ?? "", /backup format 9, this version of ikada reads format 1/);
    assert.equal(fault(changed(8))?.reason, "Unsupported");
    assert.match(fault(changed(12))?.message ?? "", /encrypted with key 9/);
    assert.match(fault(Buffer.from("something else, of some length"))?.message ?? "", /is no backup of Ikada/);
  });

  it("is of one moment: writes go on and are not in it", async () => {
    const rig = await filled();
    const backup = await rig.replica.openBackup(request());
    const revision = rig.replica.revision();
    const later = rig.replica.write({ txns: [put("later", "1")], origin: "test" });
    rig.consensus.commit();
    await later;
    await drain();
    const bytes = await bytesOf(rig, backup);
    assert.equal(backup.about.objects.revision, revision);
    assert.equal(Buffer.from(bytes).includes("later"), false);
    assert.equal(Buffer.from(bytes).toString("hex"), golden);
  });

  it("waits for the leader's word, and for the disk that is behind what callers were told", async () => {
    const rig = await filled();
    rig.keyValue.holding = true;
    const told = rig.replica.write({ txns: [put("told", "1")], origin: "test" });
    rig.consensus.commit();
    await told;
    let begun = 0;
    const opening = rig.replica.openBackup(request({ isLocal: false })).then((backup) => {
      begun = backup.about.appliedIndex;
      return backup;
    });
    await drain();
    assert.equal(begun, 0, "the leader was not heard yet");
    rig.replica.onReadIndex(rig.consensus.reads.at(-1)!, rig.replica.appliedIndex());
    await drain();
    assert.equal(begun, 0, "the disk does not have the write yet");
    rig.keyValue.release();
    const backup = await opening;
    assert.equal(begun, rig.replica.appliedIndex());
    assert.ok(Buffer.from(await bytesOf(rig, backup)).includes("told"));
  });

  it("that nobody wants any more lets go of its view; so does a replica that stops", async () => {
    const rig = await filled();
    let open = 0;
    const view = rig.keyValue.view.bind(rig.keyValue);
    rig.keyValue.view = () => {
      open += 1;
      const inner = view();
      const close = (): void => {
        open -= 1;
        inner.close();
      };
      return { ...inner, close };
    };
    const [first, second] = [await rig.replica.openBackup(request()), await rig.replica.openBackup(request())];
    assert.equal(open, 2);
    const waiting = first.next();
    first.close();
    await assert.rejects(waiting, { reason: "Cancelled" });
    assert.equal(open, 1);
    const cut = second.next();
    await rig.replica.close();
    await assert.rejects(cut, { reason: "Unavailable" });
    assert.equal(open, 0);
    assert.equal(rig.env.timersWaiting, 0);
  });

  it("keeps to its rate, all of a replica together", async () => {
    const rig = await filled();
    const backups = [await rig.replica.openBackup(request()), await rig.replica.openBackup(request())];
    let pieces = 0;
    for (const backup of backups)
      void (async () => {
        while (await backup.next()) pieces += 1;
      })();
    await rig.env.advance(0);
    assert.ok(pieces <= 2, `${pieces} pieces at once`);
    await rig.env.advance(1000);
    assert.ok(pieces > 10, `${pieces} pieces in the end`);
  });
});
