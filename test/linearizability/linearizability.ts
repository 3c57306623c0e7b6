/** One operation of a history, in any unit of time. `returnedAt` is Infinity for one that happened and was never answered. */
export interface Operation<T> {
  readonly calledAt: number;
  readonly returnedAt: number;
  readonly what: T;
}

/** The sequential object that the history is compared with. Steps are pure. */
export interface Model<S, T> {
  readonly initial: S;
  /** The state after the operation, undefined when its observed answer is impossible in `state`. */
  step(state: S, what: T): S | undefined;
  /** Equal for equal states only. */
  identify(state: S): string;
}

export type Verdict<T> =
  | { readonly result: "linearizable" }
  /** Gave up after the budget; nothing is known. */
  | { readonly result: "unknown" }
  /** `prefix` is the longest order found, `stuck` the operation whose answer nothing before it explains. */
  | { readonly result: "illegal"; readonly prefix: readonly T[]; readonly stuck: T };

/** A call or a return in the doubly linked list of what is not placed yet. */
interface Mark {
  /** Position of the operation. */
  readonly operation: number;
  /** The operation's return; undefined for a return. */
  readonly return: Mark | undefined;
  readonly time: number;
  previous: Mark | undefined;
  next: Mark | undefined;
}

/**
 * Wing and Gong's search with Lowe's cache ("Testing for linearizability", 2017): is there one instant inside each
 * operation's closed interval such that their order explains every answer?
 */
export function checkLinearizable<S, T>(
  history: readonly Operation<T>[],
  model: Model<S, T>,
  stepsMax = 200_000,
): Verdict<T> {
  const head = markList(history);
  const placed = new Uint32Array(Math.ceil(history.length / 32));
  const seen = new Set<string>();
  const stack: { readonly mark: Mark; readonly before: S }[] = [];
  let state = model.initial;
  let returnsLeft = history.filter((operation) => operation.returnedAt !== Infinity).length;
  let longest: T[] = [];
  let stuck: T | undefined;
  let mark = head.next;
  for (let steps = 0; returnsLeft > 0; steps++) {
    if (steps >= stepsMax) return { result: "unknown" };
    if (mark?.return) {
      const { operation } = mark;
      const after = model.step(state, (history[operation] as Operation<T>).what);
      if (after !== undefined && isNew(seen, placed, operation, model.identify(after))) {
        stack.push({ mark, before: state });
        state = after;
        flip(placed, operation);
        unlink(mark);
        unlink(mark.return);
        if (mark.return.time !== Infinity) returnsLeft--;
        mark = head.next;
      } else {
        mark = mark.next;
      }
      continue;
    }
    // A return is reached: its call had to be placed before, in some other order.
    if (mark && stack.length >= longest.length) {
      longest = stack.map((step) => (history[step.mark.operation] as Operation<T>).what);
      stuck = (history[mark.operation] as Operation<T>).what;
    }
    const last = stack.pop();
    if (!last) return { result: "illegal", prefix: longest, stuck: stuck as T };
    state = last.before;
    flip(placed, last.mark.operation);
    relink(last.mark.return as Mark);
    relink(last.mark);
    if (last.mark.return?.time !== Infinity) returnsLeft++;
    mark = last.mark.next;
  }
  return { result: "linearizable" };
}

/** Calls and returns by time, calls first where they meet, behind an empty head. */
function markList<T>(history: readonly Operation<T>[]): Mark {
  const marks: Mark[] = [];
  history.forEach(({ calledAt, returnedAt }, operation) => {
    const end: Mark = { operation, return: undefined, time: returnedAt, previous: undefined, next: undefined };
    marks.push({ operation, return: end, time: calledAt, previous: undefined, next: undefined }, end);
  });
  marks.sort(
    (left, right) =>
      (left.time === right.time ? 0 : left.time - right.time) ||
      Number(left.return === undefined) - Number(right.return === undefined) ||
      left.operation - right.operation,
  );
  const head: Mark = { operation: -1, return: undefined, time: -Infinity, previous: undefined, next: undefined };
  let last = head;
  for (const mark of marks) {
    last.next = mark;
    mark.previous = last;
    last = mark;
  }
  return head;
}

function unlink(mark: Mark): void {
  if (mark.previous) mark.previous.next = mark.next;
  if (mark.next) mark.next.previous = mark.previous;
}

/** Undoes the last `unlink`. */
function relink(mark: Mark): void {
  if (mark.previous) mark.previous.next = mark;
  if (mark.next) mark.next.previous = mark;
}

function flip(placed: Uint32Array, operation: number): void {
  placed[operation >> 5] = (placed[operation >> 5] as number) ^ (1 << (operation & 31));
}

/** Whether this set of placed operations with this state is tried for the first time. */
function isNew(seen: Set<string>, placed: Uint32Array, operation: number, state: string): boolean {
  flip(placed, operation);
  const key = `${placed.join()}|${state}`;
  flip(placed, operation);
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}
