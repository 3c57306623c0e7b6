/** The output of one directive. */
export class Transcript {
  #text = "";
  /** Says nothing: the script is in its chatty beginnings. */
  isQuiet = false;

  write(text: string): void {
    if (!this.isQuiet) this.#text += text;
  }

  line(text: string): void {
    this.write(`${text}\n`);
  }

  /** A heading, and all that `body` writes indented below it. */
  section(heading: string, body: () => void): void {
    this.line(heading);
    const outer = this.#text;
    this.#text = "";
    try {
      body();
    } finally {
      const inner = this.#text.replace(/\n$/, "");
      this.#text =
        inner === ""
          ? outer
          : outer +
            inner
              .split("\n")
              .map((line) => `  ${line}\n`)
              .join("");
    }
  }

  /** What was written, which is no more then. */
  take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
