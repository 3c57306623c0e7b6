import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { IkadaError } from "../base/errors.js";
import type { ByteSource } from "../../store/backup/file.js";

/** A backup's file, open until `close`. */
export interface FileSource extends ByteSource {
  close(): void;
}

/** @throws IkadaError NotFound, Invalid for what can't be read */
export function openFileSource(file: string): FileSource {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (caught) {
    const { code, message } = caught as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new IkadaError("NotFound", `there is no file ${file}`, {}, caught);
    throw new IkadaError("Invalid", `${file} can't be read: ${message}`, {}, caught);
  }
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) {
    closeSync(descriptor);
    throw new IkadaError("Invalid", `${file} is no file`);
  }
  return {
    name: file,
    size: stat.size,
    read: (offset, length) => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, stat.size - offset)));
      for (let at = 0; at < bytes.length;) {
        const count = readSync(descriptor, bytes, at, bytes.length - at, offset + at);
        if (count === 0) return bytes.subarray(0, at);
        at += count;
      }
      return bytes;
    },
    close: () => closeSync(descriptor),
  };
}
