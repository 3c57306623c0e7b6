/**
 * What happened, as a 64-bit hash: two runs of a world are the same run when their hashes are equal.
 * With `lines` it also keeps the last lines as text.
 */
export class Trace {
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;
  readonly #linesMax: number;
  readonly #lines: string[] = [];
  readonly #print: ((line: string) => void) | undefined;

  constructor(linesMax: number, print?: (line: string) => void) {
    this.#linesMax = linesMax;
    this.#print = print;
  }

  /** False in fast runs: then callers skip building their lines. */
  get verbose(): boolean {
    return this.#linesMax > 0;
  }

  mix(value: number): void {
    let mixed = Math.imul(this.#low ^ (value | 0), 0x9e3779b1);
    mixed ^= mixed >>> 15;
    this.#low = mixed;
    this.#high = Math.imul(this.#high ^ mixed ^ Math.floor(value / 2 ** 32), 0x85ebca6b) ^ (this.#high >>> 13);
  }

  mixBytes(bytes: Uint8Array): void {
    this.mix(bytes.length);
    for (const byte of bytes) this.mix(byte);
  }

  line(timeUs: number, text: string): void {
    const line = `${(timeUs / 1000).toFixed(3).padStart(11)} ms  ${text}`;
    this.#print?.(line);
    this.#lines.push(line);
    if (this.#lines.length > this.#linesMax) this.#lines.shift();
  }

  lines(): readonly string[] {
    return this.#lines;
  }

  hash(): string {
    return hex(this.#high) + hex(this.#low);
  }
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}
