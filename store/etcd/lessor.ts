import type { Term } from "../../raft/core/types.js";
import type { Env, Timer } from "../../src/base/env.js";
import type { LeaseTimer } from "../etcd.js";
import type { EtcdStore } from "./etcd-store.js";

/** How often it looks for leases that are new, gone, or have run out. */
const everyMs = 500;
/** Revoked in one look; each is a log entry. */
const revokedAtOnceMax = 64;

type LeaseStore = Pick<EtcdStore, "leases" | "executeThen">;

/**
 * The leader's clock of leases. A new leader gives each lease its whole time anew, as etcd does: nobody knows when it was renewed last. So a
 * lease never ends early; it may end late by its time to live for each change of the leader. What it decides counts in the log of its term
 * alone: a leader that does not know yet that it is deposed ends no lease that was renewed at the next one.
 */
export class Lessor implements LeaseTimer {
  readonly #env: Pick<Env, "timers" | "clock" | "log">;
  readonly #etcd: LeaseStore;
  readonly #term: Term;
  /** When each lease runs out, on the monotonic clock. */
  readonly #endsMs = new Map<number, number>();
  readonly #revoking = new Set<number>();
  #timer: Timer | undefined;
  #isClosed = false;

  /** @param term in which this replica leads */
  constructor(env: Pick<Env, "timers" | "clock" | "log">, etcd: LeaseStore, term: Term) {
    this.#env = env;
    this.#etcd = etcd;
    this.#term = term;
    this.#look();
  }

  /** Its whole time begins anew. Seconds, or undefined when there is no such lease. */
  renew(lease: number): number | undefined {
    const ttlSeconds = this.#etcd.leases.ttlSeconds(lease);
    if (ttlSeconds === undefined || this.#revoking.has(lease)) return undefined;
    this.#endsMs.set(lease, this.#env.clock.monotonic() + ttlSeconds * 1000);
    return ttlSeconds;
  }

  /** In whole seconds, at least 0; undefined when there is no such lease. */
  remainingSeconds(lease: number): number | undefined {
    const ttlSeconds = this.#etcd.leases.ttlSeconds(lease);
    if (ttlSeconds === undefined) return undefined;
    const endsMs = this.#endsMs.get(lease);
    if (endsMs === undefined) return ttlSeconds;
    return Math.max(0, Math.floor((endsMs - this.#env.clock.monotonic()) / 1000));
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #look(): void {
    if (this.#isClosed) return;
    const nowMs = this.#env.clock.monotonic();
    const { leases } = this.#etcd;
    for (const lease of this.#endsMs.keys()) if (!leases.has(lease)) this.#endsMs.delete(lease);
    for (const lease of leases.ids()) {
      const endsMs = this.#endsMs.get(lease);
      if (endsMs === undefined) this.renew(lease);
      else if (endsMs <= nowMs && this.#revoking.size < revokedAtOnceMax) this.#revoke(lease);
    }
    this.#timer = this.#env.timers.after(everyMs, () => this.#look());
  }

  #revoke(lease: number): void {
    if (this.#revoking.has(lease)) return;
    this.#revoking.add(lease);
    this.#etcd.executeThen({ type: "revoke", lease, term: this.#term }, "lessor", (error) => {
      this.#revoking.delete(lease);
      // The next look tries again.
      if (error && !this.#isClosed)
        this.#env.log.warn("a lease has run out and could not be revoked yet", { lease, error: error.message });
    });
  }
}
