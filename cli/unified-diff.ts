/** Lines around a change that are shown with it. */
const contextLines = 3;

/** More different lines than this are not matched with each other: all old ones go, all new ones come. */
const differencesMax = 1_000;

/** Common lines in both, in order: `[old, fresh]` indexes from 0. */
type Matches = readonly (readonly [old: number, fresh: number])[];

/**
 * The difference of two texts as `diff -u` writes it; empty when there is none. An empty text has no lines.
 */
export function unifiedDiff(oldName: string, freshName: string, oldText: string, freshText: string): string {
  const [old, fresh] = [linesOf(oldText), linesOf(freshText)];
  const matches = matchLines(old, fresh);
  const edits = editsOf(old, fresh, matches);
  const hunks = hunksOf(edits);
  if (hunks.length === 0) return "";
  return `--- ${oldName}\n+++ ${freshName}\n${hunks.join("")}`;
}

interface Edit {
  readonly mark: " " | "-" | "+";
  readonly line: string;
  /** Lines of each text before this one. */
  readonly old: number;
  readonly fresh: number;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  return text.replace(/\n$/, "").split("\n");
}

function editsOf(old: readonly string[], fresh: readonly string[], matches: Matches): Edit[] {
  const edits: Edit[] = [];
  let [a, b] = [0, 0];
  for (const [matchA, matchB] of [...matches, [old.length, fresh.length] as const]) {
    for (; a < matchA; a += 1) edits.push({ mark: "-", line: old[a]!, old: a, fresh: b });
    for (; b < matchB; b += 1) edits.push({ mark: "+", line: fresh[b]!, old: a, fresh: b });
    if (a < old.length && b < fresh.length) edits.push({ mark: " ", line: old[a]!, old: a, fresh: b });
    a += 1;
    b += 1;
  }
  return edits;
}

function hunksOf(edits: readonly Edit[]): string[] {
  const hunks: string[] = [];
  let at = 0;
  for (;;) {
    const first = edits.findIndex(({ mark }, index) => index >= at && mark !== " ");
    if (first < 0) return hunks;
    let last = first;
    // Changes with little between them share a hunk.
    for (let index = first; index < edits.length && index <= last + 2 * contextLines + 1; index += 1)
      if (edits[index]!.mark !== " ") last = index;
    const from = Math.max(first - contextLines, at);
    at = Math.min(last + contextLines + 1, edits.length);
    hunks.push(hunkText(edits.slice(from, at)));
  }
}

function hunkText(edits: readonly Edit[]): string {
  const range = (start: number, mark: "-" | "+"): string => {
    const count = edits.filter((edit) => edit.mark !== (mark === "-" ? "+" : "-")).length;
    return `${mark}${count === 0 ? start : start + 1}${count === 1 ? "" : `,${count}`}`;
  };
  const { old, fresh } = edits[0]!;
  const head = `@@ ${range(old, "-")} ${range(fresh, "+")} @@\n`;
  return head + edits.map(({ mark, line }) => `${mark}${line}\n`).join("");
}

/** Myers' shortest edit script (An O(ND) Difference Algorithm, 1986), with what both begin and end with taken off first. */
function matchLines(old: readonly string[], fresh: readonly string[]): Matches {
  let start = 0;
  while (start < old.length && start < fresh.length && old[start] === fresh[start]) start += 1;
  let [endA, endB] = [old.length, fresh.length];
  while (endA > start && endB > start && old[endA - 1] === fresh[endB - 1]) {
    endA -= 1;
    endB -= 1;
  }
  const prefix = Array.from({ length: start }, (_, index) => [index, index] as const);
  const suffix = Array.from({ length: old.length - endA }, (_, index) => [endA + index, endB + index] as const);
  const middle = shortest(old.slice(start, endA), fresh.slice(start, endB));
  return [...prefix, ...middle.map(([a, b]) => [a + start, b + start] as const), ...suffix];
}

function shortest(old: readonly string[], fresh: readonly string[]): Matches {
  if (old.length === 0 || fresh.length === 0) return [];
  const bound = Math.min(old.length + fresh.length, differencesMax);
  /** Per diagonal `old - fresh`, how far along `old` the best path has come; one copy for each number of differences. */
  const trace: Map<number, number>[] = [];
  let reached = new Map<number, number>([[1, 0]]);
  for (let differences = 0; differences <= bound; differences += 1) {
    trace.push(reached);
    const next = new Map(reached);
    for (let diagonal = -differences; diagonal <= differences; diagonal += 2) {
      let a = cameDown(reached, diagonal, differences)
        ? (reached.get(diagonal + 1) ?? 0)
        : (reached.get(diagonal - 1) ?? 0) + 1;
      while (a < old.length && a - diagonal < fresh.length && old[a] === fresh[a - diagonal]) a += 1;
      next.set(diagonal, a);
      if (a >= old.length && a - diagonal >= fresh.length) return walkBack(trace, old.length, fresh.length);
    }
    reached = next;
  }
  return [];
}

/** Whether the best way to a diagonal takes a line of `fresh`, as against one of `old`. */
function cameDown(reached: ReadonlyMap<number, number>, diagonal: number, differences: number): boolean {
  if (diagonal === -differences) return true;
  if (diagonal === differences) return false;
  return (reached.get(diagonal - 1) ?? -1) < (reached.get(diagonal + 1) ?? -1);
}

function walkBack(trace: readonly ReadonlyMap<number, number>[], lengthA: number, lengthB: number): Matches {
  const matches: [number, number][] = [];
  let [a, b] = [lengthA, lengthB];
  for (let differences = trace.length - 1; differences >= 0; differences -= 1) {
    const reached = trace[differences]!;
    const diagonal = a - b;
    const down = cameDown(reached, diagonal, differences);
    const fromA = reached.get(down ? diagonal + 1 : diagonal - 1) ?? 0;
    const fromB = fromA - (down ? diagonal + 1 : diagonal - 1);
    const [beginA, beginB] = differences === 0 ? [0, 0] : [fromA, fromB];
    while (a > beginA && b > beginB) {
      a -= 1;
      b -= 1;
      matches.push([a, b]);
    }
    [a, b] = [beginA, beginB];
  }
  return matches.reverse();
}
