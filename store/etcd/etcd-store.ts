import type { Done } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { checkEntrySize } from "../check-request.js";
import { encodeEtcdCommand } from "../codec.js";
import { DigestSum } from "../digest.js";
import { type Keyspace, recordDigest } from "../keyspace.js";
import type { KeyspaceView } from "../keyspace-view.js";
import { noStamp } from "../layout.js";
import type { Proposal } from "../proposals.js";
import type { StateMachine } from "../state-machine.js";
import type { KeyRecord, Revision, WaitOptions, WatchObserver } from "../store.js";
import type { Waiter } from "../waiter.js";
import { execute, rangeIn } from "./execute.js";
import type { Leases } from "./leases.js";
import {
  type EtcdCommand,
  type EtcdKeyspace,
  type EtcdOutcome,
  type EtcdRange,
  type EtcdRangeQuery,
  type EtcdRecords,
  type EtcdTxn,
  isIn,
} from "../etcd.js";

/** What it needs of its replica. */
export interface EtcdHost {
  readonly view: KeyspaceView;
  state(): StateMachine;
  nowMs(): number;
  /** A name for requests, for exactly-once, that nobody else has. */
  newClientId(): string;
  waiter<T>(options: WaitOptions | undefined, what: string, done: Done<T>): Waiter<T>;
  propose<T>(proposal: Proposal<T>): void;
  compactThen(revision: Revision, done: Done<void>, options?: WaitOptions): void;
  /** What live records may take. */
  readonly quotaBytes: number;
}

/** Records read from disk at once. */
const pageRecords = 1000;
const nothing: EtcdRecords = { records: [], count: 0 };

/** The keyspace of the services under etcd's names, on one replica: own revisions, history and quota, in the same log. */
export class EtcdStore implements EtcdKeyspace {
  readonly #host: EtcdHost;
  /** Names of requests that are not under way; each has one request at a time, so that a repeat is always remembered. */
  readonly #idle: { readonly id: string; sequence: number }[] = [];

  constructor(host: EtcdHost) {
    this.#host = host;
  }

  revision(): Revision {
    return this.#keyspace.revision;
  }

  compactRevision(): Revision {
    return this.#keyspace.compactRevision;
  }

  get #keyspace(): Keyspace {
    return this.#host.view.keyspace;
  }

  get leases(): Leases {
    return this.#host.state().leases;
  }

  usage(): { readonly liveBytes: number; readonly rowBytes: number } {
    return this.#host.view.usage();
  }

  get quotaBytes(): number {
    return this.#host.quotaBytes;
  }

  /** Proposes; resolves when applied on this replica. On Deadline the outcome is unknown. @throws IkadaError NoLeader, Overloaded, TooLarge, QuotaExceeded, Deadline */
  execute(command: EtcdCommand, origin: string, options?: WaitOptions): Promise<EtcdOutcome> {
    return new Promise((resolve, reject) =>
      this.executeThen(command, origin, (error, outcome) => (error ? reject(error) : resolve(outcome)), options),
    );
  }

  executeThen(command: EtcdCommand, origin: string, done: Done<EtcdOutcome>, options?: WaitOptions): void {
    const name = this.#idle.pop() ?? { id: this.#host.newClientId(), sequence: 0 };
    name.sequence += 1;
    const client = { id: name.id, sequence: name.sequence };
    const settled: Done<EtcdOutcome> = (error, outcome) => {
      // With an unknown outcome an entry may still come: its name is not used again for another.
      if (!error) this.#idle.push(name);
      done(error, outcome);
    };
    this.#host.propose<EtcdOutcome>({
      waiter: this.#host.waiter(options, "the command may or may not have been committed", settled),
      client,
      encode: (proposal) => {
        this.#checkQuota(command);
        const data = encodeEtcdCommand(proposal, client, origin, this.#host.nowMs(), command);
        checkEntrySize(data.length);
        return data;
      },
      answer: ({ etcd }) => etcd?.outcome,
      // This replica was given another's state in between, which tells that it was done and not what came of it.
      repeated: () => undefined,
    });
  }

  /** What a transaction that only reads gives now. */
  read(txn: EtcdTxn): EtcdOutcome {
    return execute(this.#keyspace, this.leases, { type: "txn", txn }, { stamp: noStamp, term: 0 }).outcome;
  }

  /** What a range holds, in key order. @throws IkadaError Compacted, Invalid for a revision that is still to come */
  range(query: EtcdRangeQuery): Promise<EtcdRecords> {
    return new Promise((resolve, reject) =>
      this.rangeThen(query, (error, found) => (error ? reject(error) : resolve(found))),
    );
  }

  rangeThen({ revision, ...range }: EtcdRangeQuery, done: Done<EtcdRecords>): void {
    const keyspace = this.#keyspace;
    if (revision <= 0 || revision === keyspace.revision) return done(null, rangeIn(keyspace, range));
    if (revision > keyspace.revision) {
      const present = `the present one is ${keyspace.revision}`;
      return done(new IkadaError("Invalid", `revision ${revision} is still to come; ${present}`), nothing);
    }
    const kept = range.countOnly ? 0 : range.limit === 0 ? Infinity : range.limit;
    const found: KeyRecord[] = [];
    let count = 0;
    const query = { prefix: commonPrefix(range), limit: pageRecords, revision };
    const readFrom = (after: string | undefined): void =>
      this.#host.view.range({ ...query, ...(after !== undefined && { after }) }, (error, { records, more }) => {
        if (error) return done(error, nothing);
        for (const record of records) {
          if (!isIn(range, record.key)) continue;
          count += 1;
          if (found.length < kept) found.push(record);
        }
        return more ? readFrom(records.at(-1)?.key) : done(null, { records: found, count });
      });
    return readFrom(undefined);
  }

  async hashAt(revision: Revision): Promise<number> {
    const sum = new DigestSum();
    const all = { key: "\0", end: "\0", limit: 0, countOnly: false };
    const { records } = await this.range({ ...all, revision });
    for (const record of records) sum.add(recordDigest(record));
    return Number.parseInt(sum.text().slice(8), 16);
  }

  /** Every change of the range after `from`, as `Store.watch`. @throws IkadaError Compacted */
  watch(range: EtcdRange, from: Revision, observer: WatchObserver): { close(): void } {
    const own: WatchObserver = {
      ...observer,
      onBatch: ({ revision, events }) =>
        observer.onBatch({ revision, events: events.filter(({ key }) => isIn(range, key)) }),
    };
    return this.#host.view.watch(commonPrefix(range), from, own);
  }

  compact(revision: Revision, options?: WaitOptions): Promise<void> {
    return new Promise((resolve, reject) =>
      this.compactThen(revision, (error) => (error ? reject(error) : resolve()), options),
    );
  }

  compactThen(revision: Revision, done: Done<void>, options?: WaitOptions): void {
    this.#host.compactThen(revision, done, options);
  }

  /** As `Store.revisionAt`. */
  revisionAtThen(timeMs: number, done: Done<Revision>): void {
    this.#host.view.revisionAt(timeMs, done);
  }

  /** As etcd does: above the quota nothing may be put until something is removed. */
  #checkQuota(command: EtcdCommand): void {
    const { liveBytes } = this.#host.view.usage();
    if (liveBytes <= this.#host.quotaBytes || !mayGrow(command)) return;
    throw new IkadaError("QuotaExceeded", "etcdserver: mvcc: database space exceeded", {
      hint: "delete keys, or raise store.etcdQuotaMegabytes in the configuration of all servers",
    });
  }
}

function mayGrow(command: EtcdCommand): boolean {
  if (command.type !== "txn") return command.type === "grant";
  const { success, failure } = command.txn;
  return [...success, ...failure].some((operation) =>
    operation.type === "txn" ? mayGrow({ type: "txn", txn: operation.txn }) : operation.type === "put",
  );
}

/** What all keys of a range start with. */
function commonPrefix({ key, end }: EtcdRange): string {
  if (end === "") return key;
  // No end: the range goes on behind all that begins like its first key.
  if (end === "\0") return "";
  // The usual end of a prefix is the prefix with its last byte raised.
  const last = key.length - 1;
  if (last >= 0 && end === key.slice(0, last) + String.fromCharCode(key.charCodeAt(last) + 1)) return key;
  let length = 0;
  while (length < key.length && key[length] === end[length]) length += 1;
  return key.slice(0, length);
}
