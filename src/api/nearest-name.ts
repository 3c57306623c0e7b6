/** The known name that is probably meant: the same but for case, or at most two (one in short names) letters away. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  let nearest: string | undefined;
  let least = name.length <= 4 ? 2 : 3;
  for (const candidate of known) {
    const distance = editDistance(lower, candidate.toLowerCase(), least);
    if (distance < least) {
      nearest = candidate;
      least = distance;
    }
  }
  return nearest;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment); `bound` when it is not less. */
function editDistance(left: string, right: string, bound: number): number {
  if (Math.abs(left.length - right.length) >= bound) return bound;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let row = 1; row <= left.length; row += 1) {
    const present = [row];
    for (let column = 1; column <= right.length; column += 1) {
      const same = left[row - 1] === right[column - 1];
      const least = Math.min(
        (last[column] ?? 0) + 1,
        (present[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      present.push(swapped ? Math.min(least, (beforeLast[column - 2] ?? 0) + 1) : least);
    }
    [beforeLast, last] = [last, present];
  }
  return Math.min(bound, last[right.length] ?? bound);
}
