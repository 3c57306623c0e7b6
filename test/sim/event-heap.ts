import type { Process } from "./world.js";

export interface Event {
  timeUs: number;
  /** Breaks ties of time, so that the order is total. */
  sequence: number;
  /** Whose event it is, and of which incarnation; undefined for the world's own. */
  readonly process: Process | undefined;
  readonly epoch: number;
  /** Undefined after it was cancelled. */
  run: (() => void) | undefined;
}

/** A binary heap, earliest event first. */
export class EventHeap {
  readonly #events: Event[] = [];

  get size(): number {
    return this.#events.length;
  }

  peek(): Event | undefined {
    return this.#events[0];
  }

  push(event: Event): void {
    const events = this.#events;
    let at = events.length;
    events.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = events[parent] as Event;
      if (!before(event, above)) break;
      events[at] = above;
      at = parent;
    }
    events[at] = event;
  }

  pop(): Event | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || events.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= events.length) break;
      if (child + 1 < events.length && before(events[child + 1] as Event, events[child] as Event)) child++;
      const below = events[child] as Event;
      if (!before(below, last)) break;
      events[at] = below;
      at = child;
    }
    events[at] = last;
    return first;
  }
}

function before(left: Event, right: Event): boolean {
  return left.timeUs < right.timeUs || (left.timeUs === right.timeUs && left.sequence < right.sequence);
}
