import type { EtcdCompare, EtcdOperation, EtcdRange, EtcdTxn } from "../../store/etcd.js";
import { isInRange } from "../linearizability/keyspace-model.js";
import type { SeededRandom } from "../sim/random.js";

/** Keys that collide, with prefixes of each other and bytes at both ends of what there is. */
const keys = [
  ...Array.from({ length: 12 }, (_, at) => `m/${at.toString().padStart(2, "0")}`),
  "m/",
  "m/0",
  "m/0\0",
  "m/0\xff",
  "m/00\0",
  "n/1",
  "n/2",
  "n/\xff",
  "o",
  "\x01",
];
const ends = ["", "", "\0", "m/05", "m0", "n/2", "n0", "\xff\xff"] as const;

/** What it takes to draw an operation on etcd's keyspace. */
export interface EtcdDraws {
  readonly random: SeededRandom;
  /** Never the same twice. */
  readonly value: () => Uint8Array;
  /** One that may be there; 0: none is. */
  readonly lease: () => number;
  /** The newest revision that was heard of. */
  readonly revision: () => number;
}

export function drawKey(random: SeededRandom): string {
  return random.pick(keys);
}

export function drawRange(random: SeededRandom): EtcdRange {
  if (random.chance(0.1)) return { key: "\0", end: "\0" };
  return { key: drawKey(random), end: random.pick(ends) };
}

export function drawPut(draws: EtcdDraws): EtcdOperation & { type: "put" } {
  const { random } = draws;
  const keepsValue = random.chance(0.04);
  const keepsLease = random.chance(0.06);
  const value = keepsValue ? undefined : draws.value();
  const lease = keepsLease ? undefined : random.chance(0.2) ? draws.lease() : 0;
  return { type: "put", key: drawKey(random), value, lease };
}

/** A transaction in which no key is changed twice; with others inside up to two deep. */
export function drawTxn(draws: EtcdDraws): EtcdTxn {
  return new TxnDraw(draws).txn(2);
}

/** One that only reads. */
export function drawReadTxn({ random, revision }: EtcdDraws): EtcdTxn {
  const reads = (): EtcdOperation[] => Array.from({ length: random.between(1, 3) }, () => drawRead(random));
  const compares = Array.from({ length: random.int(3) }, () => drawCompare(random, revision()));
  return { compares, success: reads(), failure: reads() };
}

class TxnDraw {
  readonly #draws: EtcdDraws;
  readonly #puts = new Set<string>();
  readonly #deletes: EtcdRange[] = [];

  constructor(draws: EtcdDraws) {
    this.#draws = draws;
  }

  txn(depth: number): EtcdTxn {
    const { random, revision } = this.#draws;
    const compares = Array.from({ length: random.int(3) }, () => drawCompare(random, revision()));
    return { compares, success: this.#operations(depth), failure: this.#operations(depth) };
  }

  #operations(depth: number): EtcdOperation[] {
    const { random } = this.#draws;
    const operations: EtcdOperation[] = [];
    for (let left = random.between(depth === 2 ? 1 : 0, 4); left > 0; left -= 1) {
      const draw = random.next();
      if (draw < 0.5) this.#put(operations);
      else if (draw < 0.65) this.#delete(operations);
      else if (draw < 0.85 || depth === 0) operations.push(drawRead(random));
      else operations.push({ type: "txn", txn: this.txn(depth - 1) });
    }
    return operations;
  }

  #put(operations: EtcdOperation[]): void {
    const put = drawPut(this.#draws);
    if (this.#puts.has(put.key) || this.#deletes.some((range) => isInRange(range, put.key))) return;
    this.#puts.add(put.key);
    operations.push(put);
  }

  #delete(operations: EtcdOperation[]): void {
    const { random } = this.#draws;
    const range = random.chance(0.5) ? { key: drawKey(random), end: "" } : drawNarrow(random);
    if ([...this.#puts].some((key) => isInRange(range, key))) return;
    this.#deletes.push(range);
    operations.push({ type: "delete", range });
  }
}

/** A few keys only: what is deleted all the time leaves nothing to see. */
export function drawNarrow(random: SeededRandom): EtcdRange {
  return random.pick([
    { key: "m/0", end: "m/00" },
    { key: "m/02", end: "m/04" },
    { key: "m/10", end: "m0" },
    { key: "n/", end: "n0" },
  ]);
}

function drawRead(random: SeededRandom): EtcdOperation {
  const limit = random.chance(0.3) ? random.between(1, 4) : 0;
  return { type: "range", range: drawRange(random), limit, countOnly: random.chance(0.15) };
}

function drawCompare(random: SeededRandom, revision: number): EtcdCompare {
  const range = random.chance(0.8) ? { key: drawKey(random), end: "" } : drawRange(random);
  const operator = random.pick(["=", "!=", "<", ">"] as const);
  const kind = random.int(10);
  if (kind === 0) return { range, operator, target: "value", operand: random.bytes(random.int(3)) };
  if (kind === 1) return { range, operator, target: "lease", operand: 0 };
  if (kind < 5) return { range, operator, target: "version", operand: random.int(3) };
  const target = kind < 7 ? "createRevision" : "modRevision";
  return { range, operator, target, operand: random.chance(0.3) ? 0 : Math.max(0, revision - random.int(40)) };
}
