import { createHash } from "node:crypto";
import { existsSync, mkdirSync, realpathSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { IkadaError } from "../src/base/errors.js";

/**
 * Makes sure that one agent at a time uses a data folder: holds a listening socket named after it, which the kernel frees when the
 * process ends, however it ends. On Linux the name is in the abstract namespace, elsewhere a file in the folder.
 * @throws IkadaError Conflict when another process has it
 */
export async function lockDataFolder(folder: string): Promise<{ close(): Promise<void> }> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { path, abstract } = lockOf(folder);
  let server = await listen(path);
  if (server === undefined && !abstract && !(await answers(path))) {
    // Left behind by a process that was killed.
    rmSync(path, { force: true });
    server = await listen(path);
  }
  if (server === undefined) {
    throw new IkadaError("Conflict", `another agent runs with the data folder ${folder}`, {
      hint: "stop it first, or give this one a folder of its own",
    });
  }
  const held = server;
  return { close: () => new Promise((resolve) => held.close(() => resolve())) };
}

/** Whether an agent uses the data folder now. */
export async function isDataFolderLocked(folder: string): Promise<boolean> {
  return existsSync(folder) && (await answers(lockOf(folder).path));
}

function lockOf(folder: string): { readonly path: string; readonly abstract: boolean } {
  const digest = createHash("sha256").update(realpathSync(folder)).digest("hex").slice(0, 32);
  const abstract = process.platform === "linux";
  return { abstract, path: abstract ? `\0ikada-agent-${digest}` : join(folder, "lock.socket") };
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(undefined);
      else reject(error);
    });
    server.listen({ path }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
