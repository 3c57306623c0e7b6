import assert from "node:assert/strict";
import { segmentPath } from "../../../raft/log/format.js";
import { reservePath } from "../../../raft/log/log-space.js";
import { MemoryDisk } from "../memory-disk.js";
import { entries, entry, openLog, write } from "./log-fixture.js";

const small = { segmentBytes: 1 << 16, growBytes: 256, reserveBytes: 512 };

function appended(disk: MemoryDisk, log: ReturnType<typeof openLog>["log"], index: number): () => boolean {
  let done = false;
  log.append(entries(entry(index, 1, "x".repeat(300))), () => (done = true));
  log.flush();
  disk.run();
  return () => done;
}

describe("a Raft log on a full disk", () => {
  it("keeps a reserve", () => {
    const disk = new MemoryDisk();
    openLog(disk, small);
    assert.equal(disk.files.get(reservePath)?.length, 512);
    const again = new MemoryDisk(disk.files);
    openLog(again, small);
    assert.equal(again.count(`write ${reservePath}`), 0);
  });

  it("gives the reserve up, acknowledges nothing that is not written, and repeats at the same place", () => {
    const disk = new MemoryDisk();
    const { log, fatal } = openLog(disk, small);
    write(disk, log, entries(entry(1, 1)));
    disk.isFull = true;
    const isDone = appended(disk, log, 2);
    assert(log.isDiskFull);
    assert(!disk.files.has(reservePath));
    for (let round = 0; round < 5; round++) disk.idle();
    assert(!isDone());
    const crashed = openLog(new MemoryDisk(disk.files), small).content;
    assert.deepEqual(crashed.entries, [entry(1, 1)], "a part of the write is a torn one");
    disk.isFull = false;
    disk.idle();
    assert(isDone());
    for (let round = 0; round < 3; round++) disk.idle();
    assert(!log.isDiskFull);
    assert.equal(disk.files.get(reservePath)?.length, 512);
    assert.deepEqual(fatal, []);
    const { content } = openLog(new MemoryDisk(disk.files), small);
    assert.equal(content.entries.length, 2);
  });

  it("goes on writing with what the reserve gave back, and stays full until there is a new one", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk, small);
    write(disk, log, entries(entry(1, 1)));
    disk.isFull = true;
    // Removing the reserve makes room.
    disk.onRequest = () => (disk.isFull = disk.files.has(reservePath));
    assert(appended(disk, log, 2)());
    assert(log.isDiskFull);
    disk.onRequest = () => undefined;
    disk.isFull = true;
    disk.idle();
    assert(log.isDiskFull);
    assert(!disk.files.has(reservePath), "no part of a reserve stays");
  });

  it("is over after a sync that found no space", () => {
    const disk = new MemoryDisk();
    const { log, fatal } = openLog(disk, small);
    disk.fails = (request) => request === `sync ${segmentPath(1)}`;
    appended(disk, log, 1);
    assert.equal(fatal.length, 1);
  });

  it("closes with the error when the last write still waits", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk, small);
    disk.isFull = true;
    appended(disk, log, 1);
    let closed: Error | null | undefined;
    log.close((error) => (closed = error));
    for (let round = 0; round < 3; round++) disk.idle();
    assert.match(closed?.message ?? "", /ENOSPC/);
  });
});
