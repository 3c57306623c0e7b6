import { closeSync, openSync, writeSync } from "node:fs";
import type { FollowedWatch } from "../linearizability/nine-guarantees.js";
import { latin } from "../linearizability/keyspace-model.js";

/** Of a value, in the history. */
const shownBytesMax = 100;

/** What every call has, whatever it asks for. Times are the recorder's, monotonic, in milliseconds. */
export interface Call {
  readonly id: number;
  readonly worker: string;
  /** The server that was asked, or `any`. */
  readonly at: string;
  readonly kind: string;
  readonly calledAt: number;
  /** Infinity when nobody knows what became of it: it may still happen. */
  returnedAt: number;
  /** `unknown`: no answer, or one that does not tell whether it happened. */
  outcome: "ok" | "refused" | "unknown";
  /** Why it was refused, or has no answer. */
  reason?: string;
  /** That the answer tells: of the state that it was made on, or that it made. */
  revision?: number;
}

/** An answer that the model does not give: the end of a check. */
export class Deviation extends Error {
  override readonly name = "Deviation";

  constructor(call: Call | undefined, expected: string, got: string) {
    const lines = [`expected: ${expected}`, `got:      ${got}`];
    super([...(call ? [`operation ${textOf(call)}`] : []), ...lines].join("\n"));
  }
}

export function textOf(call: Call): string {
  return JSON.stringify(call, plain);
}

/** All that was called and seen: in memory for the check, and as lines in a file for people. */
export class Recorder {
  readonly #file: number;
  #lines: string[] = [];
  #bytes = 0;
  #calls = 0;

  constructor(file: string) {
    this.#file = openSync(file, "wx");
  }

  nextId(): number {
    this.#calls += 1;
    return this.#calls;
  }

  now(): number {
    return performance.now();
  }

  /** To be called once an outcome is there. */
  add(call: Call): void {
    this.#write(textOf(call));
  }

  addWatch({ name, sessions, until }: FollowedWatch): void {
    this.#write(JSON.stringify({ watch: name, until, sessions }));
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #write(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length;
    if (this.#bytes > 1024 * 1024) this.#flush();
  }

  #flush(): void {
    if (this.#lines.length > 0) writeSync(this.#file, `${this.#lines.join("\n")}\n`);
    this.#lines = [];
    this.#bytes = 0;
  }
}

/** Buffers are asked for what they are in JSON before a replacer sees them. */
function plain(this: Record<string, unknown>, name: string, value: unknown): unknown {
  const raw = this[name];
  if (raw instanceof Uint8Array) return latin(raw.subarray(0, shownBytesMax));
  return value === Infinity ? "never" : value;
}
