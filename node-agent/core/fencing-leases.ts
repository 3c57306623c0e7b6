import type { Env, Finished, Timer } from "../../src/base/env.js";
import { fencingLeaseMs, fencingLeaseOverMs } from "../../src/api/kinds/fencing-lease.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { killBeforeMs, stopBeforeMs, type BootClock, type LeaseBook, type LeaseView } from "./lease-book.js";
import { StateFile } from "./state-file.js";

/** In the data folder. */
export const leaseFileName = "leases.state";

export interface LeaseRequest {
  readonly sequence: number;
  readonly instance: string;
  readonly podUids: readonly string[];
}

/** Decoded LeasesRenewed. */
export interface LeaseAnswer {
  readonly sequence: number;
  readonly epoch: number;
  readonly first: boolean;
  readonly podUids: readonly string[];
}

export interface FencingLeasesOptions {
  readonly env: Pick<Env, "disk" | "timers" | "random" | "clock" | "log">;
  readonly bootClock: BootClock;
  /** The Pod's lease is another one, or has run out. */
  onChange(podUid: string): void;
  /** The node has Pods with leases, or has none any more. */
  onUse(inUse: boolean): void;
  onFatal(error: Error): void;
}

/** How often it is looked at whether something is due. */
const lookMs = 500;
/** Requests whose answer may still count. */
const outstandingMax = 16;
/** Pods in one request, as servers allow. */
const podsPerRequestMax = 1024;

/**
 * The fencing leases of this node's Pods.
 *
 * 1. A renewal is good from the moment its request was *sent*, by the clock that runs through sleep and restarts of this process; an answer
 *    that comes late only comes late.
 * 2. It counts when it is on disk, so that what runs under it is known to whoever looks after an end of this process.
 * 3. When another instance may have held the node's leases before this one (a new epoch, and not the first), a Pod whose lease has not been
 *    alive all along waits until those of the other one have ended for certain, and asks only then.
 */
export class FencingLeases {
  readonly #options: FencingLeasesOptions;
  readonly #file: StateFile<LeaseBook>;
  /** The durable one, which counts; `#next` is on its way to the disk. */
  #book: LeaseBook;
  #next: LeaseBook;
  #pods = new Map<string, { readonly leaseMs: number; readonly stopMs: number }>();
  #send: ((request: LeaseRequest) => void) | undefined;
  #sequence = 0;
  readonly #outstanding = new Map<number, { readonly at: number; readonly uids: ReadonlySet<string> }>();
  #askedAt = -Infinity;
  /** Pods whose lease was told to have run out. */
  readonly #over = new Set<string>();
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: FencingLeasesOptions) {
    this.#options = options;
    this.#file = new StateFile(options.env.disk, leaseFileName);
    this.#book = this.#next = emptyBook(options);
  }

  /** What is not known of an earlier life has run out. */
  load(done: Finished): void {
    this.#file.load((error, book) => {
      const { env, bootClock } = this.#options;
      if (error) {
        env.log.error("stored leases are damaged and put aside; all have run out", { error: error.message });
        return this.#file.setAside(done);
      }
      if (book !== undefined) {
        // After a restart of the machine nothing runs, and nobody can tell this one from a copy of it.
        const isSameBoot = book.bootId === bootClock.bootId;
        this.#book = this.#next = isSameBoot ? book : { ...emptyBook(this.#options), id: book.id };
      }
      return done(null);
    });
  }

  /** All Pods of the node. */
  assign(pods: Readonly<Record<string, Pod>>): void {
    const before = this.#pods;
    this.#pods = new Map();
    for (const [uid, pod] of Object.entries(pods)) {
      const leaseMs = fencingLeaseMs(pod);
      if (leaseMs === undefined) continue;
      this.#pods.set(uid, { leaseMs, stopMs: stopBeforeMs(leaseMs, graceMsOf(pod)) });
    }
    if (this.#pods.size > 0 !== before.size > 0) this.#options.onUse(this.#pods.size > 0);
    if ([...this.#pods.keys()].some((uid) => !before.has(uid))) this.#ask();
    this.#arm();
  }

  /** Nothing is left of the Pod. */
  forget(uid: string): void {
    this.#over.delete(uid);
    if (this.#next.leases[uid] === undefined) return;
    const leases = { ...this.#next.leases };
    delete leases[uid];
    this.#save({ ...this.#next, leases }, () => undefined);
  }

  connect(send: (request: LeaseRequest) => void): void {
    this.#send = send;
    this.#outstanding.clear();
    this.#ask();
  }

  disconnect(): void {
    this.#send = undefined;
    this.#outstanding.clear();
  }

  close(): void {
    this.#closed = true;
    this.disconnect();
    this.#timer?.cancel();
  }

  /** Of a Pod with a lease, assigned or not any more; undefined for others. */
  of(uid: string, pod: Pod | undefined): LeaseView | undefined {
    const leaseMs = pod && fencingLeaseMs(pod);
    if (pod === undefined || leaseMs === undefined) return undefined;
    const now = this.#now();
    const leftMs = (this.#book.leases[uid]?.endsAt ?? -Infinity) - now;
    return {
      stopInMs: leftMs - stopBeforeMs(leaseMs, graceMsOf(pod)),
      killInMs: leftMs - killBeforeMs(leaseMs),
      epoch: isEntitled(this.#book, uid, leaseMs, now) ? this.#book.epoch : 0,
    };
  }

  answer({ sequence, epoch, first, podUids }: LeaseAnswer): void {
    const sent = this.#outstanding.get(sequence);
    if (sent === undefined || this.#closed) return;
    this.#outstanding.delete(sequence);
    const now = this.#now();
    let book = this.#next;
    if (book.epoch !== epoch) book = inEpoch(book, epoch, first, now);
    const leases = { ...book.leases };
    for (const uid of podUids) {
      const leaseMs = this.#pods.get(uid)?.leaseMs;
      if (leaseMs === undefined || !sent.uids.has(uid) || !isEntitled(book, uid, leaseMs, sent.at)) continue;
      const endsAt = sent.at + leaseMs;
      if (endsAt > (leases[uid]?.endsAt ?? now)) leases[uid] = { endsAt, leaseMs, epoch };
    }
    this.#save({ ...book, leases }, () => {
      for (const uid of this.#pods.keys()) this.#options.onChange(uid);
    });
    if (this.#isDue()) this.#ask();
  }

  #save(book: LeaseBook, then: () => void): void {
    this.#next = book;
    this.#file.save(book, (error) => {
      if (this.#closed) return;
      if (error) return this.#options.onFatal(error);
      this.#book = book;
      return then();
    });
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#closed || this.#pods.size === 0) return;
    this.#timer = this.#options.env.timers.after(lookMs, () => {
      this.#timer = undefined;
      this.#look();
      this.#arm();
    });
  }

  #look(): void {
    if (this.#isDue()) this.#ask();
    const now = this.#now();
    for (const [uid, { stopMs }] of this.#pods) {
      const isOver = (this.#book.leases[uid]?.endsAt ?? -Infinity) - stopMs <= now;
      if (isOver && !this.#over.has(uid)) this.#options.onChange(uid);
      if (isOver) this.#over.add(uid);
      else this.#over.delete(uid);
    }
  }

  /** A third of its length after the last renewal, and a sixth after a question that was not answered. */
  #isDue(): boolean {
    const now = this.#now();
    for (const [uid, { leaseMs }] of this.#pods) {
      if (!this.#mayAsk(uid, leaseMs, now) || now - this.#askedAt < leaseMs / 6) continue;
      const renewedAt = (this.#next.leases[uid]?.endsAt ?? -Infinity) - leaseMs;
      if (now - renewedAt >= leaseMs / 3) return true;
    }
    return false;
  }

  #ask(): void {
    if (this.#send === undefined || this.#closed) return;
    const now = this.#now();
    const uids = [...this.#pods].filter(([uid, { leaseMs }]) => this.#mayAsk(uid, leaseMs, now)).map(([uid]) => uid);
    if (uids.length === 0) return;
    this.#askedAt = now;
    for (let at = 0; at < uids.length; at += podsPerRequestMax) {
      this.#sequence += 1;
      const podUids = uids.slice(at, at + podsPerRequestMax);
      this.#outstanding.set(this.#sequence, { at: now, uids: new Set(podUids) });
      this.#send({ sequence: this.#sequence, instance: `${this.#next.id}/${this.#next.bootId}`, podUids });
    }
    for (const sequence of this.#outstanding.keys()) {
      if (this.#outstanding.size <= outstandingMax) break;
      this.#outstanding.delete(sequence);
    }
  }

  /** As long as no server has told the epoch, asking is the way to learn it. */
  #mayAsk(uid: string, leaseMs: number, at: number): boolean {
    return this.#next.epoch === 0 || isEntitled(this.#next, uid, leaseMs, at);
  }

  #now(): number {
    return this.#options.bootClock.sinceBootMs();
  }
}

function graceMsOf(pod: Pod): number {
  return (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}

function emptyBook({ env, bootClock }: FencingLeasesOptions): LeaseBook {
  const id = [...env.random.bytes(16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, bootId: bootClock.bootId, epoch: 0, othersUntil: 0, leases: {} };
}

/** What has been alive until now is nobody else's; for the rest others may have had leases until now. */
function inEpoch(book: LeaseBook, epoch: number, first: boolean, now: number): LeaseBook {
  const alive = Object.entries(book.leases).filter(([, lease]) => lease.endsAt > now);
  const leases = Object.fromEntries(alive.map(([uid, lease]) => [uid, { ...lease, epoch }]));
  return { ...book, epoch, othersUntil: first ? -1 : now, leases };
}

/** Whether a renewal that was asked for at this time can be nobody else's too. */
function isEntitled(book: LeaseBook, uid: string, leaseMs: number, askedAt: number): boolean {
  if (book.othersUntil < 0 || book.leases[uid]?.epoch === book.epoch) return true;
  return askedAt >= book.othersUntil + fencingLeaseOverMs(leaseMs);
}
