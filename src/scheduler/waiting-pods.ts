import type { Member } from "./room.js";

/** The waiting Pods of one class, the oldest first. Taking one out costs as little as putting one in. */
export class WaitingPods {
  #ordered: Member[] = [];
  readonly #live = new Set<Member>();

  get size(): number {
    return this.#live.size;
  }

  add(member: Member): void {
    this.#live.add(member);
    const last = this.#ordered.at(-1);
    if (last === undefined || compareWaiting(last, member) <= 0) {
      this.#ordered.push(member);
      return;
    }
    let [low, high] = [0, this.#ordered.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareWaiting(this.#ordered[middle] as Member, member) < 0) low = middle + 1;
      else high = middle;
    }
    this.#ordered.splice(low, 0, member);
  }

  remove(member: Member): void {
    if (!this.#live.delete(member)) return;
    if (this.#ordered.length > 2 * this.#live.size + 16)
      this.#ordered = this.#ordered.filter((one) => this.#live.has(one));
  }

  *[Symbol.iterator](): Generator<Member> {
    for (const member of this.#ordered) if (this.#live.has(member)) yield member;
  }
}

/** Higher priority first, then older; of the same second those of one class together, which are then placed by one look at the nodes. */
export function compareWaiting(left: Member, right: Member): number {
  const byPriority = right.podClass.priority - left.podClass.priority;
  if (byPriority !== 0) return byPriority;
  const [a, b] = [left.pod.metadata, right.pod.metadata];
  return (
    compareText(a.creationTimestamp ?? "", b.creationTimestamp ?? "") ||
    (left.podClass === right.podClass ? 0 : compareText(left.podClass.key, right.podClass.key)) ||
    compareText(a.namespace ?? "", b.namespace ?? "") ||
    compareText(a.name, b.name)
  );
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
