import { constants } from "node:fs";
import { chmod, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ContainerIdentity } from "../core/runtime.js";
import { terminationMessageBytesMax, terminationOutput } from "../core/runtime.js";
import type { Engine } from "./engine.js";
import { engineDeadlines } from "./engine.js";
import { FrameSplitter } from "./frames.js";

/**
 * Files on this machine that containers write their last words to, one for each incarnation, mounted into it. A container can't put
 * another file in a mount's place, and links are not followed, so what is read here is this file or nothing.
 */
export class Messages {
  readonly #folder: string;
  /** Whose containers are being made: no list has them yet. */
  readonly #making = new Set<string>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** An empty file that every user may write; its path. `made` tells that the container is there, or will not be. */
  async create(identity: ContainerIdentity): Promise<{ readonly file: string; made(): void }> {
    const name = nameOf(identity);
    const file = join(this.#folder, name);
    this.#making.add(name);
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      const handle = await open(file, constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW, 0o666);
      await handle.close();
      // The process's umask took some of it.
      await chmod(file, 0o666);
    } catch (error) {
      this.#making.delete(name);
      throw error;
    }
    return { file, made: () => this.#making.delete(name) };
  }

  /** "" when nothing was written, or it is gone. */
  async read(identity: ContainerIdentity): Promise<string> {
    const file = join(this.#folder, nameOf(identity));
    try {
      const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(terminationMessageBytesMax), 0);
        return buffer.toString("utf8", 0, bytesRead);
      } finally {
        await handle.close();
      }
    } catch (error) {
      if (isMissing(error)) return "";
      throw error;
    }
  }

  async remove(identity: ContainerIdentity): Promise<void> {
    await rm(join(this.#folder, nameOf(identity)), { force: true });
  }

  /** Removes the files of containers that somebody else has removed. */
  async keepOnly(present: readonly ContainerIdentity[]): Promise<void> {
    const kept = new Set(present.map(nameOf));
    for (const name of await filesIn(this.#folder))
      if (!kept.has(name) && !this.#making.has(name)) await rm(join(this.#folder, name), { force: true });
  }
}

/** The end of a container's output, in place of a message. */
export async function endOfOutput(engine: Engine, id: string, tty: boolean): Promise<string> {
  const output = await engine.call(`output of ${id.slice(0, 12)}`, engineDeadlines.readMs, (abortSignal) =>
    engine.docker
      .getContainer(id)
      .logs({ follow: false, stdout: true, stderr: true, tail: terminationOutput.linesMax, abortSignal }),
  );
  if (tty) return lastBytes(output);
  const parts: Buffer[] = [];
  const splitter = new FrameSplitter((_, bytes) => parts.push(Buffer.from(bytes)));
  splitter.push(output);
  return lastBytes(Buffer.concat(parts));
}

function lastBytes(output: Buffer): string {
  return output.subarray(Math.max(0, output.length - terminationOutput.bytesMax)).toString("utf8");
}

function nameOf({ podUid, containerName, attempt }: ContainerIdentity): string {
  return `${podUid}_${containerName}_${attempt}`.replace(/[^a-zA-Z0-9_-]/g, "_");
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ENOENT";
}
