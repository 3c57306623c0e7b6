import assert from "node:assert/strict";
import * as fc from "fast-check";
import { extract, pack } from "tar-stream";
import { IkadaError } from "../../src/base/errors.js";
import { TarReader, type TarEntry } from "../../src/base/tar-reader.js";
import { tarEnd, tarHeader, tarPadding, type TarMember } from "../../src/base/tar-writer.js";

interface Read extends TarEntry {
  readonly content: string;
}

/** Reads in chunks of a size. */
function readAll(archive: Uint8Array, chunkBytes: number): Read[] {
  const reader = new TarReader();
  const found: Read[] = [];
  let [entry, parts]: [TarEntry | undefined, Buffer[]] = [undefined, []];
  for (let at = 0; at < archive.length; at += chunkBytes) {
    for (const event of reader.push(archive.subarray(at, at + chunkBytes))) {
      if (event.kind === "entry") [entry, parts] = [event.entry, []];
      else if (event.kind === "data") parts.push(Buffer.from(event.bytes));
      else found.push({ ...(entry as TarEntry), content: Buffer.concat(parts).toString() });
    }
  }
  assert.ok(reader.betweenEntries);
  return found;
}

function archiveOf(members: readonly (Omit<TarMember, "sizeBytes"> & { readonly content?: string })[]): Buffer {
  return Buffer.concat([
    ...members.flatMap(({ content = "", ...member }) => {
      const bytes = Buffer.from(content);
      return [tarHeader({ ...member, sizeBytes: bytes.length }), bytes, tarPadding(bytes.length)];
    }),
    tarEnd(),
  ]);
}

async function byLibrary(archive: Buffer): Promise<{ name: string; type: string; content: string }[]> {
  const found: { name: string; type: string; content: string }[] = [];
  const reader = extract();
  reader.end(archive);
  for await (const entry of reader) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    found.push({ name: entry.header.name, type: entry.header.type ?? "", content: Buffer.concat(parts).toString() });
  }
  return found;
}

/** A header of ours with a byte changed and the checksum made right again. */
function tampered(change: (block: Uint8Array) => void): Uint8Array {
  const block = tarHeader({ type: "file", path: "a", mode: 0o644, sizeBytes: 0, mtime: 0 });
  change(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.set(new TextEncoder().encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

describe("tar", () => {
  it("comes back as it was written, in chunks of any size, and as another reader reads it", async () => {
    const name = fc.stringMatching(/^[a-zé]{1,9}(\/[a-z]{1,40}){0,4}$/);
    const member = fc.record({ path: name, content: fc.string({ maxLength: 1_200 }), mtime: fc.nat(2 ** 31) });
    await fc.assert(
      fc.asyncProperty(fc.array(member, { maxLength: 5 }), fc.integer({ min: 1, max: 2_000 }), async (files, chunk) => {
        const archive = archiveOf(files.map((file) => ({ ...file, type: "file" as const, mode: 0o640 })));
        const read = readAll(archive, chunk);
        assert.deepEqual(
          read.map(({ path, content, mtime, mode }) => ({ path, content, mtime, mode })),
          files.map(({ path, content, mtime }) => ({
            path,
            content: Buffer.from(content).toString(),
            mtime,
            mode: 0o640,
          })),
        );
        const other = await byLibrary(archive);
        assert.deepEqual(
          other.map(({ name, content }) => [name, content]),
          read.map(({ path, content }) => [path, content]),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("has long names, links, folders and large sizes", async () => {
    const long = "x".repeat(300);
    const archive = archiveOf([
      { type: "folder", path: `${long}/d`, mode: 0o755, mtime: 1 },
      { type: "symlink", path: "link", linkPath: long, mode: 0o777, mtime: 1 },
    ]);
    const read = readAll(archive, 700);
    assert.deepEqual(
      read.map(({ type, path, linkPath }) => [type, path, linkPath]),
      [
        ["folder", `${long}/d/`, ""],
        ["symlink", "link", long],
      ],
    );
    assert.deepEqual(
      (await byLibrary(archive)).map(({ name, type }) => [name.replace(/\/$/, ""), type]),
      [
        [`${long}/d`, "directory"],
        ["link", "symlink"],
      ],
    );
    const size = 2 ** 40;
    const [event] = new TarReader().push(tarHeader({ type: "file", path: "big", mode: 0, sizeBytes: size, mtime: 0 }));
    assert.equal(event?.kind === "entry" && event.entry.sizeBytes, size);
  });

  it("reads what another writer has made: GNU's long names too", async () => {
    const archive = pack();
    archive.entry({ name: `deep/${"n".repeat(180)}` }, "content");
    archive.entry({ name: "hard", type: "link", linkname: "deep/x" });
    archive.entry({ name: "device", type: "character-device" });
    archive.finalize();
    const parts: Buffer[] = [];
    for await (const part of archive) parts.push(part as Buffer);
    assert.deepEqual(
      readAll(Buffer.concat(parts), 100).map(({ type, path, content }) => [type, path, content]),
      [
        ["file", `deep/${"n".repeat(180)}`, "content"],
        ["hardlink", "hard", ""],
        ["other", "device", ""],
      ],
    );
    const longName = new TextEncoder().encode(`${"g".repeat(150)}\0`);
    const gnu = Buffer.concat([
      tampered((block) => {
        block[156] = "L".charCodeAt(0);
        block.set(new TextEncoder().encode("00000000227\0"), 124);
      }),
      longName,
      tarPadding(longName.length),
      tarHeader({ type: "file", path: "short", mode: 0, sizeBytes: 0, mtime: 0 }),
      tarEnd(),
    ]);
    assert.deepEqual(
      readAll(gnu, 512).map(({ path }) => path),
      ["g".repeat(150)],
    );
  });

  it("refuses what is no tar, and names that would fill memory", () => {
    const refusal = (bytes: Uint8Array): string => {
      try {
        for (const event of new TarReader().push(bytes)) void event;
        return "taken";
      } catch (caught) {
        return caught instanceof IkadaError ? caught.reason : String(caught);
      }
    };
    assert.equal(refusal(new Uint8Array(512).fill(65)), "BadRequest");
    assert.equal(refusal(tampered((block) => block.fill(0xff, 124, 136))), "BadRequest");
    assert.equal(refusal(tampered((block) => block.set(new TextEncoder().encode("9999"), 124))), "BadRequest");
    const attributes = (size: string): Uint8Array =>
      tampered((block) => {
        block[156] = "x".charCodeAt(0);
        block.set(new TextEncoder().encode(`${size}\0`), 124);
      });
    assert.equal(refusal(attributes("07777777777")), "TooLarge");
    for (const record of ["", "x", "99 a=b\n", "4 a=b", "0 \n", "6 abc\n", "-1 a=b\n"]) {
      const bytes = new Uint8Array(512);
      bytes.set(new TextEncoder().encode(record));
      const size = Math.max(1, record.length).toString(8).padStart(11, "0");
      assert.equal(refusal(Buffer.concat([attributes(size), bytes])), "BadRequest", JSON.stringify(record));
    }
  });

  it("never throws anything but a refusal, whatever it is given", () => {
    const start = archiveOf([
      { type: "file", path: "n".repeat(120), mode: 0o644, mtime: 5, content: "hello" },
      { type: "symlink", path: "l", linkPath: "n", mode: 0o777, mtime: 5 },
    ]);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(start.length - 1), fc.nat(255)), { maxLength: 12 }), (changes) => {
        const bytes = Buffer.from(start);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          for (const event of new TarReader().push(bytes)) void event;
        } catch (caught) {
          assert.ok(caught instanceof IkadaError, String(caught));
        }
      }),
      { numRuns: 500 },
    );
  });
});
