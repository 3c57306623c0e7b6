import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { IkadaError } from "../../src/base/errors.js";
import { tarEnd, tarHeader, tarPadding } from "../../src/base/tar-writer.js";

const pieceBytes = 64 * 1024;

/**
 * A tar of a local file or folder, read while it is sent. Links in it stay links; the path itself is followed. What is neither file, folder nor link is left
 * out and told.
 * @throws IkadaError NotFound, Conflict when a file shrinks meanwhile
 */
export async function* packFiles(
  path: string,
  onSkipped: (message: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const top = resolve(path);
  if (!statSync(top, { throwIfNoEntry: false })) throw new IkadaError("NotFound", `there is no ${path} here`);
  yield* packOne(top, basename(top) || "root", true, onSkipped);
  yield tarEnd();
}

async function* packOne(
  path: string,
  name: string,
  follow: boolean,
  onSkipped: (message: string) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const stat = follow ? statSync(path) : lstatSync(path);
  const common = { path: name, mode: stat.mode & 0o777, mtime: Math.floor(stat.mtimeMs / 1000) };
  if (stat.isSymbolicLink())
    yield tarHeader({ ...common, type: "symlink", linkPath: readlinkSync(path), sizeBytes: 0 });
  else if (stat.isDirectory()) {
    yield tarHeader({ ...common, type: "folder", sizeBytes: 0 });
    for (const child of readdirSync(path).sort())
      yield* packOne(join(path, child), `${name}/${child}`, false, onSkipped);
  } else if (stat.isFile()) {
    yield tarHeader({ ...common, type: "file", sizeBytes: stat.size });
    yield* contentOf(path, stat.size);
    yield tarPadding(stat.size);
  } else onSkipped(`${path}: neither file nor folder nor link`);
}

/** As many bytes as the header has promised. */
async function* contentOf(path: string, sizeBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await open(path);
  try {
    for (let left = sizeBytes; left > 0;) {
      const { bytesRead, buffer } = await file.read(new Uint8Array(Math.min(left, pieceBytes)));
      if (bytesRead === 0) throw new IkadaError("Conflict", `${path} has become shorter while it was copied`);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
