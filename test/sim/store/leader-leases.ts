import type { Env } from "../../../src/base/env.js";
import type { EtcdStore } from "../../../store/etcd/etcd-store.js";
import { Lessor } from "../../../store/etcd/lessor.js";
import type { Replica } from "../../../store/replica.js";
import type { SimulatedReplica } from "../simulated-replica.js";
import { Violation } from "../violation.js";

/** How often a process looks whether it leads. */
const everyMs = 20;

/**
 * What a process does about leases: as production's leadership does, it has a clock of leases while it leads and has applied the beginning of its
 * term. Sees to it that no lease is ended before its whole time has passed on that process's own clock, from the last moment on that it was renewed.
 */
export class LeaderLeases {
  readonly #replica: SimulatedReplica;
  readonly #store: Replica;
  readonly #env: Env;
  #term = 0;
  #lessor: Lessor | undefined;
  /** On the monotonic clock. */
  #openedAt = 0;
  readonly #renewedAt = new Map<number, number>();

  constructor(replica: SimulatedReplica, store: Replica, env: Env) {
    this.#replica = replica;
    this.#store = store;
    this.#env = env;
    this.#look();
  }

  /** True when it leads and there is such a lease: it begins anew. */
  renew(lease: number): boolean {
    if (this.#lessor?.renew(lease) === undefined) return false;
    this.#renewedAt.set(lease, this.#env.clock.monotonic());
    return true;
  }

  #look(): void {
    const status = this.#store.status();
    const term = status?.role === "Leader" ? status.term : 0;
    if (term !== this.#term) {
      this.#lessor?.close();
      this.#lessor = undefined;
      this.#term = term;
      if (term !== 0) this.#open(term);
    }
    this.#env.timers.after(everyMs, () => this.#look());
  }

  #open(term: number): void {
    this.#store.barrierThen((error) => {
      if (term !== this.#term || this.#lessor) return;
      if (error) {
        // Elected, and not confirmed: the next look asks again.
        this.#term = 0;
        return;
      }
      this.#openedAt = this.#env.clock.monotonic();
      this.#renewedAt.clear();
      this.#lessor = new Lessor(this.#env, this.#watched(term), term);
    });
  }

  #watched(term: number): Pick<EtcdStore, "leases" | "executeThen"> {
    const { etcd } = this.#store;
    return {
      get leases() {
        return etcd.leases;
      },
      executeThen: (command, origin, done, options) => {
        if (command.type === "revoke") this.#checkAge(command.lease);
        // The judge compares the term in which it was decided with that of the log.
        etcd.executeThen(command, `${origin} of term ${term}`, done, options);
      },
    };
  }

  #checkAge(lease: number): void {
    const since = Math.max(this.#openedAt, this.#renewedAt.get(lease) ?? 0);
    const ageMs = this.#env.clock.monotonic() - since;
    const ttlMs = (this.#store.etcd.leases.ttlSeconds(lease) ?? 0) * 1000;
    // Clocks with a rate of their own round.
    if (ageMs >= ttlMs - 0.001) return;
    throw new Violation("lease", `member ${this.#replica.id} ends lease ${lease} of ${ttlMs} ms after ${ageMs} ms`);
  }
}
