import assert from "node:assert/strict";
import { segmentPath, segmentSequences } from "../../../raft/log/format.js";
import type { RaftLog } from "../../../raft/log/raft-log.js";
import { damage, MemoryDisk } from "../memory-disk.js";
import { close, entries, entry, openLog, point, summary, write } from "./log-fixture.js";

function segments(disk: MemoryDisk): number[] {
  return segmentSequences([...disk.files.keys()].map((path) => path.replace("log/", "")));
}

/** A log of entries 1 to `last`, some to a segment. */
function filled(disk: MemoryDisk, last: number): RaftLog {
  const { log } = openLog(disk);
  write(disk, log, { configuration: point(0, 0, 9), hardState: hardState(0), entries: [], mustSync: true });
  for (let index = 1; index <= last; index++)
    write(disk, log, { hardState: hardState(index - 1), entries: [entry(index, 1)], mustSync: true });
  return log;
}

function hardState(commit: number): { term: number; vote: number; commit: number } {
  return { term: 1, vote: 2, commit };
}

function compact(disk: MemoryDisk, log: RaftLog, index: number): void {
  log.compact(point(index, 1, index));
  disk.run();
}

describe("compaction of the Raft log", () => {
  it("removes what is wholly below, keeps all above, and says where it begins", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    const all = segments(disk).length;
    compact(disk, log, 40);
    assert(segments(disk).length < all / 2, `${segments(disk).length} of ${all} are left`);
    const { content } = openLog(new MemoryDisk(disk.files));
    assert(content.before.index > 20 && content.before.index <= 40);
    assert.equal(content.before.term, 1);
    assert.deepEqual(content.hardState, hardState(59));
    assert.deepEqual([content.configurationIndex, content.configuration], [40, Uint8Array.of(40)]);
    const expected = Array.from({ length: 60 - content.before.index }, (_, at) =>
      entry(content.before.index + at + 1, 1),
    );
    assert.deepEqual(content.entries, expected);
  });

  it("is repeated, over restarts, down to the last segment", () => {
    const disk = new MemoryDisk();
    let log = filled(disk, 30);
    for (let index = 10; index <= 90; index += 10) {
      compact(disk, log, index);
      if (index % 20 === 0) ({ log } = openLog(disk));
      for (let more = 1; more <= 10; more++) write(disk, log, entries(entry(index + 20 + more, 1)));
    }
    compact(disk, log, 120);
    assert(segments(disk).length <= 2);
    assert.equal(openLog(new MemoryDisk(disk.files)).content.entries.at(-1)?.index, 120);
  });

  it("does nothing, and writes nothing, when no segment can go", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    const before = disk.requests.length;
    compact(disk, log, 2);
    assert.equal(disk.requests.length, before);
  });

  it("keeps a vote that only the removed segments had", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    write(disk, log, {
      configuration: point(0, 0),
      hardState: { term: 7, vote: 3, commit: 0 },
      entries: [],
      mustSync: true,
    });
    for (let index = 1; index <= 60; index++) write(disk, log, entries(entry(index, 7)));
    compact(disk, log, 60);
    assert(!segments(disk).includes(1));
    assert.deepEqual(openLog(new MemoryDisk(disk.files)).content.hardState, { term: 7, vote: 3, commit: 60 });
  });

  it("replays a tail that replaces entries from below the first segment that is left", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    write(disk, log, {
      configuration: point(0, 0),
      hardState: { term: 1, vote: 1, commit: 0 },
      entries: [],
      mustSync: true,
    });
    // A leader of term 1 that nobody followed; then one of term 2 replaces all.
    let index = 0;
    while (segments(disk).length < 3) write(disk, log, entries(entry(++index, 1)));
    const last = index;
    write(disk, log, { hardState: { term: 2, vote: 1, commit: 0 }, entries: [entry(1, 2)], mustSync: true });
    for (index = 2; index <= last; index++) write(disk, log, entries(entry(index, 2)));
    write(disk, log, { hardState: { term: 2, vote: 1, commit: last }, entries: [entry(last + 1, 2)], mustSync: true });
    compact(disk, log, last);
    assert(!segments(disk).includes(2));
    const { content } = openLog(new MemoryDisk(disk.files));
    assert(content.before.term === 2 && content.before.index <= last);
    assert.equal(content.entries.at(-1)?.index, last + 1);
    assert(content.entries.every(({ term }) => term === 2));
  });

  it("leaves a readable log when it is stopped at each request, by a crash or an error", () => {
    const run = (disk: MemoryDisk, log: RaftLog): void => {
      log.compact(point(40, 1, 40));
      disk.run();
      write(disk, log, entries(entry(61, 1)));
    };
    const disk = new MemoryDisk();
    filled(disk, 60);
    const whole = openLog(new MemoryDisk(disk.files)).content.entries;
    const counting = new MemoryDisk(disk.files);
    const { log: counted } = openLog(counting);
    const first = counting.requests.length + 1;
    run(counting, counted);
    const last = counting.requests.length;
    assert(last - first > 10);
    for (let stop = first; stop <= last; stop++) {
      const failing = new MemoryDisk(disk.files);
      const { log } = openLog(failing);
      failing.fails = () => failing.requests.length >= stop;
      assert.throws(() => run(failing, log));
      const { content } = openLog(new MemoryDisk(failing.files));
      assert.deepEqual(content.entries.slice(0, 60 - content.before.index), whole.slice(content.before.index));
      assert(content.configurationIndex >= content.before.index);
    }
  });

  it("moves the marker before it removes the segment that the marker is in", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    const before = disk.requests.length;
    compact(disk, log, 60);
    const made = disk.requests.slice(before);
    assert(made.indexOf("sync log/marker") < made.findIndex((request) => request.startsWith("remove")));
  });

  it("is finished before the log closes", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    log.compact(point(60, 1));
    close(disk, log);
    assert.equal(segments(disk).length, 1);
    assert.equal(openLog(new MemoryDisk(disk.files)).content.entries.length < 20, true);
  });

  it("is no excuse for a segment that was lost", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    compact(disk, log, 30);
    disk.files.delete(segmentPath(segments(disk)[0] as number));
    const { content, recoverTo } = openLog(new MemoryDisk(disk.files));
    assert.deepEqual([content.before.index, content.entries.length, recoverTo], [0, 0, 60]);
  });
});

describe("a Raft log that is reset to a snapshot", () => {
  it("begins there, keeps term and vote, and goes on", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    let done = 0;
    log.reset(point(200, 5, 8), () => done++);
    disk.run();
    assert.equal(done, 1);
    assert.equal(segments(disk).length, 1);
    write(disk, log, { hardState: { term: 5, vote: 0, commit: 200 }, entries: [entry(201, 5)], mustSync: true });
    assert.deepEqual(summary(openLog(new MemoryDisk(disk.files)).content), {
      before: { index: 200, term: 5 },
      hardState: { term: 5, vote: 0, commit: 200 },
      configuration: [8],
      configurationIndex: 200,
      entries: ["201 5 Normal 5/201"],
    });
  });

  it("takes hard state and entries in the same write", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 3);
    write(disk, log, {
      snapshot: point(3, 4, 1),
      hardState: { term: 6, vote: 1, commit: 3 },
      entries: [entry(4, 6)],
      mustSync: true,
    });
    const { content } = openLog(new MemoryDisk(disk.files));
    assert.deepEqual(content.before, { index: 3, term: 4 });
    assert.deepEqual(content.hardState, { term: 6, vote: 1, commit: 3 });
    assert.deepEqual(content.entries, [entry(4, 6)]);
  });

  it("can be the first write of all", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    log.reset(point(70, 2, 3), () => undefined);
    disk.run();
    assert.deepEqual(openLog(new MemoryDisk(disk.files)).content.before, { index: 70, term: 2 });
  });

  it("voids what a compaction at the same time has not removed yet", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 60);
    log.compact(point(20, 1, 20));
    log.reset(point(100, 3), () => undefined);
    disk.run();
    assert.equal(segments(disk).length, 1);
    assert.deepEqual(openLog(new MemoryDisk(disk.files)).content.before, { index: 100, term: 3 });
  });

  it("is the old log or the new one when it is stopped at each request", () => {
    const disk = new MemoryDisk();
    filled(disk, 40);
    const counting = new MemoryDisk(disk.files);
    const { log: counted } = openLog(counting);
    const first = counting.requests.length + 1;
    counted.reset(point(100, 3, 7), () => undefined);
    counting.run();
    const last = counting.requests.length;
    const found = new Set<number>();
    for (let stop = first; stop <= last; stop++) {
      const failing = new MemoryDisk(disk.files);
      const { log } = openLog(failing);
      failing.fails = () => failing.requests.length >= stop;
      let isDone = false;
      log.reset(point(100, 3, 7), () => (isDone = true));
      failing.run();
      const { content } = openLog(new MemoryDisk(failing.files));
      found.add(content.before.index);
      if (isDone) assert.equal(content.before.index, 100);
      assert.equal(content.entries.length, content.before.index === 100 ? 0 : 40);
      assert.equal(content.hardState.vote, 2);
    }
    assert.deepEqual([...found], [0, 100]);
  });

  it("is the old log when the write was torn at any byte", () => {
    const disk = new MemoryDisk();
    const log = filled(disk, 40);
    const before = new Map([...disk.files].map(([path, bytes]) => [path, bytes.slice()]));
    const next = segmentPath((segments(disk).at(-1) as number) + 1);
    log.reset(point(100, 3, 7), () => undefined);
    while (!disk.files.has(next)) disk.step();
    const written = disk.files.get(next) as Uint8Array;
    const end = written.findLastIndex((byte) => byte !== 0xff && byte !== 0) + 1;
    for (let length = 0; length < end; length++) {
      const torn = new MemoryDisk(before);
      torn.files.set(next, written.slice());
      damage(torn.files, next, (bytes) => void bytes.fill(0, length));
      const { content } = openLog(torn);
      assert.equal(content.entries.length, 40, `torn at ${length}`);
    }
  });
});
