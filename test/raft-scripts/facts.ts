/** What an output says, sorted by how much it matters whether another implementation says it too. */
export interface Facts {
  /** What a probe shows (states, progress, logs), and errors. */
  readonly probes: readonly string[];
  /** Of each node, in order: hard states, entries and snapshots written, entries applied. */
  readonly written: readonly string[];
  /** Between nodes, sent and received, in alphabetical order. */
  readonly messages: readonly string[];
  /** Everything but what the implementation says of its own doing. */
  readonly lines: readonly Line[];
}

export interface Line {
  readonly text: string;
  /** From 0, in the output with everything. */
  readonly place: number;
}

const logLine = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /;

/** Directives whose whole output is a probe. */
const probing = new Set(["raft-state", "status", "raft-log", "compact"]);

export function factsOf(command: string, args: readonly string[], output: string): Facts {
  const lines = linesOf(output);
  const texts = lines.map(({ text }) => text);
  if (probing.has(command)) return { probes: texts, written: [], messages: [], lines };
  const reader = new OutputReader(args[0] ?? "");
  for (const text of joinMessages(texts.map((line) => line.trimStart()))) reader.read(text);
  return { probes: reader.errors, written: reader.written, messages: reader.messages.sort(), lines };
}

/** Log lines are no output; an output of nothing else is `ok`. */
function linesOf(output: string): Line[] {
  const lines = output
    .replace(/\n$/, "")
    .split("\n")
    .map((text, place) => ({ text: text.trimEnd(), place }))
    .filter(({ text }) => !logLine.test(text));
  return lines.length === 0 ? [{ text: "ok", place: 0 }] : lines;
}

/** A message with several entries, a snapshot or answers inside takes several lines: one again. Ones inside of others stay marked by `Responses:[`. */
function joinMessages(lines: readonly string[]): string[] {
  const joined: string[] = [];
  let isOpen = false;
  for (const line of lines) {
    const isInside = isOpen || line.startsWith("Snapshot: ");
    if (isInside && joined.length > 0) joined.push(`${joined.pop()!} ${line}`);
    else joined.push(line);
    if (line.endsWith("Entries:[")) isOpen = true;
    if (isOpen && line.startsWith("]")) isOpen = false;
  }
  return joined;
}

type Section = "none" | "written" | "applied" | "messages" | "thread";

const headings = new Map<string, Section>([
  ["Entries:", "written"],
  ["CommittedEntries:", "applied"],
  ["Messages:", "messages"],
  // What a thread does was printed when it was handed over.
  ["Processing:", "thread"],
  ["Responses:", "thread"],
]);

class OutputReader {
  readonly errors: string[] = [];
  readonly messages: string[] = [];
  readonly #written = new Map<string, string[]>();
  readonly #applied = new Map<string, string[]>();
  readonly #hardStates = new Map<string, string[]>();
  #section: Section = "none";
  #node: string;

  constructor(node: string) {
    this.#node = node;
  }

  get written(): string[] {
    const nodes = [...new Set([...this.#hardStates.keys(), ...this.#written.keys(), ...this.#applied.keys()])].sort();
    return nodes.flatMap((node) => {
      const states = (this.#hardStates.get(node) ?? []).map((text) => `${node}: ${text}`);
      const writes = (this.#written.get(node) ?? []).map((text) => `${node} writes: ${text}`);
      return states.concat(
        writes,
        (this.#applied.get(node) ?? []).map((text) => `${node} applies: ${text}`),
      );
    });
  }

  read(line: string): void {
    const heading = /^> (\d+) (handling Ready|receiving messages|processing (append|apply) thread)$/.exec(line);
    if (heading !== null) {
      this.#node = heading[1]!;
      this.#section = "none";
      return;
    }
    const section = headings.get(line);
    if (section !== undefined) this.#section = section;
    else if (/^(\d+)\/(\d+) Entry/.test(line))
      this.#add(this.#section === "applied" ? this.#applied : this.#written, line);
    else if (line.startsWith("HardState ")) this.#addHardState(line);
    else if (line.startsWith("Snapshot Index:")) this.#add(this.#written, line);
    else if (!this.#readMessage(line) && !structure.test(line)) this.errors.push(line);
  }

  #add(to: Map<string, string[]>, line: string): void {
    const list = to.get(this.#node);
    if (list === undefined) to.set(this.#node, [line]);
    else list.push(line);
  }

  /** Written twice or once is the same. */
  #addHardState(line: string): void {
    if (this.#hardStates.get(this.#node)?.at(-1) !== line) this.#add(this.#hardStates, line);
  }

  #readMessage(line: string): boolean {
    const route = /^(?:dropped: )?(\w+)->(\w+) Msg\w+ /.exec(line);
    if (route === null) return false;
    const [, from, to] = route;
    const isWithinNode = from === to || [from, to].some((end) => end === "AppendThread" || end === "ApplyThread");
    if (this.#section !== "thread" && !isWithinNode) this.messages.push(line);
    return true;
  }
}

/** How the output is arranged. */
const structure = /^(Ready MustSync=(true|false):|<empty Ready>|Lead:\d+ State:\w+|ReadStates .*|ok|no messages|\])$/;
