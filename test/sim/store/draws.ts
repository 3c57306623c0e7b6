import type { EtcdCommand, EtcdCompare, EtcdOperation, EtcdRange, EtcdTxn } from "../../../store/etcd.js";
import type { Compare, Operation, Txn } from "../../../store/store.js";
import { isInRange } from "../../linearizability/keyspace-model.js";
import type { SeededRandom } from "../random.js";
import type { Swarm } from "../swarm.js";

/** What all clients of a world draw from. */
export class Draws {
  /** Leases that were asked for, the newest last. */
  readonly leases: number[] = [];
  readonly #random: SeededRandom;
  readonly #swarm: Swarm;
  #values = 0;
  #leases = 0;

  constructor(random: SeededRandom, swarm: Swarm) {
    this.#random = random;
    this.#swarm = swarm;
  }

  key(): string {
    return `k${"/".repeat(this.#random.int(2))}${this.#random.int(this.#swarm.keys)}`;
  }

  prefix(): string {
    return this.#random.pick(["", "", "k", "k/", "k1"]);
  }

  range(): EtcdRange {
    const key = this.key();
    return this.#random.pick([
      { key, end: "" },
      { key, end: "" },
      { key: "\0", end: "\0" },
      { key: "k", end: "l" },
      { key, end: "\0" },
      { key: "k/", end: key },
      { key: "k/1", end: "k1" },
    ]);
  }

  /** Every value is written once in a world. */
  value(): Uint8Array {
    this.#values++;
    const padding = "x".repeat(this.#random.int(this.#swarm.valueBytesMax));
    return new TextEncoder().encode(`${this.#values}:${padding}`);
  }

  /** On objects: a few of them, each key changed once in it, on conditions that may hold. */
  txn(revision: number): Txn {
    const random = this.#random;
    const compares = Array.from({ length: random.pick([0, 0, 1, 1, 2]) }, (): Compare => {
      const target = random.pick(["version", "createRevision", "modRevision"] as const);
      const operator = random.pick(["=", "!=", "<", ">"] as const);
      return { key: this.key(), target, operator, operand: this.#operand(target, revision) };
    });
    return { compares, success: this.#operations(1), failure: this.#operations(random.int(2)) };
  }

  command(revision: number): EtcdCommand {
    const random = this.#random;
    const draw = random.next();
    if (draw < 0.12) {
      this.#leases += 1;
      this.leases.push(this.#leases);
      return { type: "grant", lease: this.#leases, ttlSeconds: random.chance(0.5) ? 1 : 1000 };
    }
    if (draw < 0.2 && this.leases.length > 0) return { type: "revoke", lease: random.pick(this.leases.slice(-4)) };
    return { type: "txn", txn: this.etcdTxn(revision, 2) };
  }

  etcdTxn(revision: number, depth: number): EtcdTxn {
    return this.#etcdTxn(revision, depth, { puts: new Set(), deletes: [] });
  }

  /** One that changes nothing. */
  reading(revision: number): EtcdTxn {
    const reads = (): EtcdOperation[] => [this.#read(), this.#read()];
    return { compares: [this.#compare(revision)], success: reads(), failure: reads() };
  }

  #operations(most: number): Operation[] {
    const random = this.#random;
    const keys = new Set(Array.from({ length: random.between(0, most + 1) }, () => this.key()));
    return [...keys].map((key) =>
      random.chance(0.25)
        ? { type: "delete", key }
        : { type: "put", key, value: this.value(), revisionAt: random.chance(0.2) ? 1 : -1 },
    );
  }

  #etcdTxn(
    revision: number,
    depth: number,
    taken: { readonly puts: Set<string>; readonly deletes: EtcdRange[] },
  ): EtcdTxn {
    const random = this.#random;
    const branch = (): EtcdOperation[] => {
      const operations: EtcdOperation[] = [];
      for (let left = random.between(1, 3); left > 0; left--) {
        const draw = random.next();
        if (draw < 0.55) {
          const put = this.#put();
          if (taken.puts.has(put.key) || taken.deletes.some((range) => isInRange(range, put.key))) continue;
          taken.puts.add(put.key);
          operations.push(put);
        } else if (draw < 0.72) {
          const range = this.range();
          if ([...taken.puts].some((key) => isInRange(range, key))) continue;
          taken.deletes.push(range);
          operations.push({ type: "delete", range });
        } else if (draw < 0.88 || depth === 0) operations.push(this.#read());
        else operations.push({ type: "txn", txn: this.#etcdTxn(revision, depth - 1, taken) });
      }
      return operations;
    };
    const compares = Array.from({ length: random.int(3) }, () => this.#compare(revision));
    return { compares, success: branch(), failure: branch() };
  }

  #put(): EtcdOperation & { type: "put" } {
    const random = this.#random;
    const value = random.chance(0.08) ? undefined : this.value();
    const some = this.leases.length > 0 && random.chance(0.4) ? random.pick(this.leases.slice(-4)) : 0;
    return { type: "put", key: this.key(), value, lease: random.chance(0.12) ? undefined : some };
  }

  #read(): EtcdOperation {
    const random = this.#random;
    return { type: "range", range: this.range(), limit: random.int(3), countOnly: random.chance(0.1) };
  }

  #compare(revision: number): EtcdCompare {
    const random = this.#random;
    const range = random.chance(0.7) ? { key: this.key(), end: "" } : this.range();
    const operator = random.pick(["=", "!=", "<", ">"] as const);
    const target = random.pick(["version", "createRevision", "modRevision", "lease", "value"] as const);
    if (target === "value") return { range, operator, target, operand: new TextEncoder().encode(`${random.int(30)}:`) };
    if (target === "lease")
      return { range, operator, target, operand: random.chance(0.5) ? 0 : (this.leases.at(-1) ?? 0) };
    return { range, operator, target, operand: this.#operand(target, revision) };
  }

  #operand(target: "version" | "createRevision" | "modRevision", revision: number): number {
    const random = this.#random;
    return target === "version" ? random.int(3) : Math.max(0, revision - random.int(6));
  }
}
