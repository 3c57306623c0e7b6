import type { Index, NodeId } from "./types.js";

/** A read that waits until the leader knows that it was still the leader after the read came in (thesis 6.4). */
export interface PendingRead {
  /** Who asked: the leader itself or a follower that forwarded. */
  readonly from: NodeId;
  readonly context: number;
  /** Whatever the asker wants back with the answer. */
  readonly session: number;
  /** The commit index when the read came in; 0 while the leader has committed nothing in its term. */
  index: Index;
  /** The first heartbeat position whose confirmation proves leadership after the read came in. */
  readonly position: number;
}

/**
 * The leader's queue of reads. All reads between two heartbeat rounds share one position; a round carries its
 * position out and the answers back. A position is issued once and never again, so an answer can't confirm a read
 * that came in after its heartbeat had left, whatever the age of the answer and whatever contexts callers reuse.
 */
export class ReadIndexQueue {
  #issued = 0;
  #waiting: PendingRead[] = [];

  get length(): number {
    return this.#waiting.length;
  }

  /** The position of the last heartbeat round. */
  get issued(): number {
    return this.#issued;
  }

  /** True when a read waits for a round that has not left. */
  get roundDue(): boolean {
    return this.#waiting.length > 0 && this.#waiting[this.#waiting.length - 1]!.position > this.#issued;
  }

  /** Adds a read. `index` is the commit index now, or 0 when it is not known to be current yet. */
  add(from: NodeId, context: number, session: number, index: Index): void {
    this.#waiting.push({ from, context, session, index, position: this.#issued + 1 });
  }

  /** The leader has committed in its term: reads that came in before get their index. Their positions stand. */
  resolveIndexes(commit: Index): void {
    for (const read of this.#waiting) {
      if (read.index === 0) read.index = commit;
    }
  }

  /** Position for a heartbeat round that leaves now. A new one when a read waits for it, or `always`. */
  issue(always = false): number {
    if (always || this.roundDue) this.#issued++;
    return this.#issued;
  }

  /** Removes and returns the reads that a quorum's acknowledgement of `position` confirms. */
  confirmed(position: number): readonly PendingRead[] {
    let count = 0;
    while (count < this.#waiting.length) {
      const read = this.#waiting[count]!;
      if (read.index === 0 || read.position > position) break;
      count++;
    }
    return count === 0 ? nothing : this.#waiting.splice(0, count);
  }

  /** Leadership is lost: nothing that waits can be confirmed any more. Positions go on rising. */
  clear(): void {
    this.#waiting = [];
  }
}

const nothing: readonly PendingRead[] = [];

/**
 * A follower's reads on their way to the leader. Each goes out under a number of its own, never used again in this
 * process; `incarnation` tells the answers to this process from those to an earlier one. So an old answer, whose
 * index may be behind what a client has been told since, never meets a new read that happens to have the same context.
 */
export class ForwardedReads {
  readonly incarnation: number;
  #lastNumber = 0;
  readonly #contexts = new Map<number, number>();

  constructor(incarnation: number) {
    this.incarnation = incarnation;
  }

  /** Notes a read and returns its number. Beyond `max` the oldest is given up: its answer was lost or is late. */
  add(context: number, max: number): number {
    if (this.#contexts.size >= max) {
      for (const oldest of this.#contexts.keys()) {
        this.#contexts.delete(oldest);
        break;
      }
    }
    this.#lastNumber++;
    this.#contexts.set(this.#lastNumber, context);
    return this.#lastNumber;
  }

  /** The context of an answered read, once; undefined when it isn't waited for. */
  take(number: number, incarnation: number): number | undefined {
    if (incarnation !== this.incarnation) return undefined;
    const context = this.#contexts.get(number);
    this.#contexts.delete(number);
    return context;
  }

  clear(): void {
    this.#contexts.clear();
  }
}
