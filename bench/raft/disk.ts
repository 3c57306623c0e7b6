import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { percentile } from "../measure.js";

export interface DiskRate {
  /** Durable writes in a second, one after the other. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const fileBytes = 16 * 1024 * 1024;

/** What the disk does by itself: pwrite of `bytes` into a zero-filled file, then fdatasync, without any event loop between them. */
export function durableWrites(bytes: number, durationMs: number): DiskRate {
  const folder = mkdtempSync(join(tmpdir(), "ikada-bench-disk-"));
  const file = openSync(join(folder, "file"), "w");
  try {
    writeSync(file, Buffer.alloc(fileBytes), 0, fileBytes, 0);
    fdatasyncSync(file);
    const data = Buffer.alloc(bytes, "d");
    const took: number[] = [];
    const start = performance.now();
    for (let at = 0; performance.now() - start < durationMs; at = (at + bytes) % (fileBytes - bytes)) {
      const sinceMs = performance.now();
      writeSync(file, data, 0, bytes, at);
      fdatasyncSync(file);
      took.push(performance.now() - sinceMs);
    }
    const rate = (took.length * 1000) / (performance.now() - start);
    return { rate, p50Ms: percentile(took, 0.5), p99Ms: percentile(took, 0.99) };
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true });
  }
}
