/** What strace saw of writes, syncs and acknowledgements, and whether each acknowledgement came after a durable write. */

/** A text that was proposed, and what was found of it in the trace. */
export interface Acknowledged {
  readonly text: string;
  /** Data folders that held it durably when it was acknowledged. */
  readonly durableIn: readonly string[];
}

interface Call {
  readonly name: string;
  readonly args: string;
}

/** Writes of one file that are not durable yet: which texts they carry, by the file. */
interface FileState {
  readonly written: Set<string>;
  readonly durable: Set<string>;
}

const line = /^(?:\[pid\s+)?(\d+)\]? +(.*)$/;
const begun = /^(\w+)\((.*)$/s;
const resumed = /^<\.\.\. (\w+) resumed>(.*)$/s;
const ended = /\) += +(-?\d+)(?:<.*>)?(?: .*)?$/s;
const segment = /^\d+<(.*\/log\/[0-9a-f]{16}\.seg)>/;

/**
 * Reads the output of `strace -f -y -o` in its order: a call counts as done at the line that has its result, and an
 * acknowledgement as sent at the line where its call begins. `acknowledges` tells from the arguments of a write which text it acknowledges.
 */
export function readTrace(
  trace: string,
  texts: readonly string[],
  acknowledges: (args: string) => readonly string[],
): Acknowledged[] {
  const files = new Map<string, FileState>();
  const pending = new Map<string, Call & { readonly covered: readonly string[] }>();
  const found = new Map<string, Acknowledged>();
  const begin = (call: Call): readonly string[] => {
    const path = segment.exec(call.args)?.[1];
    if (path === undefined) {
      for (const text of acknowledges(call.args))
        if (!found.has(text)) found.set(text, { text, durableIn: durableIn(files, text) });
      return [];
    }
    // A sync covers what was written before it was asked for.
    return isSync(call) ? [...(files.get(path)?.written ?? [])] : texts.filter((text) => call.args.includes(text));
  };
  const end = (call: Call, covered: readonly string[], result: number): void => {
    const path = segment.exec(call.args)?.[1];
    if (path === undefined || result < 0) return;
    const state = files.get(path) ?? { written: new Set(), durable: new Set() };
    files.set(path, state);
    for (const text of covered) (isSync(call) ? state.durable : state.written).add(text);
  };
  for (const each of trace.split("\n")) {
    const [, process = "", rest = ""] = line.exec(each) ?? [];
    const again = resumed.exec(rest);
    if (again) {
      const call = pending.get(process);
      pending.delete(process);
      const result = ended.exec(rest);
      if (call && result) end(call, call.covered, Number(result[1]));
      continue;
    }
    const [, name = "", args = ""] = begun.exec(rest) ?? [];
    if (name === "") continue;
    const covered = begin({ name, args });
    const result = ended.exec(rest);
    if (result) end({ name, args }, covered, Number(result[1]));
    else pending.set(process, { name, args, covered });
  }
  return [...found.values()];
}

function isSync({ name }: Call): boolean {
  return name === "fdatasync" || name === "fsync";
}

function durableIn(files: ReadonlyMap<string, FileState>, text: string): string[] {
  const holding = [...files].filter(([, { durable }]) => durable.has(text)).map(([path]) => path);
  return [...new Set(holding.map((path) => path.slice(0, path.indexOf("/log/"))))];
}
