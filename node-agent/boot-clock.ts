import { readFileSync } from "node:fs";
import { uptime } from "node:os";
import type { BootClock } from "./core/lease-book.js";

/** The kernel's. Linux counts time asleep too; where the start of the machine has no name, each process is one. */
export function hostBootClock(): BootClock {
  return { bootId: bootId(), sinceBootMs: () => uptime() * 1000 };
}

function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    // Leases of an earlier process are unknown then, and have run out.
    return `process-${process.pid}-${Date.now()}`;
  }
}
