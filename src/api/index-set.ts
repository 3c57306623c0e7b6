/** Whole numbers from 0 as ordered intervals that neither touch nor overlap: a Job's completion indexes. */
export type IndexSet = readonly Interval[];

export interface Interval {
  readonly first: number;
  /** Not below `first`. */
  readonly last: number;
}

/**
 * The set that a text such as `1,3-5,7` names, all of it below `limit`; or what is wrong with the text. The form of a Job's
 * completedIndexes, failedIndexes and successPolicy: ascending, each index once.
 */
export function parseIndexes(text: string, limit: number): IndexSet | string {
  const set: Interval[] = [];
  if (text === "") return set;
  for (const part of text.split(",")) {
    const match = /^(\d{1,10})(?:-(\d{1,10}))?$/.exec(part);
    if (match === null) return `"${part.slice(0, 40)}" is neither an index nor a range such as 3-5`;
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (match[2] !== undefined && last <= first) return `"${part}" does not go up`;
    if (last >= limit) return `"${part}" is not below ${limit}, the number of completions`;
    const before = set.at(-1);
    if (before !== undefined && first <= before.last) return `"${part}" is not above what is in front of it`;
    set.push({ first, last });
  }
  return join(set);
}

/** As parseIndexes, for what was stored earlier: what makes no sense is left out, what is not below `limit` cut off. */
export function storedIndexes(text: string | undefined, limit: number): IndexSet {
  const found = (text ?? "").split(",").flatMap((part): Interval[] => {
    const known = parseIndexes(part, Number.POSITIVE_INFINITY);
    if (typeof known === "string") return [];
    return known.flatMap(({ first, last }) => (first < limit ? [{ first, last: Math.min(last, limit - 1) }] : []));
  });
  return join(found.sort((left, right) => left.first - right.first));
}

export function indexSetOf(indexes: Iterable<number>): IndexSet {
  const sorted = [...indexes].sort((left, right) => left - right);
  return join(sorted.map((index) => ({ first: index, last: index })));
}

export function unionOf(...sets: readonly IndexSet[]): IndexSet {
  return join(sets.flat().sort((left, right) => left.first - right.first));
}

export function sizeOf(set: IndexSet): number {
  return set.reduce((size, { first, last }) => size + last - first + 1, 0);
}

export function hasIndex(set: IndexSet, index: number): boolean {
  return set.some(({ first, last }) => first <= index && index <= last);
}

/** How many indexes are in both. */
export function overlapOf(one: IndexSet, other: IndexSet): number {
  let shared = 0;
  for (const a of one)
    for (const b of other) shared += Math.max(0, Math.min(a.last, b.last) - Math.max(a.first, b.first) + 1);
  return shared;
}

/** The indexes below `limit` that are not in the set, ascending. */
export function* missingFrom(set: IndexSet, limit: number): Generator<number> {
  let next = 0;
  for (const { first, last } of set) {
    for (; next < Math.min(first, limit); next++) yield next;
    next = Math.max(next, last + 1);
  }
  for (; next < limit; next++) yield next;
}

/** `1,3-5,7`: three and more in a row are a range. */
export function formatIndexes(set: IndexSet): string {
  return set
    .map(({ first, last }) =>
      last === first ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(",");
}

/** Intervals in order of their beginnings, with those that touch made one. */
function join(ordered: readonly Interval[]): IndexSet {
  const joined: Interval[] = [];
  for (const next of ordered) {
    const before = joined.at(-1);
    if (before === undefined || next.first > before.last + 1) joined.push(next);
    else joined[joined.length - 1] = { first: before.first, last: Math.max(before.last, next.last) };
  }
  return joined;
}
