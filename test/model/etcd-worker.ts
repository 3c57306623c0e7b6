import { setTimeout as sleep } from "node:timers/promises";
import { etcdserverpb as pb } from "#proto/etcd.js";
import { IkadaError } from "../../sdk/index.js";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import { type EtcdCommand, type EtcdOperation, type EtcdOutcome, textOf } from "../../store/etcd.js";
import { unknowns } from "../chaos/recording-client.js";
import type { SeededRandom } from "../sim/random.js";
import type { CommandCall, CompactCall, EtcdCall, LeaseCall, RangeCall, RangeQuery } from "./etcd-calls.js";
import { drawNarrow, drawPut, drawRange, drawReadTxn, drawTxn, type EtcdDraws } from "./etcd-draw.js";
import { type EtcdConnection, putToWire, rangeToWire, recordFromWire, txnFromWire, txnToWire } from "./etcd-wire.js";
import type { Call, Recorder } from "./recorded.js";

const deadlineMs = 8_000;
/** Longer than any run: these end by being revoked. */
const longTtlSeconds = 100_000;
/** The shortest that there is: these run out. */
const shortTtlSeconds = 2;
/** After a call that nobody answered: a server that is down refuses the next one at once, and many of them are no test. */
const pauseMs = 250;
/** Together more than one response of a watch, and still one entry of the log. */
const largeValueBytes = 300_000;
const largeValues = 4;
/** Changes that are left to be read behind a compaction, at least. */
const keptRevisions = 150;

/** What the workers on etcd's keyspace know together. */
export class EtcdSite {
  readonly calls: EtcdCall[] = [];
  readonly recorder: Recorder;
  readonly connections: readonly EtcdConnection[];
  /** The newest revision that was heard of, and the highest that somebody wanted compacted. */
  revision = 0;
  compacted = 0;
  /** The revision up to which all watches of everything have seen everything: what is behind it is not compacted, or they could not go on. */
  witnessed: () => number = () => 0;
  /** Leases that keys may be put on. */
  readonly leases: number[] = [];
  #values = 0;
  #leases = 0;

  constructor(recorder: Recorder, connections: readonly EtcdConnection[]) {
    this.recorder = recorder;
    this.connections = connections;
  }

  nextValue(): Uint8Array {
    this.#values += 1;
    return Buffer.from(`e${this.#values}`);
  }

  nextLease(): number {
    this.#leases += 1;
    return this.#leases;
  }

  heard(revision: number): void {
    this.revision = Math.max(this.revision, revision);
  }

  /** A revision in the past, mostly near, now and then one that is compacted. */
  past(random: SeededRandom): number {
    if (random.chance(0.05)) return random.between(1, Math.max(1, this.revision));
    const oldest = random.chance(0.7) ? Math.max(this.compacted, this.revision - 200) : this.compacted;
    return random.between(Math.max(1, oldest), Math.max(1, this.revision));
  }
}

/** One client of etcd's services, which does one thing after the other. */
export class EtcdWorker {
  readonly #name: string;
  readonly #site: EtcdSite;
  readonly #random: SeededRandom;
  readonly #draws: EtcdDraws;

  constructor(name: string, site: EtcdSite, random: SeededRandom) {
    this.#name = name;
    this.#site = site;
    this.#random = random;
    this.#draws = {
      random,
      value: () => site.nextValue(),
      lease: () => (site.leases.length > 0 ? random.pick(site.leases) : 0),
      revision: () => site.revision,
    };
  }

  /** @throws IkadaError for what no fault explains */
  async one(): Promise<void> {
    const random = this.#random;
    const draw = random.next();
    if (draw < 0.001) return this.#large();
    if (draw < 0.27) return this.#command("put", this.#txnOf([drawPut(this.#draws)]));
    if (draw < 0.5) return this.#command("txn", { type: "txn", txn: drawTxn(this.#draws) });
    if (draw < 0.54) return this.#command("read txn", { type: "txn", txn: drawReadTxn(this.#draws) });
    if (draw < 0.6) return this.#command("delete range", this.#txnOf([{ type: "delete", range: this.#toDelete() }]));
    if (draw < 0.77) return this.#range("range", 0);
    if (draw < 0.93) return this.#range("range of a past revision", this.#site.past(random));
    if (draw < 0.955) return this.#grant();
    if (draw < 0.975) return this.#revoke();
    if (draw < 0.997) return this.#lease();
    return this.compact();
  }

  /** Compacts a part of the history that is there. */
  async compact(): Promise<void> {
    const site = this.#site;
    const most = Math.min(site.revision - keptRevisions, site.witnessed());
    if (most <= site.compacted) return this.#range("range", 0);
    const to = this.#random.between(site.compacted + 1, most);
    site.compacted = Math.max(site.compacted, to);
    const call: CompactCall = { ...this.#begin("compact"), f: "compact", to };
    await this.#do(call, async (connection) => {
      const { header } = await connection.ask(etcdMethods.compact, { revision: to }, deadlineMs);
      return header?.revision;
    });
  }

  /** So much that a watch has to tell it in parts. Gone at once, for reads of everything to stay small. */
  async #large(): Promise<void> {
    const success = Array.from({ length: largeValues }, (_, at): EtcdOperation => {
      const value = Buffer.concat([this.#site.nextValue(), Buffer.alloc(largeValueBytes, "-")]);
      return { type: "put", key: `z/${at}`, value, lease: 0 };
    });
    await this.#command("large txn", this.#txnOf(success));
    await this.#command("delete range", this.#txnOf([{ type: "delete", range: { key: "z/", end: "z0" } }]));
  }

  #toDelete(): ReturnType<typeof drawRange> {
    const random = this.#random;
    return random.chance(0.5) ? { ...drawRange(random), end: "" } : drawNarrow(random);
  }

  #txnOf(success: readonly EtcdOperation[]): EtcdCommand {
    return { type: "txn", txn: { compares: [], success, failure: [] } };
  }

  async #command(kind: string, command: EtcdCommand): Promise<void> {
    const call: CommandCall = { ...this.#begin(kind), f: "command", command };
    await this.#do(call, async (connection) => {
      const { revision, result } = await send(connection, kind, command);
      call.result = result;
      return revision;
    });
  }

  async #grant(): Promise<void> {
    const lease = this.#site.nextLease();
    const isShort = this.#random.chance(0.3);
    await this.#command("grant", {
      type: "grant",
      lease,
      ttlSeconds: isShort ? shortTtlSeconds : longTtlSeconds,
    });
    this.#site.leases.push(lease);
    if (this.#site.leases.length > 12) this.#site.leases.shift();
  }

  async #revoke(): Promise<void> {
    const { leases } = this.#site;
    if (leases.length === 0) return this.#range("range", 0);
    const [lease] = leases.splice(this.#random.int(leases.length), 1);
    return this.#command("revoke", { type: "revoke", lease: lease! });
  }

  async #lease(): Promise<void> {
    const { leases } = this.#site;
    if (leases.length === 0) return this.#range("range", 0);
    const lease = this.#random.pick(leases);
    const call: LeaseCall = { ...this.#begin("lease time to live"), f: "lease", lease };
    await this.#do(call, async (connection) => {
      const answer = await connection.ask(etcdMethods.leaseTimeToLive, { ID: lease, keys: true }, deadlineMs);
      call.answer = { ttl: answer.TTL, grantedTtl: answer.grantedTTL, keys: (answer.keys ?? []).map(textOf) };
      return answer.header?.revision;
    });
  }

  async #range(kind: string, revision: number): Promise<void> {
    const query = this.#drawQuery(revision);
    const call: RangeCall = { ...this.#begin(query.serializable ? `${kind}, serializable` : kind), f: "range", query };
    await this.#do(call, async (connection) => {
      const { order, by, key, end, ...rest } = query;
      const request = {
        ...rest,
        ...rangeToWire({ key, end }),
        sortOrder: pb.RangeRequest.SortOrder[order],
        sortTarget: pb.RangeRequest.SortTarget[by],
      };
      const { header, kvs, more, count } = await connection.ask(etcdMethods.range, request, deadlineMs);
      call.answer = { records: kvs.map((record) => recordFromWire(record)), more, count };
      return header?.revision;
    });
  }

  #drawQuery(revision: number): RangeQuery {
    const random = this.#random;
    const sometimes = (value: () => number): number => (random.chance(0.08) ? value() : 0);
    const near = (): number => Math.max(0, this.#site.revision - random.int(300));
    return {
      ...drawRange(random),
      revision,
      limit: random.chance(0.3) ? random.between(1, 6) : 0,
      order: random.pick(["NONE", "NONE", "ASCEND", "DESCEND"] as const),
      by: random.chance(0.6) ? "KEY" : random.pick(["VERSION", "CREATE", "MOD", "VALUE"] as const),
      serializable: random.chance(0.2),
      keysOnly: random.chance(0.1),
      countOnly: random.chance(0.1),
      minModRevision: sometimes(near),
      maxModRevision: sometimes(near),
      minCreateRevision: sometimes(near),
      maxCreateRevision: sometimes(near),
    };
  }

  #begin(kind: string): Call & { at: string } {
    const { recorder, connections } = this.#site;
    const { name } = this.#random.pick(connections);
    return {
      id: recorder.nextId(),
      worker: this.#name,
      at: name,
      kind,
      calledAt: recorder.now(),
      returnedAt: Infinity,
      outcome: "unknown",
    };
  }

  async #do(call: EtcdCall, run: (connection: EtcdConnection) => Promise<number | null | undefined>): Promise<void> {
    const { recorder, connections, calls } = this.#site;
    calls.push(call);
    try {
      const revision = await run(connections.find(({ name }) => name === call.at)!);
      call.returnedAt = recorder.now();
      call.outcome = "ok";
      if (typeof revision === "number") {
        call.revision = revision;
        this.#site.heard(revision);
      }
    } catch (caught) {
      const error = IkadaError.from(caught);
      const refusal = refusals.find(([text]) => error.message.includes(text));
      call.reason = refusal ? refusal[1] : error.reason;
      if (refusal) [call.outcome, call.returnedAt] = ["refused", recorder.now()];
      else if (!unknowns.has(error.reason)) throw error;
    } finally {
      recorder.add(call);
    }
    if (call.outcome === "unknown") await sleep(this.#random.int(2 * pauseMs));
  }
}

async function send(connection: EtcdConnection, kind: string, command: EtcdCommand): Promise<EtcdOutcome> {
  if (command.type === "grant") {
    const request = { ID: command.lease, TTL: command.ttlSeconds };
    const { header } = await connection.ask(etcdMethods.leaseGrant, request, deadlineMs);
    return { revision: header?.revision ?? 0, result: { type: "done" } };
  }
  if (command.type === "revoke") {
    const { header } = await connection.ask(etcdMethods.leaseRevoke, { ID: command.lease }, deadlineMs);
    return { revision: header?.revision ?? 0, result: { type: "done" } };
  }
  const [first] = command.txn.success;
  const one = (response: EtcdOutcome["result"]): EtcdOutcome["result"] =>
    ({ type: "txn", succeeded: true, responses: [response] }) as EtcdOutcome["result"];
  if (kind === "put" && first?.type === "put") {
    const { header, prevKv } = await connection.ask(etcdMethods.put, putToWire(first), deadlineMs);
    const previous = prevKv ? recordFromWire(prevKv) : undefined;
    return { revision: header?.revision ?? 0, result: one({ type: "put", previous }) };
  }
  if (kind === "delete range" && first?.type === "delete") {
    const request = { ...rangeToWire(first.range), prevKv: true };
    const { header, prevKvs } = await connection.ask(etcdMethods.deleteRange, request, deadlineMs);
    return { revision: header?.revision ?? 0, result: one({ type: "delete", previous: prevKvs.map(recordFromWire) }) };
  }
  const answer = await connection.ask(etcdMethods.txn, txnToWire(command.txn), deadlineMs);
  return { revision: answer.header?.revision ?? 0, result: txnFromWire(answer) };
}

/** etcd's texts of refusals, and what the model calls them. */
const refusals = [
  ["key not found", "KeyNotFound"],
  ["requested lease not found", "LeaseNotFound"],
  ["lease already exists", "LeaseExists"],
  ["required revision has been compacted", "Compacted"],
  ["required revision is a future revision", "FutureRevision"],
] as const;
