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
import { close, entries, entry, openLog, summary, write } from "./log-fixture.js";

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
    assert.deepEqual(decodeHeader(bytes), header);
    for (let at = 0; at < headerBytes; at++) {
      const changed = bytes.slice();
      changed[at] = (changed[at] as number) ^ 4;
      assert.equal(typeof decodeHeader(changed), "string", `byte ${at}`);
    }
  });

  it("writes the bytes that version 1 has always written", () => {
    const disk = writeGoldenLog();
    const golden = parseHex(readFileSync(new URL("raft-log-v1.hex", fixtures), "utf8"));
    assert.equal(toHex(disk.files.get(segmentPath(1)) as Uint8Array), toHex(golden.segment));
    assert.equal(toHex(disk.files.get(markerPath) as Uint8Array), toHex(golden.marker));
  });

  it("reads the bytes that version 1 has always written", () => {
    const golden = parseHex(readFileSync(new URL("raft-log-v1.hex", fixtures), "utf8"));
    const disk = new MemoryDisk(
      new Map([
        [segmentPath(1), golden.segment],
        [markerPath, golden.marker],
      ]),
    );
    const { content } = openLog(disk);
    assert.deepEqual(summary(content), {
      hardState: { term: 2, vote: 1, commit: 1 },
      configuration: [1, 2, 3],
      entries: ["1 1 Normal ", "2 2 ConfChange new", "3 2 Normal end"],
    });
  });

  it("decodes no record from zeros", () => {
    assert.equal(decodeRecord(new Uint8Array(256), 0), undefined);
  });
});

/** A log with every kind of record and a replaced tail. */
function writeGoldenLog(): MemoryDisk {
  const disk = new MemoryDisk();
  const { log } = openLog(disk);
  write(disk, log, {
    configuration: Uint8Array.of(1, 2, 3),
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
