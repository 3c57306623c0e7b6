/**
 * Nodes by their numbers, in groups, each group with its best node at hand: a binary heap that knows where everything is. The best is the
 * one with the highest rank, among equals with the lowest order, among those with the lowest number.
 */
export class RankedRooms {
  readonly #rank: Float64Array;
  readonly #order: Uint32Array;
  /** Place in its group's heap; -1 for one that is in none. */
  readonly #place: Int32Array;
  readonly #groupOf: string[];
  readonly #groups = new Map<string, number[]>();
  #size = 0;

  constructor(count: number) {
    this.#rank = new Float64Array(count);
    this.#order = new Uint32Array(count);
    this.#place = new Int32Array(count).fill(-1);
    this.#groupOf = Array.from<string>({ length: count }).fill("");
  }

  get size(): number {
    return this.#size;
  }

  get groups(): ReadonlyMap<string, readonly number[]> {
    return this.#groups;
  }

  has(room: number): boolean {
    return (this.#place[room] as number) >= 0;
  }

  rank(room: number): number {
    return this.#rank[room] as number;
  }

  order(room: number): number {
    return this.#order[room] as number;
  }

  /** Puts a node in, or where it belongs now. */
  put(room: number, group: string, rank: number, order: number): void {
    if (this.has(room) && this.#groupOf[room] !== group) this.remove(room);
    this.#rank[room] = rank;
    this.#order[room] = order;
    let heap = this.#groups.get(group);
    if (heap === undefined) this.#groups.set(group, (heap = []));
    if (!this.has(room)) {
      this.#groupOf[room] = group;
      this.#place[room] = heap.length;
      heap.push(room);
      this.#size += 1;
    }
    this.#rise(heap, this.#place[room] as number);
    this.#sink(heap, this.#place[room] as number);
  }

  remove(room: number): void {
    const at = this.#place[room] as number;
    if (at < 0) return;
    const group = this.#groupOf[room] as string;
    const heap = this.#groups.get(group) as number[];
    const last = heap.pop() as number;
    this.#place[room] = -1;
    this.#size -= 1;
    if (heap.length === 0) this.#groups.delete(group);
    if (last === room) return;
    heap[at] = last;
    this.#place[last] = at;
    this.#rise(heap, at);
    this.#sink(heap, this.#place[last]);
  }

  #isBetter(left: number, right: number): boolean {
    const byRank = (this.#rank[left] as number) - (this.#rank[right] as number);
    if (byRank !== 0) return byRank > 0;
    const byOrder = (this.#order[left] as number) - (this.#order[right] as number);
    return byOrder === 0 ? left < right : byOrder < 0;
  }

  #rise(heap: number[], from: number): void {
    const room = heap[from] as number;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const other = heap[above] as number;
      if (!this.#isBetter(room, other)) break;
      this.#set(heap, at, other);
      at = above;
    }
    this.#set(heap, at, room);
  }

  #sink(heap: number[], from: number): void {
    const room = heap[from] as number;
    let at = from;
    for (;;) {
      let below = at * 2 + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && this.#isBetter(heap[below + 1] as number, heap[below] as number)) below += 1;
      const other = heap[below] as number;
      if (!this.#isBetter(other, room)) break;
      this.#set(heap, at, other);
      at = below;
    }
    this.#set(heap, at, room);
  }

  #set(heap: number[], at: number, room: number): void {
    heap[at] = room;
    this.#place[room] = at;
  }
}
