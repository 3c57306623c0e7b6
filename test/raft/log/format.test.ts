import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { crc32c } from "../../../raft/log/crc32c.js";
import {
  clusterHash,
  decodeHeader,
  decodeRecord,
  encodeHeader,
  headerBytes,
  segmentPath,
} from "../../../raft/log/format.js";
import { markerPath } from "../../../raft/log/marker.js";
import { MemoryDisk } from "../memory-disk.js";
import { close, entries, entry, openLog, point, summary, write } from "./log-fixture.js";

const fixtures = new URL("../../../../test/fixtures/", import.meta.url);

describe("format of the Raft log", () => {
  it("computes CRC-32C as RFC 3720 has it", () => {
    assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, at) => at)), 0x46dd794e);
  });

  it("continues a CRC from any split", () => {
    const bytes = Uint8Array.from({ length: 41 }, (_, at) => at * 7);
    for (let at = 0; at <= bytes.length; at++)
      assert.equal(crc32c(bytes, crc32c(bytes, 0, 0, at), at), crc32c(bytes), `split at ${at}`);
  });

  it("keeps header fields, and refuses each changed byte", () => {
    const header = {
      keyId: 0,
      cluster: clusterHash("a"),
      node: 3,
      sequence: 2 ** 40,
      firstIndex: 2 ** 52,
      previousCrc: 0xfedcba98,
    };
    const bytes = encodeHeader(header);
    assert.deepEqual(decodeHeader(bytes), { ...header, version: 2 });
    for (let at = 0; at < headerBytes; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ 4;
      assert.equal(typeof decodeHeader(changed), "string", `byte ${at}`);
    }
  });

  it("writes the bytes that version 2 has always written", () => {
    const disk = writeGoldenLog();
    const golden = readGolden("raft-log-v2.hex");
    assert.equal(toHex(disk.files.get(segmentPath(1)) as Uint8Array), toHex(golden.segment));
    assert.equal(toHex(disk.files.get(markerPath) as Uint8Array), toHex(golden.marker));
  });

  for (const version of [1, 2]) {
    it(`reads the bytes that version ${version} has always written, and goes on behind them`, () => {
      const { segment, marker } = readGolden(`raft-log-v${version}.hex`);
      const disk = new MemoryDisk(
        new Map([
          [segmentPath(1), segment],
          [markerPath, marker],
        ]),
      );
      const { log, content } = openLog(disk);
      const expected = {
        before: { index: 0, term: 0 },
        hardState: { term: 2, vote: 1, commit: 1 },
        configuration: [1, 2, 3],
        configurationIndex: 0,
        entries: ["1 1 Normal ", "2 2 ConfChange new", "3 2 Normal end"],
      };
      assert.deepEqual(summary(content), expected);
      write(disk, log, entries(entry(4, 2)));
      // A segment of version 1 is never appended to: the version that wrote it could not read it any more.
      assert.equal(disk.files.has(segmentPath(2)), version === 1);
      const after = { ...expected, entries: [...expected.entries, "4 2 Normal 2/4"] };
      assert.deepEqual(summary(openLog(new MemoryDisk(disk.files)).content), after);
    });
  }

  it("decodes no record from zeros", () => {
    assert.equal(decodeRecord(new Uint8Array(256), 0), undefined);
  });
});

/** A log with every kind of record and a replaced tail. */
function writeGoldenLog(): MemoryDisk {
  const disk = new MemoryDisk();
  const { log } = openLog(disk);
  write(disk, log, {
    configuration: point(0, 0, 1, 2, 3),
    hardState: { term: 1, vote: 3, commit: 0 },
    entries: [],
    mustSync: true,
  });
  write(disk, log, entries(entry(1, 1, ""), entry(2, 1, "old")));
  const replaced = { ...entry(2, 2, "new"), type: "ConfChange" as const };
  write(disk, log, {
    hardState: { term: 2, vote: 1, commit: 1 },
    entries: [replaced, entry(3, 2, "end")],
    mustSync: true,
  });
  close(disk, log);
  return disk;
}

function readGolden(name: string): { segment: Uint8Array; marker: Uint8Array } {
  return parseHex(readFileSync(new URL(name, fixtures), "utf8"));
}

/** Lines of 32 bytes, `name:` before each file; what is missing at the end is zeros up to a multiple of 256. */
function toHex(bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("hex")
      .match(/.{1,64}/g) ?? [];
  return lines
    .map((line, at) => `${(at * 32).toString(16).padStart(4, "0")} ${line}`)
    .filter((line) => !/ 0+$/.test(line))
    .join("\n");
}

function parseHex(text: string): { segment: Uint8Array; marker: Uint8Array } {
  const files: Record<string, Uint8Array> = {};
  let bytes = new Uint8Array(0);
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [first = "", hex = ""] = line.split(" ");
    if (first.endsWith(":")) files[first.slice(0, -1)] = bytes = new Uint8Array(Number(hex));
    else bytes.set(Buffer.from(hex, "hex"), Number.parseInt(first, 16));
  }
  const { segment, marker } = files;
  assert(segment && marker, "the fixture holds segment and marker");
  return { segment, marker };
}
