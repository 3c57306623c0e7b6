import type { Consensus, RefusedReason } from "../raft/consensus.js";
import type { ConfChange } from "../raft/core/configuration.js";
import type { ConfState, Index } from "../raft/core/types.js";
import { IkadaError } from "../src/base/errors.js";
import type { Waiter } from "./waiter.js";

/** A change that is refused when the members have changed behind entry `asOf` of the log. */
export interface MemberChange extends ConfChange {
  readonly asOf?: Index;
}

/** Callers that wait for a change of the members, by the tag of their proposal. */
export class MemberChanges {
  readonly #waiting = new Map<number, Waiter<ConfState>>();

  propose(consensus: Consensus, tag: number, { asOf, ...change }: MemberChange, waiter: Waiter<ConfState>): void {
    this.#waiting.set(tag, waiter);
    waiter.onEnd = () => this.#waiting.delete(tag);
    consensus.changeMembers(tag, change, asOf);
  }

  onChanged(tag: number, configuration: ConfState): void {
    this.#waiting.get(tag)?.answer(configuration);
  }

  /** False when nobody waits for this tag. */
  onRefused(tag: number, reason: RefusedReason, detail: string | undefined): boolean {
    const waiter = this.#waiting.get(tag);
    waiter?.refuse(refusal(reason, detail));
    return waiter !== undefined;
  }

  refuseAll(error: IkadaError): void {
    for (const waiter of this.#waiting.values()) waiter.refuse(error);
  }
}

function refusal(reason: RefusedReason, detail = "the members can't be changed"): IkadaError {
  switch (reason) {
    case "ChangePending":
      return new IkadaError("NotReady", `another change of the members is under way: ${detail}`, {
        hint: "repeat it in a second",
      });
    case "MembersChanged":
      return new IkadaError("Conflict", detail, {
        hint: "look at 'ikada cluster members' and repeat what is still wanted",
      });
    case "InvalidChange":
      return new IkadaError("Invalid", detail, { hint: "see 'ikada cluster members'" });
    default:
      return new IkadaError("NoLeader", `this server does not lead: ${detail}`, { hint: "try again in a second" });
  }
}
