import assert from "node:assert/strict";
import { extract, pack, type Header } from "tar-stream";
import { ArchiveFilter } from "../../../node-agent/docker/archive-filter.js";

type Named = Partial<Header> & Pick<Header, "name">;

const owner = { uid: 1000, gid: 2000 };

async function filtered(
  entries: readonly (Named & { content?: string })[],
  rename?: string,
  entriesMax?: number,
): Promise<Header[]> {
  const source = pack();
  for (const { content, ...header } of entries) source.entry(header, content ?? "");
  source.finalize();
  const filter = new ArchiveFilter({ rename, owner, ...(entriesMax !== undefined && { entriesMax }) });
  const reader = extract();
  const headers: Header[] = [];
  const pieces: Uint8Array[] = [];
  for await (const chunk of source) pieces.push(...filter.push(chunk as Buffer));
  pieces.push(filter.end());
  reader.end(Buffer.concat(pieces));
  for await (const entry of reader) {
    entry.resume();
    headers.push(entry.header);
  }
  return headers;
}

describe("what reaches the engine of a caller's archive", () => {
  it("is its files, folders and links, of the container's user, under the name that was asked for", async () => {
    const headers = await filtered(
      [
        { name: "from", type: "directory", uid: 0 },
        { name: "./from/file", content: "x".repeat(700), uid: 0, mode: 0o640 },
        { name: "from/link", type: "symlink", linkname: "/etc/passwd" },
      ],
      "to",
    );
    assert.deepEqual(
      headers.map(({ name, type, size, uid, gid, linkname }) => [
        name.replace(/\/$/, ""),
        type,
        size,
        uid,
        gid,
        linkname,
      ]),
      [
        ["to", "directory", 0, 1000, 2000, null],
        ["to/file", "file", 700, 1000, 2000, null],
        ["to/link", "symlink", 0, 1000, 2000, "/etc/passwd"],
      ],
    );
  });

  it("is nothing that leads out, no device, no hard link", async () => {
    const bad: Named[] = [
      { name: "../up" },
      { name: "a/../../up" },
      { name: "/absolute" },
      { name: "." },
      { name: "device", type: "character-device" },
      { name: "pipe", type: "fifo" },
      { name: "hard", type: "link", linkname: "etc/shadow" },
    ];
    for (const entry of bad) await assert.rejects(filtered([entry]), { reason: "BadRequest" }, entry.name);
    await assert.rejects(filtered([]), { reason: "BadRequest", message: /empty/ });
  });

  it("is nothing below a link that it has brought itself, however that is named", async () => {
    const link = { name: "app/link", type: "symlink", linkname: "/etc" } as const;
    for (const name of ["app/link/passwd", "./app//link/./passwd", "app/link/deeper/passwd"])
      await assert.rejects(filtered([link, { name, content: "x" }]), { reason: "BadRequest" }, name);
    await assert.rejects(
      filtered([link, { name: "app/link/", type: "directory" }, { name: "app/link/x" }, link, { name: "app/link/y" }]),
      {
        reason: "BadRequest",
      },
    );
    assert.equal((await filtered([link, { name: "app/link-not/passwd", content: "x" }])).length, 2);
    assert.equal((await filtered([link, { name: "app/link", content: "a file in its place" }])).length, 2);
  });

  it("is no sparse file, whose size is a word and not bytes, and no more entries than its bound", async () => {
    const sparse = { name: "big", pax: { "GNU.sparse.realsize": String(2 ** 40), "GNU.sparse.major": "1" } };
    await assert.rejects(filtered([sparse]), { reason: "BadRequest" });
    const many = Array.from({ length: 5 }, (_, at) => ({ name: `file-${at}` }));
    assert.equal((await filtered(many, undefined, 5)).length, 5);
    await assert.rejects(filtered(many, undefined, 4), { reason: "TooLarge" });
  });
});
