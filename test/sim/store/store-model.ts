import type { Entry, Index } from "../../../raft/core/types.js";
import { decodeCommand } from "../../../store/codec.js";
import type { EtcdOutcome } from "../../../store/etcd.js";
import type { Change, Revision, TxnResult } from "../../../store/store.js";
import { etcdKeyspace } from "../../../store/layout.js";
import { KeyspaceModel } from "../../linearizability/keyspace-model.js";
import { Violation } from "../violation.js";

/** What one entry did, the first and only time that it did something. */
export interface Outcome {
  readonly index: Index;
  readonly results: readonly TxnResult[];
  readonly etcd: EtcdOutcome | undefined;
}

/** The term in which a leader has found that a lease has run out, if that is what an entry is about. */
function lessorTerm(origin: string): number | undefined {
  const term = /^lessor of term (\d+)$/.exec(origin)?.[1];
  return term === undefined ? undefined : Number(term);
}

/** Both keyspaces, written down a second time and as simply as possible. It is fed the committed entries. */
export class StoreModel {
  readonly objects = new KeyspaceModel();
  readonly etcd = new KeyspaceModel();
  /** When each revision of the objects was made, from 1 on. */
  readonly times: number[] = [];
  leasesRunOut = 0;
  /** Of objects, ascending. */
  readonly #changes = new Map<string, Change[]>();
  readonly #requests = new Set<string>();
  readonly #outcomes = new Map<string, Outcome>();
  #timeMs = 0;

  apply(entry: Entry): void {
    if (entry.type !== "Normal" || entry.data.length === 0) return;
    const command = decodeCommand(entry.index, entry.data);
    const { client, origin, txns, etcd } = command;
    const request = client && `${client.id} ${client.sequence}`;
    const timeMs = Math.max(this.#timeMs, command.timeMs);
    if (request !== undefined && this.#requests.has(request)) return;
    if (request !== undefined) this.#requests.add(request);
    const decidedIn = lessorTerm(origin);
    if (decidedIn === undefined && request !== undefined && this.#outcomes.has(origin))
      throw new Violation("R8 acknowledged writes", `${origin} is applied at ${entry.index} a second time`);
    const [revision, etcdRevision] = [this.objects.revision, this.etcd.revision];
    if (etcd?.type === "revoke" && decidedIn === entry.term) this.#onRunOut(etcd.lease);
    // What a leader has decided counts in its own term alone.
    const isFenced = decidedIn !== undefined && decidedIn !== entry.term;
    const outcome = etcd && !isFenced ? this.etcd.execute(etcd) : undefined;
    const results = etcd ? [] : txns.map((txn) => this.objects.transact(txn));
    // Time goes on with what changes something.
    if (this.objects.revision > revision || this.etcd.revision > etcdRevision) this.#timeMs = timeMs;
    this.#stamp(revision, timeMs, origin);
    (command.keyspace === etcdKeyspace ? this.etcd : this.objects).compactTo(command.compact);
    if (request !== undefined) this.#outcomes.set(origin, { index: entry.index, results, etcd: outcome });
  }

  outcome(origin: string): Outcome | undefined {
    return this.#outcomes.get(origin);
  }

  /** All changes of an object, the newest first. */
  changes(key: string): Change[] {
    return [...(this.#changes.get(key) ?? [])].reverse();
  }

  #stamp(from: Revision, timeMs: number, origin: string): void {
    for (const { events } of this.objects.batches.slice(from)) {
      this.times.push(timeMs);
      for (const { key, record } of events) {
        const change = { record, timeMs, origin };
        const ofKey = this.#changes.get(key);
        if (ofKey) ofKey.push(change);
        else this.#changes.set(key, [change]);
      }
    }
  }

  #onRunOut(lease: number): void {
    this.leasesRunOut += 1;
    const ttlSeconds = this.etcd.leases.get(lease) ?? 0;
    if (ttlSeconds > 1) throw new Violation("lease", `lease ${lease} of ${ttlSeconds} s was ended as run out`);
  }
}
