import fs from "node:fs";
import path from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { invariant } from "../base/errors.js";
import type { FromDiskThread, ToDiskThread } from "./disk-thread.js";

/** The other end of disk-thread.ts: one request after the other, each a system call that blocks this thread alone. */

invariant(parentPort !== null, "this file is the entry of a worker thread");
const port = parentPort;
const root = workerData as string;

/** Files kept open; only the last segment, the marker and the vote are in use all the time. */
const handlesMax = 8;
const handles = new Map<string, number>();

port.on("message", (request: ToDiskThread) => {
  if (request.type === "close") {
    for (const file of handles.keys()) forget(file);
    port.close();
    return;
  }
  port.postMessage({ id: request.id, ...attempt(() => run(request)) } satisfies FromDiskThread);
});

function attempt(work: () => void): Pick<FromDiskThread, "error"> {
  try {
    work();
    return { error: undefined };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { error: { message, code } };
  }
}

function run(request: Exclude<ToDiskThread, { type: "close" }>): void {
  const { file } = request;
  if (request.type === "forget") return forget(file);
  if (request.type === "syncFolder") return syncFolder(file);
  const descriptor = handle(file, request.type === "write");
  if (request.type !== "write") return fs.fdatasyncSync(descriptor);
  const { bytes, offset } = request;
  for (let written = 0; written < bytes.length;)
    written += fs.writeSync(descriptor, bytes, written, bytes.length - written, offset + written);
}

function handle(file: string, create: boolean): number {
  const flags = fs.constants.O_RDWR | (create ? fs.constants.O_CREAT : 0);
  const descriptor = handles.get(file) ?? fs.openSync(path.join(root, file), flags, 0o600);
  // Re-inserted, so that the table's order is that of the last use.
  handles.delete(file);
  handles.set(file, descriptor);
  const [oldest] = handles.keys();
  if (handles.size > handlesMax && oldest !== undefined) forget(oldest);
  return descriptor;
}

function forget(file: string): void {
  const descriptor = handles.get(file);
  handles.delete(file);
  if (descriptor !== undefined) fs.closeSync(descriptor);
}

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(path.join(root, folder), "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
