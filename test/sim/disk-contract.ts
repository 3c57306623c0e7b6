import assert from "node:assert/strict";
import type { Disk } from "../../src/base/env.js";

export interface OpenDisk {
  readonly disk: Disk;
  /** Lets time pass until `done()`. */
  readonly settle: (done: () => boolean) => Promise<void>;
}

/**
 * What every `Disk` does, real or simulated: one suite for both keeps the simulated one honest. To be called inside a
 * `describe`; `open` gives an empty disk for each test.
 */
export function diskContract(open: () => OpenDisk): void {
  const missing = /ENOENT/;

  it("contract: reads what was written, with zeros in gaps and short at the end", async () => {
    const { call, ask } = asking(open());
    await call((disk, done) => disk.write("a", 4, new Uint8Array([1, 2, 3]), done));
    assert.deepEqual(await ask((disk, done) => disk.read("a", 2, 4, done)), new Uint8Array([0, 0, 1, 2]));
    assert.deepEqual(await ask((disk, done) => disk.read("a", 5, 100, done)), new Uint8Array([2, 3]));
    assert.deepEqual(await ask((disk, done) => disk.read("a", 9, 100, done)), new Uint8Array(0));
    await call((disk, done) => disk.write("a", 5, new Uint8Array([9]), done));
    assert.deepEqual(await ask((disk, done) => disk.read("a", 4, 3, done)), new Uint8Array([1, 9, 3]));
    assert.equal(await ask((disk, done) => disk.size("a", done)), 7);
    await call((disk, done) => disk.sync("a", done));
  });

  it("contract: shortens and lengthens by truncate", async () => {
    const { call, ask } = asking(open());
    await call((disk, done) => disk.write("a", 0, new Uint8Array([1, 2, 3]), done));
    await call((disk, done) => disk.truncate("a", 1, done));
    await call((disk, done) => disk.truncate("a", 3, done));
    assert.deepEqual(await ask((disk, done) => disk.read("a", 0, 10, done)), new Uint8Array([1, 0, 0]));
  });

  it("contract: says what is missing", async () => {
    const { call, ask } = asking(open());
    assert.equal(await ask((disk, done) => disk.size("a", done)), -1);
    assert.deepEqual(await ask((disk, done) => disk.list("nowhere", done)), []);
    await assert.rejects(
      ask((disk, done) => disk.read("a", 0, 1, done)),
      missing,
    );
    await assert.rejects(
      call((disk, done) => disk.sync("a", done)),
      missing,
    );
    await assert.rejects(
      call((disk, done) => disk.truncate("a", 0, done)),
      missing,
    );
    await assert.rejects(
      call((disk, done) => disk.rename("a", "b", done)),
      missing,
    );
    await assert.rejects(
      call((disk, done) => disk.write("nowhere/a", 0, new Uint8Array(1), done)),
      missing,
    );
    await assert.rejects(
      call((disk, done) => disk.syncFolder("nowhere", done)),
      missing,
    );
    await call((disk, done) => disk.remove("a", done));
  });

  it("contract: lists the files of one folder in order; rename replaces, remove removes", async () => {
    const { call, ask } = asking(open());
    await call((disk, done) => disk.makeFolder("log/deep", done));
    await call((disk, done) => disk.makeFolder("log/deep", done));
    for (const [at, name] of ["log/c", "log/B", "log/a", "log/deep/x", "top"].entries()) {
      await call((disk, done) => disk.write(name, 0, new Uint8Array([at]), done));
    }
    assert.deepEqual(await ask((disk, done) => disk.list("log", done)), ["B", "a", "c"]);
    assert.deepEqual(await ask((disk, done) => disk.list("", done)), ["top"]);
    await call((disk, done) => disk.rename("log/c", "log/a", done));
    await call((disk, done) => disk.remove("log/B", done));
    await call((disk, done) => disk.syncFolder("log", done));
    assert.deepEqual(await ask((disk, done) => disk.list("log", done)), ["a"]);
    assert.deepEqual(await ask((disk, done) => disk.read("log/a", 0, 10, done)), new Uint8Array([0]));
    await call((disk, done) => disk.write("log/c", 0, new Uint8Array([7]), done));
    assert.deepEqual(await ask((disk, done) => disk.read("log/c", 0, 10, done)), new Uint8Array([7]));
  });
}

interface Asking {
  readonly call: (start: (disk: Disk, done: (error: Error | null) => void) => void) => Promise<void>;
  readonly ask: <T>(start: (disk: Disk, done: (error: Error | null, result: T) => void) => void) => Promise<T>;
}

/** Callbacks as promises, with the check that none runs inside its call. */
function asking({ disk, settle }: OpenDisk): Asking {
  const ask = async <T>(start: (disk: Disk, done: (error: Error | null, result: T) => void) => void): Promise<T> => {
    const answers: { readonly error: Error | null; readonly result: T }[] = [];
    start(disk, (error, result) => answers.push({ error, result }));
    assert.ok(answers.length < 1, "a completion never runs inside its call");
    await settle(() => answers.length > 0);
    const [answer] = answers;
    assert.ok(answer && answers.length === 1, "one completion");
    if (answer.error) throw answer.error;
    return answer.result;
  };
  return { ask, call: (start) => ask<void>((opened, done) => start(opened, (error) => done(error, undefined))) };
}
