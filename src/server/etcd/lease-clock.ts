import { IkadaError } from "../../base/errors.js";
import type { LeaseTimer } from "../../../store/etcd.js";
import type { ReplicaControl } from "../replica-status.js";

/** Asks the leader's clock of leases on another replica. */
export type AskLeader = (
  leader: number,
  lease: number,
  renew: boolean,
  deadlineMs: number,
) => Promise<number | undefined>;

/** How long the leader may take to answer. */
const askMs = 5_000;

/** How long leases still have, and that they begin anew: the leader's business, reached from any replica. */
export class LeaseClock {
  readonly #replica: ReplicaControl;
  readonly #barrier: () => Promise<unknown>;
  readonly #askLeader: AskLeader;
  #timer: LeaseTimer | undefined;

  /** @param barrier resolves when this replica's state is as new as the call */
  constructor(replica: ReplicaControl, barrier: () => Promise<unknown>, askLeader: AskLeader) {
    this.#replica = replica;
    this.#barrier = barrier;
    this.#askLeader = askLeader;
  }

  /** While this replica leads. */
  lead(timer: LeaseTimer): { close(): void } {
    this.#timer = timer;
    return {
      close: () => {
        if (this.#timer === timer) this.#timer = undefined;
        timer.close();
      },
    };
  }

  /** Seconds that the lease has now; undefined when there is none. @throws IkadaError NoLeader, Unavailable, Deadline */
  async ask(lease: number, renew: boolean): Promise<number | undefined> {
    if (this.#timer) return await this.askHere(lease, renew);
    const { leader, id } = this.#replica.status();
    if (leader === 0 || leader === id)
      throw new IkadaError("NoLeader", "etcdserver: no leader", { hint: "try again in a second" });
    return await this.#askLeader(leader, lease, renew, askMs);
  }

  /**
   * The same, for another replica that believes that this one leads. A quorum confirms it first: one that is deposed and does not know yet would
   * promise time that the next one does not give. @throws IkadaError NoLeader, Deadline
   */
  async askHere(lease: number, renew: boolean): Promise<number | undefined> {
    await this.#barrier();
    if (!this.#timer) throw new IkadaError("NoLeader", "this server does not lead", { hint: "try again in a second" });
    return renew ? this.#timer.renew(lease) : this.#timer.remainingSeconds(lease);
  }
}
