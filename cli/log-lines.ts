import { harmless } from "./output.js";

/** Longer lines are printed in parts; what a part is of is held in memory. */
const lineLengthMax = 64 * 1024;

/** How log text is printed. */
export interface LogStyle {
  /** Before each line. */
  readonly prefix: string;
  /** Show what could act on a terminal instead of sending it there. */
  readonly harmless: boolean;
}

/** Makes whole lines of one container's log, which comes in pieces that end anywhere, in the midst of characters too. */
export class LogLines {
  readonly #style: LogStyle;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(style: LogStyle) {
    this.#style = style;
  }

  /** What to print now. */
  push(chunk: Uint8Array): string {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split("\n");
    this.#rest = lines.pop() ?? "";
    let text = lines.map((line) => this.#format(line)).join("");
    while (this.#rest.length > lineLengthMax) {
      text += this.#format(this.#rest.slice(0, lineLengthMax));
      this.#rest = this.#rest.slice(lineLengthMax);
    }
    return text;
  }

  /** What is left when the log ends without a line feed. */
  end(): string {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = "";
    return rest === "" ? "" : this.#format(rest);
  }

  #format(line: string): string {
    // Of a terminal's lines the feed is two characters, and means no harm.
    const shown = this.#style.harmless ? harmless(line.endsWith("\r") ? line.slice(0, -1) : line) : line;
    return `${this.#style.prefix}${shown}\n`;
  }
}
