import fs from "node:fs";
import path from "node:path";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { invariant } from "../base/errors.js";
import type { DiskThreadData, FromDiskThread, ToDiskThread } from "./disk-thread.js";

/** The other end of disk-thread.ts: one request after the other, each a system call that blocks this thread alone. */

invariant(parentPort !== null, "this file is the entry of a worker thread");
const port = parentPort;
const { root, asked } = workerData as DiskThreadData;

/** Files kept open; only the last segment, the marker and the vote are in use all the time. */
const handlesMax = 8;
const handles = new Map<string, number>();

type Work = Exclude<ToDiskThread, { type: "close" }>;

serve();

/** Until it is told to close. There is no event loop meanwhile: nothing else happens on this thread. */
function serve(): void {
  for (;;) {
    // Read before the port is, so that what comes behind the port's last message is no reason to sleep.
    const seen = Atomics.load(asked, 0);
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) {
      const request = next.message as ToDiskThread;
      if (request.type === "close") return close();
      port.postMessage({ id: request.id, ...attempt(request) } satisfies FromDiskThread);
    }
    Atomics.wait(asked, 0, seen);
  }
}

function close(): void {
  for (const file of handles.keys()) forget(file);
  port.close();
}

function attempt(request: Work): Omit<FromDiskThread, "id"> {
  let isWritten = false;
  try {
    run(request, () => (isWritten = true));
    return { error: undefined, isWritten: true };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { error: { message, code }, isWritten };
  }
}

function run(request: Work, onWritten: () => void): void {
  const { file } = request;
  if (request.type === "forget") return forget(file);
  if (request.type === "syncFolder") return syncFolder(file);
  if (!("bytes" in request)) return fs.fdatasyncSync(handle(file, false));
  const { bytes, offset } = request;
  const descriptor = handle(file, true);
  for (let written = 0; written < bytes.length;)
    written += fs.writeSync(descriptor, bytes, written, bytes.length - written, offset + written);
  onWritten();
  return request.type === "write" ? undefined : fs.fdatasyncSync(descriptor);
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
