import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import type { Consensus } from "../raft/consensus.js";
import type { Applied, StateMachine } from "./state-machine.js";
import type { TxnResult, WriteRequest } from "./store.js";
import type { Waiter } from "./waiter.js";

/** What a caller proposes. */
export interface Proposal<T> {
  readonly waiter: Waiter<T>;
  readonly client: WriteRequest["client"];
  /** @throws IkadaError when the log must never hold it */
  encode(proposal: number): Uint8Array;
  /** What its entry did, to be told. */
  answer(applied: Applied): T | undefined;
  /** It was applied before, by an entry that this replica has not seen or does not remember; undefined: what it was answered is not known. */
  repeated(results: readonly TxnResult[]): T | undefined;
}

interface Pending {
  readonly proposal: Proposal<unknown>;
  readonly data: Uint8Array;
  /** Of the leader it was sent to last; 0: there was none. */
  term: number;
}

/** Proposals whose callers wait, by their random numbers. */
export class Proposals {
  readonly #pending = new Map<number, Pending>();
  #consensus: Consensus | undefined;

  get size(): number {
    return this.#pending.size;
  }

  connect(consensus: Consensus): void {
    this.#consensus = consensus;
  }

  /** `term`: of the leader that is known, 0 without one. */
  propose<T>(number: number, proposal: Proposal<T>, state: StateMachine, term: number): void {
    const { waiter, client } = proposal;
    if (waiter.finished) return;
    const earlier = client && state.answered(client);
    if (earlier !== undefined) return settleRepeat(proposal, earlier);
    if (this.#pending.size >= limits.requestsInWorkMax)
      return waiter.refuse(new IkadaError("Overloaded", `${this.#pending.size} writes wait on this replica already`));
    if (!this.#consensus) return waiter.refuse(new IkadaError("Unavailable", "this replica is still starting"));
    let data: Uint8Array;
    try {
      data = proposal.encode(number);
    } catch (caught) {
      return waiter.refuse(IkadaError.from(caught));
    }
    this.#pending.set(number, { proposal: proposal as Proposal<unknown>, data, term });
    waiter.onEnd = () => this.#pending.delete(number);
    return this.#consensus.propose(number, data);
  }

  applied(applied: Applied): void {
    const proposal = this.#pending.get(applied.proposal)?.proposal;
    if (!proposal) return;
    if (applied.isRepeat) return settleRepeat(proposal, applied.results);
    proposal.waiter.answer(proposal.answer(applied));
  }

  refuse(number: number, error: IkadaError): void {
    this.#pending.get(number)?.proposal.waiter.refuse(error);
  }

  /**
   * What was on its way to a leader that is gone may have been lost with it: everybody who waits asks the new one. An entry
   * that then stands in the log twice takes effect once: by its client's sequence, or because its compares fail the second
   * time. Consensus itself holds what was proposed while there was no leader.
   */
  askAgain(term: number): void {
    for (const [number, pending] of this.#pending) {
      if (pending.term !== 0) this.#consensus?.propose(number, pending.data);
      pending.term = term;
    }
  }

  /** The state has leapt: what was applied in between is known by the request table only. */
  replaced(state: StateMachine): void {
    for (const { proposal } of this.#pending.values()) {
      const answer = proposal.client && state.answered(proposal.client);
      if (answer !== undefined) settleRepeat(proposal, answer);
    }
  }

  refuseAll(reason: IkadaError): void {
    for (const { proposal } of this.#pending.values()) proposal.waiter.refuse(reason);
  }
}

function settleRepeat<T>(proposal: Proposal<T>, answer: Applied["results"]): void {
  const { waiter } = proposal;
  if (answer === "forgotten")
    return waiter.refuse(
      new IkadaError(
        "Conflict",
        "this request is a repeat of one whose answer is no longer kept; it was not done again",
        { hint: "read the objects, decide again and use a new sequence number" },
      ),
    );
  const known = proposal.repeated(answer);
  if (known !== undefined) return waiter.answer(known);
  return waiter.refuse(
    new IkadaError("Unavailable", "the request was done, but its answer was lost", { hint: "read what it did" }),
  );
}
