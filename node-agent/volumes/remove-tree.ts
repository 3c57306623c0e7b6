import { constants } from "node:fs";
import { open, opendir, rename, rmdir, unlink, type FileHandle } from "node:fs/promises";
import { IkadaError } from "../../src/base/errors.js";
import { codeOf, pathOf } from "./beneath.js";

/**
 * Removes a folder and all below it, and nothing else, whatever is in it and whatever somebody does to it meanwhile. Names count from open
 * folders alone and no link is followed. Each folder below is moved up into the first one before anything in it is removed: so depth costs
 * neither stack nor long paths, and where something is mounted the kernel refuses the move (EBUSY, EXDEV) before its content is touched.
 * Names are bytes: not all of them are text. @throws IkadaError Unavailable when others fill it as fast as it is emptied
 */
export async function removeTree(path: string): Promise<void> {
  const top = await openFolder(path);
  try {
    let moved = 0;
    const moveUp = async (from: Buffer): Promise<string> => {
      for (;;) {
        const name = `${movedPrefix}${moved++}`;
        try {
          // An empty folder would be replaced: one that an earlier, broken off removal has left.
          await rename(from, `${pathOf(top)}/${name}`);
          return name;
        } catch (error) {
          if (codeOf(error) !== "ENOTEMPTY" && codeOf(error) !== "EEXIST") throw error;
        }
      }
    };
    const empty = async (at: Buffer): Promise<void> => emptied(top, await moveUp(at), moveUp);
    for (let pass = 0; (await removeEntries(top, empty)) > 0; pass++)
      if (pass >= passesMax) throw new IkadaError("Unavailable", `${path} is filled while it is removed`);
  } finally {
    await top.close();
  }
  await rmdir(path);
}

/** Takes all out of a folder that was moved up, folders to the same place, and removes it. */
async function emptied(top: FileHandle, name: string, moveUp: (from: Buffer) => Promise<string>): Promise<void> {
  const at = `${pathOf(top)}/${name}`;
  const folder = await openFolder(at);
  try {
    await removeEntries(folder, async (child) => void (await moveUp(child)));
  } finally {
    await folder.close();
  }
  await rmdir(at).catch((error: unknown) => {
    // It is looked at again.
    if (codeOf(error) !== "ENOTEMPTY") throw error;
  });
}

/** Removes what is no folder and hands over the others; gives how many there were. */
async function removeEntries(folder: FileHandle, onFolder: (at: Buffer) => Promise<void>): Promise<number> {
  let seen = 0;
  for await (const { name } of await opendir(pathOf(folder), { encoding: "buffer" as BufferEncoding })) {
    seen += 1;
    const at = Buffer.concat([Buffer.from(`${pathOf(folder)}/`), name as unknown as Buffer]);
    try {
      await unlink(at);
    } catch (error) {
      if (codeOf(error) === "EISDIR") await unlessGone(onFolder(at));
      else if (codeOf(error) !== "ENOENT") throw error;
    }
  }
  return seen;
}

/** Somebody else may have moved the folder away, or put a link in its place: the next pass looks at what is there then. */
async function unlessGone(done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ELOOP"].some((code) => code === codeOf(error))) throw error;
  }
}

function openFolder(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

/** In the first folder, which only this process fills. */
const movedPrefix = ".removing-";
/** One is enough where nobody else is at work. */
const passesMax = 1_000_000;
