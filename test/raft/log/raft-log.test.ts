import assert from "node:assert/strict";
import { decodeRecord, headerBytes, recordKinds, segmentPath } from "../../../raft/log/format.js";
import type { LogWrite } from "../../../raft/log/log-head.js";
import { decodeStart } from "../../../raft/log/start-record.js";
import { MemoryDisk } from "../memory-disk.js";
import { close, entries, entry, openLog, point, summary, write } from "./log-fixture.js";

describe("the Raft log", () => {
  it("begins empty and stays so", () => {
    const disk = new MemoryDisk();
    const before = { index: 0, term: 0 };
    const empty = {
      before,
      configurationIndex: 0,
      hardState: { term: 0, vote: 0, commit: 0 },
      configuration: undefined,
      entries: [],
    };
    assert.deepEqual(summary(openLog(disk).content), empty);
    assert.deepEqual(summary(openLog(disk).content), empty);
  });

  it("gives back what was written, over segments and restarts", () => {
    const disk = new MemoryDisk();
    let { log } = openLog(disk);
    write(disk, log, { configuration: point(0, 0, 7), entries: [], mustSync: true });
    for (let index = 1; index <= 100; index++) {
      write(disk, log, {
        hardState: { term: 1, vote: 2, commit: index - 1 },
        entries: [entry(index, 1)],
        mustSync: true,
      });
      if (index % 30 === 0) ({ log } = openLog(disk));
    }
    assert(disk.files.size > 10, "the test must cross segments");
    const { content } = openLog(disk);
    assert.deepEqual(content.hardState, { term: 1, vote: 2, commit: 99 });
    assert.deepEqual(content.configuration, Uint8Array.of(7));
    assert.deepEqual(
      content.entries,
      Array.from({ length: 100 }, (_, at) => entry(at + 1, 1)),
    );
  });

  it("replaces a conflicting tail by appending, also across segments", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    for (let index = 1; index <= 40; index++) write(disk, log, entries(entry(index, 1)));
    write(disk, log, entries(entry(5, 2)), entries(entry(6, 2), entry(7, 3)), entries(entry(7, 4)));
    const terms = openLog(disk).content.entries.map(({ term }) => term);
    assert.deepEqual(terms, [1, 1, 1, 1, 2, 2, 4]);
  });

  it("keeps one durable write in flight, gathers the rest, and completes in order", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk, { segmentBytes: 1 << 20, growBytes: 1 << 16 });
    write(disk, log, { configuration: point(0, 0), entries: [], mustSync: true });
    const before = disk.requests.length;
    const completed: number[] = [];
    const append = (index: number): void => {
      log.append(entries(entry(index, 1)), () => completed.push(index));
      log.flush();
    };
    append(1);
    for (let index = 2; index <= 50; index++) append(index);
    assert.equal(disk.waiting, 1);
    assert(disk.step(), "the write");
    assert.deepEqual(completed, [], "a write is not durable before its sync");
    assert(disk.step(), "the sync");
    assert.deepEqual(completed, [1]);
    append(51);
    disk.run();
    assert.deepEqual(
      completed,
      Array.from({ length: 51 }, (_, at) => at + 1),
    );
    const expected = [1, 2, 3].flatMap(() => [`write ${segmentPath(1)}`, `sync ${segmentPath(1)}`]);
    assert.deepEqual(disk.requests.slice(before), expected, "1 alone, 2 to 50 together, 51");
  });

  it("syncs the file size seldom: it grows by pieces", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk, { segmentBytes: 1 << 20, growBytes: 4096 });
    const sizes = new Set<number>();
    for (let index = 1; index <= 100; index++) {
      write(disk, log, entries(entry(index, 1)));
      sizes.add(disk.files.get(segmentPath(1))?.length ?? 0);
    }
    assert.deepEqual([...sizes], [4096, 8192]);
  });

  it("lets a commit index wait for the next write, without a write of its own", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    write(disk, log, { hardState: { term: 1, vote: 1, commit: 0 }, entries: [entry(1, 1)], mustSync: true });
    const before = disk.requests.length;
    const lazy: LogWrite = { hardState: { term: 1, vote: 1, commit: 1 }, entries: [], mustSync: false };
    write(disk, log, lazy);
    assert.equal(disk.requests.length, before);
    write(disk, log, entries(entry(2, 1)));
    assert.deepEqual(openLog(disk).content.hardState, { term: 1, vote: 1, commit: 1 });
  });

  it("completes a waiting commit index behind the write in flight", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    const completed: string[] = [];
    log.append(entries(entry(1, 1)), () => completed.push("entry"));
    log.flush();
    log.append({ hardState: { term: 0, vote: 0, commit: 1 }, entries: [], mustSync: false }, () =>
      completed.push("commit"),
    );
    log.flush();
    assert.deepEqual(completed, []);
    disk.run();
    assert.deepEqual(completed, ["entry", "commit"]);
  });

  it("writes a waiting commit index on close", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    write(disk, log, entries(entry(1, 1)));
    write(disk, log, { hardState: { term: 1, vote: 0, commit: 1 }, entries: [], mustSync: false });
    close(disk, log);
    assert.equal(openLog(disk).content.hardState.commit, 1);
  });

  it("begins each segment with what the ones before it add up to", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    const first = { term: 3, vote: 2, commit: 0 };
    write(disk, log, { configuration: point(0, 0, 9), hardState: first, entries: [], mustSync: true });
    for (let index = 1; index <= 20; index++) write(disk, log, entries(entry(index, 3)));
    const record = decodeRecord(disk.files.get(segmentPath(2)) as Uint8Array, headerBytes);
    assert.deepEqual([record?.kind, record?.batchOffset, record?.term], [recordKinds.start, 0, 3]);
    const start = decodeStart(record?.payload as Uint8Array);
    assert.deepEqual(start, { hardState: first, configuration: Uint8Array.of(9), configurationIndex: 0 });
  });

  for (const part of ["write log/0", "sync log/0", "syncFolder log", "write log/marker", "sync log/marker"]) {
    it(`is over after a failed ${part}`, () => {
      const disk = new MemoryDisk();
      const { log, fatal } = openLog(disk, { markerBytes: 1 });
      disk.fails = (request) => request.startsWith(part);
      let completed = 0;
      let index = 0;
      for (let round = 0; round < 40 && fatal.length === 0; round++) {
        log.append(entries(entry(++index, 1)), () => completed++);
        log.flush();
        disk.run();
      }
      assert.equal(fatal.length, 1);
      disk.fails = () => false;
      const requests = disk.requests.length;
      const before = completed;
      log.append(entries(entry(index + 1, 1)), () => completed++);
      log.flush();
      let closed: Error | null = null;
      log.close((error) => (closed = error));
      disk.run();
      assert.equal(completed, before);
      assert.equal(disk.requests.length, requests, "nothing is tried again");
      assert.equal(closed, fatal[0]);
      assert.equal(fatal.length, 1);
    });
  }
});
