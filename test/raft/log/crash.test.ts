import assert from "node:assert/strict";
import * as fc from "fast-check";
import type { HardState } from "../../../raft/core/types.js";
import { segmentPath } from "../../../raft/log/format.js";
import { markerPath } from "../../../raft/log/marker.js";
import type { LogWrite } from "../../../raft/log/log-head.js";
import { votePath } from "../../../raft/log/vote-file.js";
import { damage, MemoryDisk } from "../memory-disk.js";
import { close, entries, entry, openLog, summary, write } from "./log-fixture.js";

type Files = Map<string, Uint8Array>;

describe("the Raft log after a crash", () => {
  it("equals the durable prefix, whatever the last write left", () => {
    fc.assert(
      fc.property(history, tail, (writes, left) => {
        const disk = new MemoryDisk();
        const { log } = openLog(disk);
        for (const each of writes.slice(0, -1)) write(disk, log, each);
        const before = copy(disk.files);
        const durable = summary(openLog(new MemoryDisk(before)).content);
        write(disk, log, writes.at(-1) as LogWrite);
        const whole = summary(openLog(new MemoryDisk(disk.files)).content);
        for (const crashed of crashes(before, disk.files, left)) {
          const after = new MemoryDisk(crashed);
          const { log: reopened, content } = openLog(after);
          // A part of the last write may be there: whole records of it, in order, and nothing else.
          assertBetween(summary(content), durable, whole);
          const kept = summary(content) as { entries: string[] };
          write(after, reopened, entries(entry(kept.entries.length + 1, 1000, "next")));
          const next = summary(openLog(new MemoryDisk(after.files)).content) as { entries: string[] };
          assert.deepEqual(next.entries, [...kept.entries, `${kept.entries.length + 1} 1000 Normal next`]);
        }
      }),
      { numRuns: 12, seed: 7 },
    );
  });

  it("has the whole last write when it was durable", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    for (let index = 1; index <= 30; index++) {
      write(disk, log, entries(entry(index, 1)));
      assert.equal(openLog(new MemoryDisk(disk.files)).content.entries.length, index);
    }
  });

  it("survives a crash at each request of opening, rolling and closing", () => {
    const run = (disk: MemoryDisk): number => {
      const { log } = openLog(disk);
      for (let index = 1; index <= 16; index++) write(disk, log, entries(entry(index, 1)));
      close(disk, log);
      return disk.requests.length;
    };
    const total = run(new MemoryDisk());
    for (let last = 1; last < total; last++) {
      const disk = new MemoryDisk();
      disk.fails = () => disk.requests.length >= last;
      assert.throws(() => run(disk), `request ${last} must fail`);
      const after = new MemoryDisk(disk.files);
      openLog(after);
      assertMadeDurable(after);
    }
  });

  it("removes a segment whose creation was torn at any byte", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    for (let index = 1; !disk.files.has(segmentPath(2)); index++) write(disk, log, entries(entry(index, 1)));
    const whole = openLog(new MemoryDisk(disk.files)).content.entries.length;
    const segment = disk.files.get(segmentPath(2)) as Uint8Array;
    // In front of the end mark.
    const end = segment.findLastIndex((byte) => byte !== 0xff && byte !== 0) + 1;
    for (let length = 0; length < end; length++) {
      const torn = copy(disk.files);
      damage(torn, segmentPath(2), (bytes) => (length % 2 === 0 ? bytes.slice(0, length) : bytes.fill(0, length)));
      const after = new MemoryDisk(torn);
      const { log: reopened, content } = openLog(after);
      assert.equal(content.entries.length, whole - 1, `torn at ${length}`);
      write(after, reopened, entries(entry(whole, 2)));
      assert.equal(openLog(new MemoryDisk(after.files)).content.entries.at(-1)?.term, 2);
    }
  });

  it("cuts a torn write that lacks no more than one bit", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk);
    write(disk, log, { hardState: { term: 1, vote: 1, commit: 0 }, entries: [entry(1, 1)], mustSync: true });
    // The last set bit of the record is that of its last index, 1.
    const hardState = { term: 2, vote: 1, commit: 0 };
    write(disk, log, { hardState, entries: [], mustSync: true });
    const torn = copy(disk.files);
    damage(torn, segmentPath(1), (bytes) => {
      const last = bytes.findLastIndex((byte) => byte === 1);
      bytes.fill(0, last);
    });
    const { content, recoverTo } = openLog(new MemoryDisk(torn));
    assert.deepEqual([content.entries.length, recoverTo], [1, 0]);
    // The same bit alone is damage: the write was whole.
    const flipped = copy(disk.files);
    damage(flipped, segmentPath(1), (bytes) => void (bytes[bytes.findLastIndex((byte) => byte === 1)] = 0));
    assert.equal(openLog(new MemoryDisk(flipped)).recoverTo, 1);
  });

  it("does not take an old torn tail for records after a shorter write", () => {
    const disk = new MemoryDisk();
    const { log } = openLog(disk, { segmentBytes: 4096, growBytes: 4096 });
    write(disk, log, entries(entry(1, 1)));
    const first = disk.files.get(segmentPath(1))?.slice() as Uint8Array;
    write(disk, log, entries(entry(2, 1, "torn"), entry(3, 1), entry(4, 1), entry(5, 1)));
    const torn = copy(disk.files);
    const at = first.findLastIndex((byte) => byte !== 0) + 8;
    damage(torn, segmentPath(1), (bytes) => void bytes.fill(0, at & ~7, (at & ~7) + 16));
    const after = new MemoryDisk(torn);
    const { log: reopened, content } = openLog(after, { segmentBytes: 4096, growBytes: 4096 });
    assert.equal(content.entries.length, 1);
    write(after, reopened, entries(entry(2, 9, "torn")));
    assert.deepEqual(openLog(new MemoryDisk(after.files)).content.entries, [entry(1, 1), entry(2, 9, "torn")]);
  });
});

/** Writes as a follower's: terms rise with hard state, a conflicting tail is replaced above what is committed. */
const history = fc
  .array(
    fc.record({
      back: fc.nat({ max: 3 }),
      lengths: fc.array(fc.nat({ max: 60 }), { maxLength: 4 }),
      newTerm: fc.boolean(),
      commit: fc.boolean(),
    }),
    { minLength: 1, maxLength: 24 },
  )
  .map((steps) => {
    let [last, committed, term] = [0, 0, 1];
    return steps.map(({ back, lengths, newTerm, commit }, at): LogWrite => {
      if (newTerm || back > 0) term++;
      const first = Math.max(committed + 1, last + 1 - back);
      if (lengths.length > 0) last = first + lengths.length - 1;
      if (commit) committed = last;
      const hasHardState = at === 0 || newTerm || back > 0 || commit || lengths.length === 0;
      return {
        entries: lengths.map((length, offset) => entry(first + offset, term, "x".repeat(length))),
        hardState: hasHardState ? { term, vote: 1, commit: committed } : undefined,
        mustSync: true,
      };
    });
  });

/** What is in the torn part of the last write: nothing, the file's end, noise, or the write with a hole. */
const tail = fc.constantFrom("zeros", "cut", "noise", "hole" as const);

/** The files with the last write cut at each of its bytes. */
function* crashes(before: Files, after: Files, left: string): Generator<Files> {
  for (const [path, bytes] of after) {
    const old = before.get(path) ?? new Uint8Array(0);
    if (path === markerPath || path === votePath || Buffer.from(old).equals(bytes)) continue;
    const start = firstDifference(old, bytes);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    for (let at = start; at < end; at++) {
      const crashed = new Map(after);
      crashed.set(path, torn(old, bytes, at, end, left));
      yield crashed;
    }
  }
}

function torn(base: Uint8Array, bytes: Uint8Array, at: number, end: number, left: string): Uint8Array {
  if (left === "cut") return bytes.slice(0, Math.max(at, base.length));
  const result = bytes.slice();
  if (left === "hole") return result.fill(0, at, Math.min(end, at + 9));
  result.fill(0, at);
  if (left === "noise") for (let offset = at; offset < end; offset++) result[offset] = (offset * 197 + at) % 251;
  return result;
}

function firstDifference(left: Uint8Array, right: Uint8Array): number {
  return right.findIndex((byte, at) => byte !== (left[at] ?? 0));
}

/** Entries of `found` are those of `whole` up to some record, and none of the durable ones is lost that `whole` keeps. */
function assertBetween(found: unknown, durable: unknown, whole: unknown): void {
  const [middle, low, high] = [found, durable, whole] as { entries: string[]; hardState: HardState }[];
  assert(middle && low && high);
  const { term, commit } = middle.hardState;
  assert(commit >= low.hardState.commit && commit <= high.hardState.commit);
  assert.deepEqual(middle.entries.slice(0, commit), high.entries.slice(0, commit), "what is committed stays so");
  for (const text of middle.entries) assert(Number(text.split(" ")[1]) <= term, "a term comes before its entries");
  const common = low.entries.findIndex((text, at) => text !== high.entries[at]);
  const kept = common === -1 ? low.entries.length : common;
  assert.deepEqual(middle.entries.slice(0, kept), low.entries.slice(0, kept));
  const isOld = JSON.stringify(middle.entries) === JSON.stringify(low.entries);
  const isPrefix = middle.entries.every((text, at) => text === high.entries[at]);
  assert(isOld || isPrefix, `neither old nor a prefix of the new: ${JSON.stringify(middle.entries)}`);
}

/** What a dead process left may not be durable: file, names and first marker are made so before anyone hears of them. */
function assertMadeDurable({ requests, files }: MemoryDisk): void {
  const lastSegment = [...files.keys()]
    .filter((path) => path.endsWith(".seg"))
    .sort()
    .at(-1);
  assert.deepEqual(requests.slice(-4), ["syncFolder log", "syncFolder ", `write ${markerPath}`, `sync ${markerPath}`]);
  if (lastSegment) assert(requests.includes(`sync ${lastSegment}`), "the last segment is synced");
  const firstSegment = requests.findIndex((request) => request === `write ${segmentPath(1)}`);
  if (firstSegment !== -1) assert(requests.slice(0, firstSegment).includes(`sync ${markerPath}`));
}

function copy(files: Files): Files {
  return new Map([...files].map(([path, bytes]) => [path, bytes.slice()]));
}
