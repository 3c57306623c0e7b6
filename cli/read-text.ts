import { closeSync, openSync, readSync } from "node:fs";
import { IkadaError } from "../src/base/errors.js";

/** Certificates, tokens, templates. */
const textBytesMax = 1024 * 1024;

/** @throws IkadaError NotFound when the file is missing, TooLarge, Invalid when it can't be read */
export function readText(file: string): string {
  return new TextDecoder().decode(readBytes(file, textBytesMax));
}

/**
 * A file's content, or that of standard input for `-`. It is counted while it is read: pipes and devices have no size before.
 * @throws IkadaError NotFound when it is missing, TooLarge, Invalid when it can't be read
 */
export function readBytes(file: string, bytesMax: number): Uint8Array {
  const name = file === "-" ? "standard input" : file;
  try {
    const descriptor = file === "-" ? 0 : openSync(file, "r");
    try {
      return readAll(name, descriptor, bytesMax);
    } finally {
      if (file !== "-") closeSync(descriptor);
    }
  } catch (caught) {
    if (caught instanceof IkadaError) throw caught;
    const { code, message } = caught as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new IkadaError("NotFound", `cannot read ${name}: no such file`, {}, caught);
    throw new IkadaError("Invalid", `cannot read ${name}: ${message}`, {}, caught);
  }
}

function readAll(name: string, descriptor: number, bytesMax: number): Uint8Array {
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const part = new Uint8Array(64 * 1024);
    const count = readSome(descriptor, part);
    if (count === 0) return Buffer.concat(parts, size);
    size += count;
    if (size > bytesMax)
      throw new IkadaError("TooLarge", `${name} has more than ${bytesMax} bytes, the most that is read from one file`);
    parts.push(part.subarray(0, count));
  }
}

function readSome(descriptor: number, part: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, part);
    } catch (caught) {
      const { code } = caught as NodeJS.ErrnoException;
      // The end of a terminal's input, on some systems; and a terminal or pipe that is not to be waited for, which is waited for.
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw caught;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}
