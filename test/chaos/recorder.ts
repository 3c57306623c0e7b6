import { closeSync, openSync, writeSync } from "node:fs";
import type { Call, CallEvent, RecordedLine } from "../linearizability/recorded.js";

/** So much is kept in memory before it is written. */
const bufferedCharactersMax = 64 * 1024;

/** What one call was about: all of a line but its place in the history. */
export interface RecordedCallStart {
  readonly proc: string;
  readonly node: string;
  readonly f: Call;
  readonly key: string;
  readonly value?: string;
  readonly from?: number;
}

/** How it ended. */
export type RecordedCallEnd = Pick<CallEvent, "type"> & Partial<Pick<CallEvent, "value" | "revision" | "reason">>;

/** Writes a history (test/linearizability/recorded.ts) to a file, on one clock. */
export class Recorder {
  readonly file: string;
  readonly #descriptor: number;
  readonly #zero = process.hrtime.bigint();
  #buffered: string[] = [];
  #bufferedCharacters = 0;
  #sequence = 0;

  /** @throws Error when the file is there already */
  constructor(file: string) {
    this.file = file;
    this.#descriptor = openSync(file, "wx", 0o600);
  }

  /** Before the call is sent. */
  begun(call: RecordedCallStart): void {
    this.#call(call, { type: "invoke" });
  }

  /** After its answer was understood. */
  ended({ proc, node, f, key }: RecordedCallStart, end: RecordedCallEnd): void {
    this.#call({ proc, node, f, key }, end);
  }

  /** What is no call. */
  add(line: RecordedLine): void {
    const text = `${JSON.stringify(line)}\n`;
    this.#buffered.push(text);
    this.#bufferedCharacters += text.length;
    if (this.#bufferedCharacters > bufferedCharactersMax) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#descriptor);
  }

  #call(call: RecordedCallStart, end: RecordedCallEnd): void {
    const t = Number(process.hrtime.bigint() - this.#zero);
    this.#sequence += 1;
    this.add({ line: "call", t, seq: this.#sequence, ...call, ...end });
  }

  #flush(): void {
    writeSync(this.#descriptor, this.#buffered.join(""));
    this.#buffered = [];
    this.#bufferedCharacters = 0;
  }
}
