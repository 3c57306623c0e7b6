import type { Done, Env } from "../src/base/env.js";
import { IkadaError, InvariantError, invariant } from "../src/base/errors.js";
import type {
  Consensus,
  ConsensusHandlers,
  ConsensusStatus,
  ReceivedSnapshot,
  RefusedReason,
  SnapshotRequest,
} from "../raft/consensus.js";
import type { ConfState, Entry, Index } from "../raft/core/types.js";
import { ReplicaBackups } from "./backup/backups.js";
import { Barriers } from "./barriers.js";
import { checkEntrySize, checkRequest } from "./check-request.js";
import { encodeCommand, encodeCompaction } from "./codec.js";
import { EtcdStore } from "./etcd/etcd-store.js";
import { failpoints } from "./failpoints.js";
import type { KeyValue } from "./key-value.js";
import { KeyspaceView, type ViewHost } from "./keyspace-view.js";
import { loadState } from "./load.js";
import { type MemberChange, MemberChanges } from "./member-changes.js";
import { Persister } from "./persister.js";
import { type Proposal, Proposals } from "./proposals.js";
import { checkQuota } from "./quota.js";
import type { RecentBounds } from "./recent.js";
import { installSnapshot } from "./snapshot-install.js";
import { type SnapshotTaking, takeSnapshot } from "./snapshot-taking.js";
import type { Applied, StateMachine } from "./state-machine.js";
import type {
  Backup,
  BackupRequest,
  Backups,
  ChangesQuery,
  ChangesResult,
  KeyRecord,
  RangeQuery,
  RangeResult,
  Revision,
  Store,
  TxnResult,
  WaitOptions,
  WatchObserver,
  WriteRequest,
} from "./store.js";
import { WaitList } from "./wait-list.js";
import { Waiter } from "./waiter.js";

export interface ReplicaOptions {
  readonly env: Env;
  /** Stays the caller's: close it after `close` of the replica. */
  readonly keyValue: KeyValue;
  /** From `loadState`. */
  readonly state: StateMachine;
  /** The process must end: state, log or disk are broken, nothing may be answered any more. Called once. */
  readonly onFatal: (error: Error) => void;
  readonly onStatus?: (status: ConsensusStatus) => void;
  /** @default 5000 */
  readonly flushIntervalMs?: number;
  /** What live records may take, see quota.ts. @default no bound */
  readonly quotaBytes?: number;
  /** The same for the keyspace of etcd's services. @default no bound */
  readonly etcdQuotaBytes?: number;
  /** How much history is kept in memory. */
  readonly recent?: RecentBounds;
}

/** Applied state that may gather for the disk while the batch before it is written. */
const gatheredBytesMax = 8 * 1024 * 1024;
/** Entries between two digests that are kept, and how many are. */
const digestEvery = 1024;
const digestsKept = 16;
const flushIntervalMsDefault = 5_000;

/**
 * One replica of the store: proposes to consensus, applies what is committed, answers from what it applied.
 *
 * Invariants:
 * 1. Entries are applied in memory in index order, each once; the disk gets them in the same order, behind.
 * 2. Callers and watches hear of an entry once it is applied in memory, before this replica's disk has it. That is
 *    safe because a committed entry is durable in the logs of a quorum, and the own log is kept from the durable index on.
 * 3. When the disk falls behind by `gatheredBytesMax`, applying stops until it catches up; the log holds the rest.
 * 4. After a fatal error nothing is applied and every call is refused.
 *
 * The `…Then` methods are for code in the simulator, where there are no promises; their `done` runs exactly once and
 * may run before the call returns. The promise methods are the same with a promise around.
 */
export class Replica implements Store, Backups, ConsensusHandlers {
  readonly #env: Env;
  readonly #keyValue: KeyValue;
  #state: StateMachine;
  readonly #objects: KeyspaceView;
  readonly #etcd: KeyspaceView;
  /** What is offered under etcd's names. */
  readonly etcd: EtcdStore;
  readonly #persister: Persister;
  readonly #options: ReplicaOptions;
  readonly #barriers: Barriers<Revision>;
  readonly #proposals = new Proposals();
  #digests: readonly { readonly index: Index; readonly digest: string }[] = [];
  readonly #memberChanges = new MemberChanges();
  readonly #backups: ReplicaBackups;
  readonly #byIndex = new WaitList<Revision>();
  readonly #byRevision = new WaitList<void>();
  #consensus: Consensus | undefined;
  #status: ConsensusStatus | undefined;
  /** Committed, waiting for the disk; consensus bounds it by what `applied` told. */
  #committed: readonly Entry[] = [];
  #applying = false;
  /** The disk has, or is given, the state of this index. */
  #takenIndex: Index;
  #taking: SnapshotTaking | undefined;
  /** Is replacing the state: on disk until it is all there, then in memory at once. */
  #installing: ReceivedSnapshot | undefined;
  #stopped: IkadaError | undefined;

  constructor(options: ReplicaOptions) {
    const { env, keyValue, state } = options;
    this.#options = options;
    this.#env = env;
    this.#keyValue = keyValue;
    this.#state = state;
    this.#takenIndex = state.appliedIndex;
    this.#barriers = new Barriers(env.timers, env.random.int(2 ** 31), (index, waiter) => this.#await(index, waiter));
    this.#persister = new Persister(
      keyValue,
      env.timers,
      state.appliedIndex,
      { flushIntervalMs: options.flushIntervalMs ?? flushIntervalMsDefault },
      {
        onWritten: ({ appliedIndex, objects, etcd }) => {
          env.failpoint(failpoints.storeAfterWrite);
          this.#backups.written(appliedIndex);
          this.#objects.written(objects);
          this.#etcd.written(etcd);
        },
        onIdle: () => {
          this.#persist();
          this.#apply();
        },
        onDurable: (durable) => {
          env.failpoint(failpoints.storeAfterFlush);
          this.#consensus?.applied(this.#state.appliedIndex, durable);
        },
        onError: (error) => this.#fail(error),
      },
    );
    const host: ViewHost = {
      env,
      keyValue,
      recent: options.recent,
      remove: (rows, done) => this.#persister.remove(rows, done),
      stopped: () => this.#stopped,
      fail: (error) => this.#fail(error),
    };
    this.#objects = new KeyspaceView(host, state.objects);
    this.#etcd = new KeyspaceView(host, state.etcd);
    this.etcd = new EtcdStore({
      view: this.#etcd,
      state: () => this.#state,
      nowMs: () => this.#nowMs(),
      newClientId: () => `etcd-${env.random.int(2 ** 47).toString(36)}`,
      waiter: (wait, what, done) => this.#waiter(wait, what, done),
      propose: (proposal) => this.#propose(proposal),
      compactThen: (revision, done, wait) => this.#compactThen(this.#etcd, revision, done, wait),
      quotaBytes: options.etcdQuotaBytes ?? Infinity,
    });
    this.#backups = new ReplicaBackups({
      env,
      keyValue,
      waiter: (wait, what, done) => this.#waiter(wait, what, done),
      barrier: (done, wait) => this.barrierThen(done, wait),
      appliedIndex: () => this.#state.appliedIndex,
      writtenIndex: () => this.#persister.writtenIndex,
    });
  }

  /** Before it, reads of local state work and everything else waits. `consensus` hands over entries from `appliedIndex + 1` on. */
  connect(consensus: Consensus): void {
    invariant(this.#consensus === undefined, "a replica has one consensus");
    this.#consensus = consensus;
    this.#proposals.connect(consensus);
    consensus.applied(this.#state.appliedIndex, this.#persister.durableIndex);
    this.#barriers.connect(consensus);
  }

  /** What consensus told last; undefined before it told anything. */
  status(): ConsensusStatus | undefined {
    return this.#status;
  }

  appliedIndex(): Index {
    return this.#state.appliedIndex;
  }

  /** Everything up to it survives a power cut without the log. */
  durableIndex(): Index {
    return this.#persister.durableIndex;
  }

  compactRevision(): Revision {
    return this.#state.compactRevision;
  }

  /** What the store takes: live records in memory, about, and all rows of them and of history on disk, before the disk's compression. */
  usage(): { readonly liveBytes: number; readonly rowBytes: number } {
    return this.#objects.usage();
  }

  /** Equal on two replicas with equal `appliedIndex`. */
  digest(): string {
    return this.#state.digest();
  }

  /** At the newest indexes that are multiples of a number, so that replicas can be compared. */
  digests(): readonly { readonly index: Index; readonly digest: string }[] {
    return this.#digests;
  }

  /** For metrics. */
  counts(): { readonly keys: number; readonly watches: number; readonly writes: number } {
    return { keys: this.#state.size, watches: this.#objects.watches, writes: this.#proposals.size };
  }

  revision(): Revision {
    return this.#state.revision;
  }

  peek(key: string): KeyRecord | undefined {
    return this.#state.get(key);
  }

  peekPrefix(prefix: string): Iterable<KeyRecord> {
    return this.#state.records(prefix);
  }

  answered(client: { readonly id: string; readonly sequence: number }): readonly TxnResult[] | undefined {
    const answer = this.#state.answered(client);
    return answer === "forgotten" ? undefined : answer;
  }

  watch(prefix: string, from: Revision, observer: WatchObserver): { close(): void } {
    return this.#objects.watch(prefix, from, observer);
  }

  write(request: WriteRequest, options?: WaitOptions): Promise<readonly TxnResult[]> {
    return promised((done) => this.writeThen(request, done, options));
  }

  writeThen(request: WriteRequest, done: Done<readonly TxnResult[]>, options?: WaitOptions): void {
    this.#propose({
      waiter: this.#waiter(options, "the write may or may not have been committed", done),
      client: request.client,
      encode: (proposal) => {
        checkRequest(request);
        checkQuota(this.#state, request, this.#options.quotaBytes ?? Infinity);
        const data = encodeCommand(proposal, request, this.#nowMs());
        checkEntrySize(data.length);
        return data;
      },
      answer: ({ results }) => (results === "forgotten" ? undefined : results),
      repeated: (results) => results,
    });
  }

  /** At most one of the same number is ever in the log; random, so that no other replica's or earlier life's is. */
  #propose<T>(proposal: Proposal<T>): void {
    this.#proposals.propose(this.#newProposal(), proposal, this.#state, this.#leaderTerm());
  }

  #nowMs(): number {
    return Math.max(0, Math.floor(this.#env.clock.now()));
  }

  compact(revision: Revision, options?: WaitOptions): Promise<void> {
    return promised((done) => this.compactThen(revision, done, options));
  }

  compactThen(revision: Revision, done: Done<void>, options?: WaitOptions): void {
    this.#compactThen(this.#objects, revision, done, options);
  }

  #compactThen({ keyspace }: KeyspaceView, revision: Revision, done: Done<void>, options?: WaitOptions): void {
    this.#propose<true>({
      waiter: this.#waiter(options, "history may or may not have been compacted", (error) => done(error, undefined)),
      client: undefined,
      encode: (proposal) => {
        if (Number.isSafeInteger(revision) && revision >= 0 && revision <= keyspace.revision)
          return encodeCompaction(proposal, revision, keyspace.number);
        throw new IkadaError(
          "BadRequest",
          `history can't be compacted to ${revision}: revisions are 0 to ${keyspace.revision}`,
        );
      },
      answer: () => true,
      repeated: () => true,
    });
  }

  revisionAt(timeMs: number): Promise<Revision> {
    return promised((done) => this.revisionAtThen(timeMs, done));
  }

  revisionAtThen(timeMs: number, done: Done<Revision>): void {
    this.#objects.revisionAt(timeMs, done);
  }

  changes(query: ChangesQuery): Promise<ChangesResult> {
    return promised((done) => this.changesThen(query, done));
  }

  changesThen(query: ChangesQuery, done: Done<ChangesResult>): void {
    this.#objects.changes(query, done);
  }

  /** Resolves when the change is committed and a joint configuration is left; on the leader only. On Deadline the outcome is unknown. @throws IkadaError NoLeader, NotReady, Conflict, Invalid, Deadline */
  changeMembers(change: MemberChange, options?: WaitOptions): Promise<ConfState> {
    return promised((done) => this.changeMembersThen(change, done, options));
  }

  changeMembersThen(change: MemberChange, done: Done<ConfState>, options?: WaitOptions): void {
    const waiter = this.#waiter(options, "the change of the members may or may not have been made", done);
    if (waiter.finished) return;
    if (!this.#consensus) return waiter.refuse(new IkadaError("Unavailable", "this replica is still starting"));
    this.#memberChanges.propose(this.#consensus, this.#newProposal(), change, waiter);
  }

  barrier(options?: WaitOptions): Promise<Revision> {
    return promised((done) => this.barrierThen(done, options));
  }

  barrierThen(done: Done<Revision>, options?: WaitOptions): void {
    this.#barriers.add(this.#waiter(options, "no leader confirmed that this replica may answer", done));
  }

  reached(revision: Revision, options?: WaitOptions): Promise<void> {
    return promised((done) => this.reachedThen(revision, done, options));
  }

  reachedThen(revision: Revision, done: Done<void>, options?: WaitOptions): void {
    const waiter = this.#waiter(options, `this replica has not applied revision ${revision}`, done);
    if (waiter.finished) return;
    if (revision <= this.#state.revision) waiter.answer();
    else this.#byRevision.add(revision, waiter);
  }

  range(query: RangeQuery, options?: WaitOptions): Promise<RangeResult> {
    return promised((done) => this.rangeThen(query, done, options));
  }

  /** A revision that this replica has not applied yet is waited for. */
  rangeThen(query: RangeQuery, done: Done<RangeResult>, options?: WaitOptions): void {
    if (!Number.isSafeInteger(query.limit) || query.limit < 1)
      return done(new IkadaError("BadRequest", `${query.limit} is no page size`), noRange);
    const { revision } = query;
    if (revision === undefined) return this.#objects.range(query, done);
    this.reachedThen(revision, (error) => (error ? done(error, noRange) : this.#objects.range(query, done)), options);
  }

  openBackup(request: BackupRequest, options?: WaitOptions): Promise<Backup> {
    return promised((done) => this.#backups.open(request, done, options));
  }

  onCommitted(entries: readonly Entry[]): void {
    this.#committed = this.#committed.length === 0 ? entries : [...this.#committed, ...entries];
    this.#apply();
  }

  /** While one is made, the next one is refused: consensus asks again. */
  onSnapshotWanted(request: SnapshotRequest): void {
    if (this.#stopped || this.#taking || this.#installing) return this.#consensus?.snapshotTaken(undefined);
    this.#taking = takeSnapshot(this.#env, this.#keyValue, request, (error, written) => {
      this.#taking = undefined;
      if (error) this.#env.log.warn("no snapshot could be made", { error: error.message });
      this.#consensus?.snapshotTaken(error ? undefined : written);
    });
  }

  /**
   * Until the snapshot is installed the state stands still: what is asked of the present is answered from it, reads that have to be up to
   * date and writes wait, and history can't be read.
   */
  onSnapshot(snapshot: ReceivedSnapshot): void {
    if (this.#stopped) return;
    if (snapshot.index <= this.#state.appliedIndex)
      return this.#consensus?.applied(this.#state.appliedIndex, this.#persister.durableIndex);
    this.#env.log.info("installing a snapshot", { index: snapshot.index, from: this.#state.appliedIndex });
    if (this.#taking) {
      this.#taking.cancel();
      this.#taking = undefined;
      this.#consensus?.snapshotTaken(undefined);
    }
    const isFirst = this.#installing === undefined;
    this.#installing = snapshot;
    this.#committed = [];
    this.#objects.replacing();
    this.#etcd.replacing();
    if (isFirst) this.#persister.whenIdle(() => this.#install());
  }

  onReadIndex(tag: number, index: Index): void {
    this.#barriers.onReadIndex(tag, index);
  }

  onMembersChanged(tag: number, configuration: ConfState): void {
    this.#memberChanges.onChanged(tag, configuration);
  }

  onRefused(tag: number, reason: RefusedReason, detail?: string): void {
    if (this.#memberChanges.onRefused(tag, reason, detail)) return;
    const error = refusal(reason);
    if (!this.#barriers.onRefused(tag, error)) this.#proposals.refuse(tag, error);
  }

  onStatus(status: ConsensusStatus): void {
    const before = this.#leaderTerm();
    this.#status = status;
    const term = this.#leaderTerm();
    if (term !== 0 && term !== before) this.#askAgain(term);
    this.#options.onStatus?.(status);
  }

  /** The term of the leader that is known; 0 without one. A term has one leader. */
  #leaderTerm(): number {
    return this.#status && this.#status.leader !== 0 ? this.#status.term : 0;
  }

  #askAgain(term: number): void {
    this.#proposals.askAgain(term);
    this.#barriers.askAgain();
  }

  onFatal(error: Error): void {
    this.#fail(error);
  }

  /** Refuses all who wait, then resolves when no write to the disk is under way. What is not on disk yet comes from the log at the next start. */
  close(): Promise<void> {
    return new Promise((resolve) => this.closeThen(resolve));
  }

  closeThen(done: () => void): void {
    this.#stop(new IkadaError("Unavailable", "this replica is shutting down", { hint: "use another server" }));
    this.#persister.stop(done);
  }

  /** Applies what is committed until nothing is left or the disk is behind. Not entered twice: observers may call in. */
  #apply(): void {
    if (this.#applying || this.#stopped || this.#installing || this.#committed.length === 0) return;
    this.#applying = true;
    try {
      this.#applyAll();
    } catch (caught) {
      this.#fail(caught instanceof Error ? caught : new InvariantError(String(caught)));
    } finally {
      this.#applying = false;
    }
  }

  #applyAll(): void {
    const state = this.#state;
    const before = state.appliedIndex;
    while (this.#committed.length > 0 && state.batchBytes < gatheredBytesMax && !this.#stopped && !this.#installing) {
      const entries = this.#committed;
      let taken = 0;
      while (taken < entries.length && state.batchBytes < gatheredBytesMax) taken += this.#applyOne(entries[taken]);
      // Observers may have handed over more meanwhile; it stands behind `entries`.
      this.#committed = this.#committed.slice(taken);
      this.#persist();
    }
    if (state.appliedIndex > before) this.#consensus?.applied(state.appliedIndex, this.#persister.durableIndex);
  }

  /** Hands what has gathered to the disk, unless it still writes: then `onIdle` does. */
  #persist(): void {
    const state = this.#state;
    if (this.#persister.isWriting || this.#stopped || this.#installing || state.appliedIndex === this.#takenIndex)
      return;
    this.#env.failpoint(failpoints.storeBeforeWrite);
    this.#takenIndex = state.appliedIndex;
    this.#persister.write(state.takeBatch(), state);
  }

  #applyOne(entry: Entry | undefined): 1 {
    // After a restart consensus may hand over again what is applied already.
    if (entry === undefined || entry.index <= this.#state.appliedIndex) return 1;
    const applied = this.#state.apply(entry);
    if (entry.index % digestEvery === 0)
      this.#digests = [...this.#digests.slice(1 - digestsKept), { index: entry.index, digest: this.digest() }];
    this.#env.failpoint(failpoints.storeAfterApply);
    // Watches first: caches built on them are up to date when the writer goes on.
    this.#objects.publish(applied.batches, applied.stamp);
    if (applied.etcd?.batch) this.#etcd.publish([applied.etcd.batch], applied.stamp);
    this.#answer(applied);
    return 1;
  }

  #answer(applied: Applied): void {
    const { revision } = this.#state;
    this.#proposals.applied(applied);
    this.#byRevision.advance(revision, undefined);
    this.#byIndex.advance(applied.index, revision);
  }

  #await(index: Index, waiter: Waiter<Revision>): void {
    if (index <= this.#state.appliedIndex) waiter.answer(this.#state.revision);
    else this.#byIndex.add(index, waiter);
  }

  #install(): void {
    const snapshot = this.#installing;
    if (!snapshot || this.#stopped) return;
    installSnapshot(this.#env.disk, this.#keyValue, snapshot, (error) => {
      if (this.#stopped) return;
      if (error) return this.#fail(error);
      // A still newer one has come meanwhile.
      if (snapshot !== this.#installing) return this.#install();
      return loadState(this.#keyValue, (loadError, state) => {
        if (this.#stopped) return;
        if (loadError) return this.#fail(loadError);
        if (snapshot !== this.#installing) return this.#install();
        return this.#adopt(state, snapshot);
      });
    });
  }

  /** In one turn for all who look: caches read anew before anybody who waited goes on. */
  #adopt(state: StateMachine, snapshot: ReceivedSnapshot): void {
    if (state.appliedIndex !== snapshot.index)
      return this.#fail(
        new InvariantError(`the snapshot of ${snapshot.index} holds the state of ${state.appliedIndex}`),
      );
    this.#installing = undefined;
    this.#state = state;
    this.#takenIndex = state.appliedIndex;
    this.#persister.replaced(state.appliedIndex);
    this.#env.log.info("installed a snapshot", { index: state.appliedIndex, revision: state.revision });
    this.#objects.replaced(state.objects);
    this.#etcd.replaced(state.etcd);
    this.#proposals.replaced(state);
    this.#byRevision.advance(state.revision, undefined);
    this.#byIndex.advance(state.appliedIndex, state.revision);
    this.#backups.written(state.appliedIndex);
    this.#consensus?.applied(state.appliedIndex, state.appliedIndex);
    this.#apply();
  }

  #waiter<T>(options: WaitOptions | undefined, what: string, done: Done<T>): Waiter<T> {
    const waiter = new Waiter(this.#env.timers, options, what, done);
    if (this.#stopped) waiter.refuse(this.#stopped);
    return waiter;
  }

  /** At least 2^32, so that no barrier's tag is equal; random, so that no other replica's or earlier life's is. */
  #newProposal(): number {
    return (1 + this.#env.random.int(2 ** 20)) * 2 ** 32 + this.#env.random.int(2 ** 32);
  }

  #fail(error: Error): void {
    if (this.#stopped) return;
    this.#env.log.error("the store failed; this process must end", { error: error.message });
    this.#stop(
      new IkadaError("Unavailable", "this replica failed and is going down", { hint: "use another server" }, error),
    );
    this.#options.onFatal(error);
  }

  #stop(reason: IkadaError): void {
    if (this.#stopped) return;
    this.#stopped = reason;
    this.#committed = [];
    this.#taking?.cancel();
    this.#taking = undefined;
    this.#proposals.refuseAll(reason);
    this.#barriers.refuseAll(reason);
    this.#memberChanges.refuseAll(reason);
    this.#backups.close(reason);
    this.#byIndex.refuseAll(reason);
    this.#byRevision.refuseAll(reason);
    this.#objects.close(reason);
    this.#etcd.close(reason);
  }
}

const noRange: RangeResult = { records: [], revision: 0, more: false };
/** What only changes of the members are told stands for a lost proposal here. */
function refusal(reason: RefusedReason): IkadaError {
  const known = reason in refusals ? (reason as keyof typeof refusals) : "NoLeader";
  return new IkadaError(known, refusals[known].message, { hint: refusals[known].hint });
}

const refusals = {
  NoLeader: { message: "the servers have no leader at the moment", hint: "try again in a second" },
  Overloaded: { message: "the leader has too many writes in work", hint: "try again later" },
  DiskFull: { message: "the disk of this server is full", hint: "make space on it, or ask another server" },
  TooLarge: { message: "the request does not fit one log entry", hint: "split it into several requests" },
};

function promised<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))));
}
