import assert from "node:assert/strict";
import type { HardState } from "../../../raft/core/types.js";
import { entriesBeyondMarkerMax } from "../../../raft/log/damage.js";
import { unflippedRecord } from "../../../raft/log/flipped-bit.js";
import { encodeRecord, headerBytes, recordKinds, segmentPath } from "../../../raft/log/format.js";
import { markerPath } from "../../../raft/log/marker.js";
import type { RaftLog } from "../../../raft/log/raft-log.js";
import { votePath } from "../../../raft/log/vote-file.js";
import { damage, MemoryDisk } from "../memory-disk.js";
import { close, entries, entry, openLog, point, summary, write } from "./log-fixture.js";

type Files = Map<string, Uint8Array>;
const last = 26;
const voted = { term: 1, vote: 2, commit: 0 };

function filled(disk: MemoryDisk): RaftLog {
  const { log } = openLog(disk);
  write(disk, log, { configuration: point(0, 0, 1), hardState: voted, entries: [], mustSync: true });
  for (let index = 1; index <= 24; index++) write(disk, log, entries(entry(index, 1)));
  write(disk, log, entries(entry(25, 1), entry(26, 1)));
  return log;
}

/** A log of which every write was acknowledged; `end` is what its process did before it ended. */
function stopped(end: "killed" | "idle" | "closed"): Files {
  const disk = new MemoryDisk();
  const log = filled(disk);
  if (end === "idle") disk.idle();
  if (end === "closed") close(disk, log);
  return disk.files;
}

function copy(files: Files): Files {
  return new Map([...files].map(([path, bytes]) => [path, bytes.slice()]));
}

function flipped(files: Files, path: string, at: number, bit: number): Files {
  const changed = copy(files);
  damage(changed, path, (bytes) => void (bytes[at] = (bytes[at] as number) ^ (1 << bit)));
  return changed;
}

/** What is opened is a part of what was there, and nobody who may rely on the rest is forgotten. */
function assertSafe(changed: Files, expected: unknown, where: string): boolean {
  const disk = new MemoryDisk(changed);
  const { content, recoverTo } = openLog(disk);
  const hardState: HardState = content.hardState;
  assert.deepEqual([hardState.term, hardState.vote], [voted.term, voted.vote], where);
  const again = openLog(new MemoryDisk(disk.files));
  assert.equal(again.recoverTo, recoverTo, `${where}: the same after a restart`);
  assert.deepEqual(again.content.entries, content.entries, where);
  const [found, whole] = [summary(content), expected] as { entries: string[] }[];
  assert(found && whole);
  if (recoverTo === 0) assert.deepEqual(found, whole, where);
  else assert(recoverTo >= last, `${where}: recovers to ${recoverTo}`);
  assert.deepEqual(found.entries, whole.entries.slice(0, found.entries.length), where);
  if (recoverTo > 0)
    assert(
      [...disk.files.keys()].some((path) => path.includes("damaged-")),
      where,
    );
  return recoverTo > 0;
}

describe("a Raft log with one flipped bit", () => {
  for (const end of ["killed", "idle", "closed"] as const)
    it(`opens whole or as one to recover, never as less: ${end} before`, () => {
      const files = stopped(end);
      const expected = summary(openLog(new MemoryDisk(files)).content);
      let recovering = 0;
      for (const [path, { length }] of files) {
        if (!path.endsWith(".seg")) continue;
        for (let at = 0; at < length; at++)
          if (assertSafe(flipped(files, path, at, at % 8), expected, `${path} at ${at}`)) recovering++;
      }
      assert(recovering > 1200, `only ${recovering} flips were noticed`);
    });

  it("is noticed too in a segment that has its first write only", () => {
    const disk = new MemoryDisk();
    const log = filled(disk);
    // As much as the segment of the fixture holds, to the write that begins the next one.
    let index = 27;
    while (!disk.files.has(segmentPath(3))) write(disk, log, entries(entry(index++, 1)));
    const { files } = disk;
    const expected = summary(openLog(new MemoryDisk(files)).content);
    const path = segmentPath(3);
    let recovering = 0;
    for (let at = 0; at < 200; at++)
      if (assertSafe(flipped(files, path, at, at % 8), expected, `${path} at ${at}`)) recovering++;
    assert(recovering > 100, `only ${recovering} flips were noticed`);
  });

  it("in marker or vote is no damage: the other slot has it, or the log", () => {
    const files = stopped("closed");
    const expected = summary(openLog(new MemoryDisk(files)).content);
    for (const path of [markerPath, votePath])
      for (let at = 0; at < (files.get(path)?.length ?? 0); at++)
        assert.equal(assertSafe(flipped(files, path, at, at % 8), expected, `${path} at ${at}`), false);
  });

  it("is told from other damage at each of its bits", () => {
    const payload = new Uint8Array(33).map((_, at) => at * 37);
    const bytes = new Uint8Array(256);
    encodeRecord(bytes, 64, { kind: recordKinds.entry, index: 7, term: 3, payload }, 0xabcd, 64);
    for (let bit = 64 * 8; bit < (64 + 40 + 33) * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >>> 3] = (changed[bit >>> 3] as number) ^ (1 << (bit & 7));
      const before = changed.slice();
      const record = unflippedRecord(changed, 64, 0xabcd);
      assert.deepEqual([record?.index, record?.term, record?.payload], [7, 3, payload], `bit ${bit}`);
      assert.deepEqual(changed, before, "only looked at");
      const twice = changed.slice();
      twice[80] = (twice[80] as number) ^ 0x11;
      twice[99] = (twice[99] as number) ^ 0x40;
      assert.equal(unflippedRecord(twice, 64, 0xabcd), undefined);
    }
  });
});

describe("a damaged Raft log", () => {
  const repairable: Record<string, (files: Files) => void> = {
    "zeroed last record": (files) => damage(files, segmentPath(2), (bytes) => void bytes.fill(0, 200)),
    "lost last segment": (files) => void files.delete(segmentPath(2)),
    "lost first segment": (files) => void files.delete(segmentPath(1)),
    "cut last segment": (files) => damage(files, segmentPath(2), (bytes) => bytes.slice(0, 250)),
    "emptied last segment": (files) => damage(files, segmentPath(2), () => new Uint8Array(0)),
    "zeroed tail before a later segment": (files) => damage(files, segmentPath(1), (bytes) => void bytes.fill(0, 900)),
    "zeroed header": (files) => damage(files, segmentPath(2), (bytes) => void bytes.fill(0, 0, headerBytes)),
    "older copy of the last segment": (files) =>
      damage(files, segmentPath(2), (bytes) => void bytes.fill(0, headerBytes)),
  };
  for (const [name, change] of Object.entries(repairable))
    it(`keeps what is in front, and has the rest to recover: ${name}`, () => {
      const files = copy(stopped("closed"));
      const expected = summary(openLog(new MemoryDisk(files)).content);
      change(files);
      const { recoverTo } = openLog(new MemoryDisk(files));
      assert(recoverTo >= last && recoverTo <= last + entriesBeyondMarkerMax);
      const disk = new MemoryDisk(files);
      const { content } = openLog(disk);
      assert.deepEqual(content.hardState, voted);
      const found = summary(content) as { entries: string[] };
      assert.deepEqual(found.entries, (expected as typeof found).entries.slice(0, found.entries.length));
    });

  const refused: Record<string, (files: Files) => void> = {
    "lost marker": (files) => void files.delete(markerPath),
    "both marker slots damaged": (files) => damage(files, markerPath, (bytes) => void bytes.fill(1)),
    "all segments lost": (files) => [1, 2].forEach((sequence) => files.delete(segmentPath(sequence))),
    "a record and the whole vote damaged": (files) => {
      damage(files, segmentPath(1), (bytes) => void (bytes[300] = 77));
      damage(files, votePath, (bytes) => void bytes.fill(1));
    },
  };
  for (const [name, change] of Object.entries(refused))
    it(`is refused, and stays as it is: ${name}`, () => {
      const files = copy(stopped("closed"));
      change(files);
      const disk = new MemoryDisk(files);
      assert.throws(() => openLog(disk), /the Raft log is damaged: log\//);
      assert.deepEqual([...disk.files.keys()].sort(), [...files.keys()].sort());
      for (const [path, bytes] of files) assert.deepEqual(disk.files.get(path), bytes, path);
    });

  it("is refused, and stays as it is, when nobody can repair it", () => {
    const files = flipped(stopped("closed"), segmentPath(1), 300, 0);
    const disk = new MemoryDisk(files);
    assert.throws(() => openLog(disk, { isRepairable: () => false }), /the Raft log is damaged: log\/0+1.seg, offset/);
    assert.deepEqual(disk.files, files);
  });

  it("goes on with one marker slot, and without its vote file", () => {
    for (const slot of [0, 4096]) {
      const files = copy(stopped("closed"));
      damage(files, markerPath, (bytes) => void bytes.fill(7, slot, slot + 56));
      assert.equal(openLog(new MemoryDisk(files)).content.entries.length, last);
    }
    const files = copy(stopped("closed"));
    files.delete(votePath);
    const { content, recoverTo } = openLog(new MemoryDisk(files));
    assert.deepEqual([content.entries.length, content.hardState, recoverTo], [last, voted, 0]);
  });

  it("is refused when it belongs to another member or cluster", () => {
    const files = stopped("closed");
    assert.throws(() => openLog(new MemoryDisk(files), { node: 2 }), /belongs to member 1, not to member 2/);
    assert.throws(() => openLog(new MemoryDisk(files), { clusterId: "other" }), /of another cluster/);
  });

  it("stays one to recover, whatever request of the repair it is stopped at, until it is told to be well", () => {
    const files = flipped(stopped("closed"), segmentPath(1), 300, 0);
    const whole = new MemoryDisk(files);
    openLog(whole);
    for (let stop = 1; stop <= whole.requests.length; stop++) {
      const disk = new MemoryDisk(files);
      disk.fails = () => disk.requests.length >= stop;
      assert.throws(() => openLog(disk));
      const after = new MemoryDisk(disk.files);
      const { log, recoverTo, content } = openLog(after);
      assert(recoverTo >= last, `stopped at ${stop}`);
      write(after, log, entries(entry(content.entries.length + 1, 1)));
      assert.equal(openLog(new MemoryDisk(after.files)).recoverTo, recoverTo);
      log.recovered();
      after.run();
      assert.equal(openLog(new MemoryDisk(after.files)).recoverTo, 0);
    }
  });

  it("keeps the newest files of damage, and no more than a few", () => {
    let files = stopped("closed");
    for (let round = 0; round < 9; round++) {
      files.set(`log/damaged-${String(round).padStart(13, "0")}-0000000000000001.seg`, new Uint8Array(1));
      files = new Map(files);
    }
    const disk = new MemoryDisk(files);
    openLog(disk);
    const kept = [...disk.files.keys()].filter((path) => path.includes("damaged"));
    assert.deepEqual(
      kept.map((path) => Number(path.slice(12, 25))),
      [5, 6, 7, 8],
    );
  });
});

describe("the second copy of the vote", () => {
  it("is durable before the write that votes is completed, in whatever order the two end", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    let done = 0;
    log.append({ hardState: { term: 4, vote: 3, commit: 0 }, entries: [], mustSync: true }, () => done++);
    const before = disk.requests.length;
    log.flush();
    const isDone = (): boolean => done > 0;
    while (!isDone()) assert(disk.step());
    const requests = new Set(disk.requests.slice(before));
    assert(requests.has(`sync ${votePath}`) && requests.has(`sync ${segmentPath(1)}`));
    const withoutLog = new MemoryDisk(new Map([...disk.files].filter(([path]) => path === votePath)));
    assert.deepEqual(openLog(withoutLog).content.hardState, { term: 4, vote: 3, commit: 0 });
  });

  it("is not written when only entries or the commit index change", () => {
    const disk = new MemoryDisk();
    const log = filled(disk);
    const before = disk.count(`write ${votePath}`);
    write(disk, log, { hardState: { ...voted, commit: 20 }, entries: [entry(27, 1)], mustSync: true });
    assert.equal(disk.count(`write ${votePath}`), before);
  });

  it("counts when the log lost its own in a torn write", () => {
    const disk = new MemoryDisk();
    const log = filled(disk);
    log.append({ hardState: { term: 9, vote: 3, commit: 0 }, entries: [], mustSync: true }, () => undefined);
    disk.fails = (request) => request.startsWith("write log/0");
    log.flush();
    disk.run();
    const after = new MemoryDisk(disk.files);
    const { log: reopened, content, recoverTo } = openLog(after);
    assert.deepEqual([content.hardState, recoverTo], [{ ...voted, term: 9, vote: 3 }, 0]);
    write(after, reopened, entries(entry(27, 9)));
    const again = new MemoryDisk(new Map([...after.files].filter(([path]) => path !== votePath)));
    assert.equal(openLog(again).content.hardState.vote, 3, "the log has it again");
  });
});

describe("the marker of the Raft log", () => {
  it("moves when nothing was written for a while, and not again", () => {
    const disk = new MemoryDisk();
    filled(disk);
    const before = disk.count(`write ${markerPath}`);
    disk.idle();
    assert.equal(disk.count(`write ${markerPath}`), before + 1);
    disk.idle();
    assert.equal(disk.count(`write ${markerPath}`), before + 1);
  });

  it("bounds what may be acknowledged behind it", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk, { segmentBytes: 1 << 26, growBytes: 1 << 20, markerBytes: 1 << 30 });
    const many = Array.from({ length: entriesBeyondMarkerMax + 1 }, (_, at) => entry(at + 1, 1, ""));
    let done = 0;
    log.append(entries(...many), () => done++);
    const before = disk.requests.length;
    log.flush();
    const isDone = (): boolean => done > 0;
    while (!isDone()) assert(disk.step());
    assert.equal(disk.requests.slice(before).at(-1), `sync ${markerPath}`);
  });
});
