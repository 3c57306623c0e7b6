import type { Entry } from "../../raft/core/types.js";
import { decodeChange } from "./change-codec.js";

/**
 * How much of what is committed one Ready carries, by etcd/raft's `max-committed-size-per-ready`: it counts encoded entries,
 * the core only their payload. At least one entry; and once not all fitted, no more until those have been applied.
 */
export class ApplyPacing {
  readonly #bytesMax: number;
  #bytes = 0;
  #isPaused = false;
  readonly #taken: number[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  allows(available: readonly Entry[]): boolean {
    return available.length > 0 && !this.#isPaused;
  }

  /** How many of these, the first ones, are handed out now. */
  take(available: readonly Entry[]): number {
    if (!this.allows(available)) return 0;
    let bytes = 0;
    let count = 0;
    for (const entry of available) {
      const size = encodedBytes(entry);
      if (count > 0 && this.#bytes + bytes + size > this.#bytesMax) break;
      bytes += size;
      count++;
    }
    this.#bytes += bytes;
    this.#taken.push(bytes);
    this.#isPaused = this.#bytes >= this.#bytesMax || count < available.length;
    return count;
  }

  /** What the oldest unfinished `take` gave has been applied. */
  applied(): void {
    this.#bytes -= this.#taken.shift() ?? 0;
    this.#isPaused = this.#bytes >= this.#bytesMax;
  }
}

/** Of etcd/raft's protocol buffers: fields of 0 are there, those that were not set are not. */
function encodedBytes(entry: Entry): number {
  const place = 2 + varintBytes(entry.term) + varintBytes(entry.index);
  if (entry.type === "Normal") return place + field(entry.data.length);
  const { v1, steps } = decodeChange(entry);
  const stepBytes = steps.map(({ node }) => 3 + varintBytes(node));
  if (entry.data.length === 0) return place + 2;
  if (v1) return place + 2 + field(stepBytes[0] ?? 0);
  return place + 2 + field(stepBytes.reduce((sum, bytes) => sum + field(bytes), 2));
}

function field(bytes: number): number {
  return bytes === 0 ? 0 : 1 + varintBytes(bytes) + bytes;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
