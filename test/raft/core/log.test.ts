import assert from "node:assert/strict";
import * as fc from "fast-check";
import { RaftInvariantError } from "../../../raft/core/invariant.js";
import { RaftLog } from "../../../raft/core/log.js";
import { MemoryStorage } from "../../../raft/core/memory-storage.js";
import type { Entry, Term } from "../../../raft/core/types.js";
import { entry, logOf } from "./group.js";

function logWith(stable: readonly Entry[], committed = 0, applied = 0): { log: RaftLog; storage: MemoryStorage } {
  const storage = new MemoryStorage();
  storage.append(stable);
  return { log: new RaftLog(storage, committed, applied), storage };
}

function terms(log: RaftLog): Term[] {
  return log.entries(1, log.lastIndex + 1, Infinity).map(({ term }) => term);
}

describe("log", () => {
  it("holds what is durable and what is not as one", () => {
    const { log, storage } = logWith(logOf(1, 1));
    log.append(entry(2, 3));
    log.append(entry(2, 4));
    assert.deepEqual([log.lastIndex, log.durableIndex, log.lastTerm], [4, 2, 2]);
    assert.deepEqual(terms(log), [1, 1, 2, 2]);
    const entries = log.takeNewEntries(1);
    assert.equal(log.hasNewEntries, false);
    storage.append(entries);
    log.persisted(1);
    assert.equal(log.durableIndex, 4);
    assert.deepEqual(terms(log), [1, 1, 2, 2]);
  });

  it("gives entries within the bound of bytes, across the border of what is durable, but at least one", () => {
    const { log } = logWith([entry(1, 1, "aaaa"), entry(1, 2, "bbbb")]);
    log.append(entry(1, 3, "cccc"));
    log.append(entry(1, 4, "dddd"));
    const indexes = (from: number, bytesMax: number): number[] =>
      log.entries(from, 5, bytesMax).map(({ index }) => index);
    assert.deepEqual(indexes(1, 100), [1, 2, 3, 4]);
    assert.deepEqual(indexes(1, 12), [1, 2, 3]);
    assert.deepEqual(indexes(1, 4), [1]);
    assert.deepEqual(indexes(2, 0), [2]);
    assert.deepEqual(indexes(3, 7), [3]);
    assert.throws(() => log.entries(4, 6, 1), RaftInvariantError);
  });

  it("knows where a log with some term can first agree", () => {
    const { log } = logWith(logOf(1, 1, 3, 3, 5));
    const cases: [number, Term, number][] = [
      [5, 5, 5],
      [5, 4, 4],
      [4, 2, 2],
      [9, 9, 5],
      [3, 0, 0],
      [0, 1, 0],
    ];
    for (const [index, term, expected] of cases) assert.equal(log.agreementBefore(index, term), expected);
  });

  it("never moves the commit index back, nor behind its end", () => {
    const { log } = logWith(logOf(1, 1, 1), 2);
    assert.equal(log.commitTo(1), false);
    assert.equal(log.committed, 2);
    assert.throws(() => log.commitTo(4), /log ends at 3/);
  });

  it("refuses to start when storage lacks what was committed or applied", () => {
    assert.throws(() => logWith(logOf(1), 2), /entries were lost/);
    assert.throws(() => logWith(logOf(1), 1, 2), /entries were lost/);
    // The commit index is written lazily: the state machine may know better.
    assert.equal(logWith(logOf(1, 1), 1, 2).log.committed, 2);
  });

  it("hands out what is committed and durable, once, within bounds (corner 17)", () => {
    const { log, storage } = logWith([]);
    for (let index = 1; index <= 4; index++) log.append(entry(1, index, "1234"));
    log.commitTo(4);
    assert.deepEqual(log.takeCommitted(100), []);
    storage.append(log.takeNewEntries(1));
    log.persisted(1);
    assert.deepEqual(
      log.takeCommitted(8).map(({ index }) => index),
      [1, 2],
    );
    // Eight bytes are being applied: no more until they are done.
    assert.equal(log.canTakeCommitted(8), false);
    assert.equal(log.appliedTo(1), 0);
    assert.equal(log.appliedTo(2), 8);
    assert.deepEqual(
      log.takeCommitted(8).map(({ index }) => index),
      [3, 4],
    );
    assert.throws(() => log.appliedTo(5), RaftInvariantError);
    assert.throws(() => log.appliedTo(1), RaftInvariantError);
  });

  it("finds a configuration change that is committed and not applied", () => {
    const change: Entry = { ...entry(1, 2), type: "ConfChange" };
    const { log } = logWith([entry(1, 1), change, entry(1, 3)], 1);
    assert.equal(log.hasUnappliedConfChange(), false);
    log.commitTo(3);
    assert.equal(log.hasUnappliedConfChange(), true);
    log.takeCommitted(100);
    log.appliedTo(2);
    assert.equal(log.hasUnappliedConfChange(), false);
  });

  it("takes a late report of a replaced suffix for nothing, though the same entry has come back (ABA, corner 18)", () => {
    const { log, storage } = logWith(logOf(1));
    log.merge([entry(2, 2, "a"), entry(2, 3)]);
    const first = log.takeNewEntries(1);
    log.merge([entry(3, 2, "b")]);
    const second = log.takeNewEntries(2);
    // A leader of term 4 has the entry of term 2 again.
    log.merge([entry(2, 2, "a"), entry(4, 3)]);
    const third = log.takeNewEntries(3);

    storage.append(first);
    log.persisted(1);
    assert.equal(log.durableIndex, 1);
    storage.append(second);
    log.persisted(2);
    assert.equal(log.durableIndex, 1);
    assert.deepEqual(terms(log), [1, 2, 4]);
    storage.append(third);
    log.persisted(3);
    assert.equal(log.durableIndex, 3);
    assert.deepEqual(terms(log), [1, 2, 4]);
  });

  it("stops when persisted was reported before storage had the entries", () => {
    const { log } = logWith([]);
    log.append(entry(1, 1));
    log.takeNewEntries(1);
    assert.throws(() => log.persisted(1), /storage lacks/);
  });

  it("is at every step what the same inputs make of a plain array, in whatever order disks complete", () => {
    // Terms of leaders rise; each sends a suffix of its own log from somewhere above the commit index.
    const step = fc.oneof(
      fc.record({
        kind: fc.constant("merge" as const),
        at: fc.nat(6),
        count: fc.integer({ min: 1, max: 4 }),
        rises: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("take" as const) }),
      fc.record({ kind: fc.constant("persist" as const), early: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { log, storage } = logWith([]);
        let model: Entry[] = [];
        let term = 1;
        let number = 0;
        const writing: { number: number; entries: readonly Entry[] }[] = [];
        for (const each of steps) {
          if (each.kind === "merge") {
            if (each.rises) term++;
            const at = Math.min(each.at, model.length);
            const sent = Array.from({ length: each.count }, (_, place) => entry(term, at + 1 + place, `${term}`));
            const conflict = sent.find(({ index }) => model[index - 1]?.term !== term);
            if (conflict !== undefined) {
              model = [...model.slice(0, conflict.index - 1), ...sent.slice(conflict.index - 1 - at)];
            }
            log.merge(sent);
          } else if (each.kind === "take") {
            number++;
            writing.push({ number, entries: log.takeNewEntries(number) });
          } else {
            const done = writing.shift();
            if (done === undefined) continue;
            storage.append(done.entries);
            // A driver may put later entries into storage before it reports earlier ones.
            if (each.early && writing[0] !== undefined) storage.append(writing[0].entries);
            log.persisted(done.number);
          }
          assert.deepEqual(log.entries(1, log.lastIndex + 1, Infinity), model);
          for (let index = 1; index <= log.durableIndex; index++) {
            assert.equal(storage.term(index), model[index - 1]?.term);
          }
        }
        for (const done of [...writing, { number: ++number, entries: log.takeNewEntries(number) }]) {
          storage.append(done.entries);
          log.persisted(done.number);
        }
        assert.equal(log.durableIndex, model.length);
      }),
      { numRuns: 500 },
    );
  });
});

describe("memory storage", () => {
  it("replaces what is there already and cuts what is behind it", () => {
    const storage = new MemoryStorage();
    storage.append(logOf(1, 1, 1));
    storage.append([entry(2, 2)]);
    assert.deepEqual([storage.lastIndex(), storage.term(2), storage.term(3)], [2, 2, undefined]);
    assert.throws(() => storage.append([entry(2, 4)]), /do not join/);
  });

  it("knows the term of the entry before its first", () => {
    const storage = new MemoryStorage({ index: 5, term: 2 });
    storage.append([entry(3, 6)]);
    assert.deepEqual(
      [storage.firstIndex(), storage.term(5), storage.term(4), storage.lastIndex()],
      [6, 2, undefined, 6],
    );
    assert.throws(() => storage.entries(5, 7, 100), /not in storage/);
    assert.throws(() => storage.append([entry(3, 5)]), /do not join/);
  });
});
