import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { encodeConfState } from "../../../raft/conf-change.js";
import { clusterHash } from "../../../raft/log/format.js";
import { examineSnapshot, readSnapshotEnd, type Examined } from "../../../raft/snapshot/file-reader.js";
import { cleanAtStart, completePath, listComplete, makingPath, receivingPath } from "../../../raft/snapshot/files.js";
import { completeSnapshot, SnapshotWriter } from "../../../raft/snapshot/file-writer.js";
import { damage, MemoryDisk } from "../memory-disk.js";

const cluster = clusterHash("test-cluster");
const configuration = encodeConfState({
  voters: [1, 2, 3],
  outgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
});
/** Written once; never made anew. */
const golden = readFileSync("test/fixtures/snapshot-v1.hex", "utf8").trim();
const rows = ["first rows", "second", "third and last rows"].map((text) => new TextEncoder().encode(text));

/** Makes a file as a member does; stops where the disk does. */
function make(disk: MemoryDisk, index = 7, term = 2): void {
  const writer = new SnapshotWriter(disk.disk, { cluster, index, term });
  const next = (at: number): void => {
    const payload = rows[at];
    if (payload) writer.add(payload, (error) => error ?? next(at + 1));
    else completeSnapshot(disk.disk, writer.written, configuration, () => undefined);
  };
  writer.open((error) => error ?? next(0));
  disk.run();
}

function examine(
  disk: MemoryDisk,
  path = completePath(7, 2),
  of = cluster,
): Examined & { readonly payloads: string[] } {
  const payloads: string[] = [];
  let examined: Examined | undefined;
  examineSnapshot(
    disk.disk,
    path,
    of,
    (payload, next) => {
      payloads.push(new TextDecoder().decode(payload));
      next(null);
    },
    (error, result) => {
      assert.equal(error, null);
      examined = result;
    },
  );
  disk.run();
  assert(examined);
  return { ...examined, payloads };
}

function complete(disk: MemoryDisk): number[] {
  let found: number[] = [];
  listComplete(disk.disk, (error, files) => {
    assert.equal(error, null);
    found = files.map(({ index }) => index);
  });
  disk.run();
  return found;
}

describe("a snapshot file", () => {
  it("is read back as it was written, from its start and from its end", () => {
    const disk = new MemoryDisk();
    make(disk);
    const { file, payloads, fault } = examine(disk);
    assert.equal(fault, "");
    assert.deepEqual(payloads, ["first rows", "second", "third and last rows"]);
    assert(file);
    assert.deepEqual([file.index, file.term, file.bytes], [7, 2, disk.files.get(completePath(7, 2))?.length]);
    assert.deepEqual(file.configuration, configuration);
    let point: unknown;
    readSnapshotEnd(disk.disk, completePath(7, 2), cluster, (_error, found) => (point = found));
    disk.run();
    assert.deepEqual(point, { index: 7, term: 2, configuration });
  });

  it("has format 1 as the golden file has it", () => {
    const disk = new MemoryDisk();
    make(disk);
    const hex = Buffer.from(disk.files.get(completePath(7, 2)) ?? []).toString("hex");
    assert.equal(hex, golden);
    const kept = new MemoryDisk(new Map([[completePath(7, 2), Buffer.from(golden, "hex")]]));
    assert.deepEqual(examine(kept).payloads.length, 3);
  });

  it("is refused with any single bit flipped, and whatever was cut off or added", () => {
    const disk = new MemoryDisk();
    make(disk);
    const path = completePath(7, 2);
    const whole = disk.files.get(path) ?? new Uint8Array(0);
    for (let bit = 0; bit < whole.length * 8; bit += 1) {
      damage(disk.files, path, (bytes) => void (bytes[bit >> 3]! ^= 1 << (bit & 7)));
      assert.equal(examine(disk).file, undefined, `bit ${bit}`);
      disk.files.set(path, whole);
    }
    for (let length = 0; length < whole.length; length += 1) {
      disk.files.set(path, whole.slice(0, length));
      const { file, validBytes } = examine(disk);
      assert.equal(file, undefined);
      assert.ok(validBytes <= length);
    }
    disk.files.set(path, Uint8Array.from([...whole, 0]));
    assert.match(examine(disk).fault, /follow its end/);
  });

  it("is refused to another cluster, and in another format or encrypted", () => {
    const disk = new MemoryDisk();
    make(disk);
    assert.match(examine(disk, completePath(7, 2), cluster + 1).fault, /another cluster/);
    damage(disk.files, completePath(7, 2), (bytes) => void (bytes[0] = 0));
    assert.match(examine(disk).fault, /no snapshot/);
  });

  it("has its name only when it is whole and durable, whichever request of the disk is the last", () => {
    const requests = ((): number => {
      const disk = new MemoryDisk();
      make(disk);
      return disk.requests.length;
    })();
    assert.ok(requests > 8);
    for (let last = 0; last < requests; last += 1) {
      const disk = new MemoryDisk();
      let count = 0;
      disk.fails = () => count++ >= last;
      make(disk);
      const sync = disk.requests.indexOf(`sync ${makingPath}`);
      if (sync < 0 || sync >= last) assert.deepEqual(complete(new MemoryDisk(disk.files)), []);
      const restarted = new MemoryDisk(disk.files);
      if (complete(restarted).length > 0) assert.ok(examine(restarted).file);
      cleanAtStart(restarted.disk, (error) => assert.equal(error, null));
      restarted.run();
      assert.deepEqual(
        [...restarted.files.keys()].filter((path) => !path.endsWith(".snap")),
        [],
      );
    }
  });

  it("stays with the one before it, and no more; a half received one stays over a restart", () => {
    const disk = new MemoryDisk();
    for (const index of [5, 6, 7, 8]) make(disk, index);
    assert.deepEqual(complete(disk), [8, 7]);
    const older = receivingPath({ index: 8, term: 1, bytes: 10, digest: "0".repeat(16) });
    const newer = receivingPath({ index: 9, term: 1, bytes: 10, digest: "0".repeat(16) });
    for (const path of [older, newer, makingPath, "snapshots/else"]) disk.files.set(path, new Uint8Array(3));
    cleanAtStart(disk.disk, (error) => assert.equal(error, null));
    disk.run();
    assert.deepEqual([...disk.files.keys()].sort(), [completePath(7, 2), completePath(8, 2), newer].sort());
  });
});
