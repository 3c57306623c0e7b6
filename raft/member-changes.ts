import { encodeConfChange } from "./conf-change.js";
import type { ConsensusHandlers, RefusedReason } from "./consensus.js";
import type { ConfChange } from "./core/configuration.js";
import { applyChange, isJoint } from "./core/configuration.js";
import type { RefusalReason } from "./core/proposal.js";
import type { Raft } from "./core/raft.js";
import type { Entry, Index, Term } from "./core/types.js";

/** Not proposed yet. `asOf`: only if the members have not changed behind this entry. */
interface Wanted {
  readonly tag: number;
  readonly change: ConfChange;
  readonly asOf: Index | undefined;
}

/** In the log of the leader that this member was, and not yet known to be committed and left. */
interface Proposed {
  readonly tag: number;
  readonly index: Index;
  readonly term: Term;
  isCommitted: boolean;
}

/**
 * Changes of the members, from the wish to the answer. The entry carries the configuration that it makes, for members that
 * join with an empty log. Leadership may be lost meanwhile: what decides is which entry is committed at the index.
 */
export class MemberChanges {
  readonly #core: Raft;
  readonly #handlers: Pick<ConsensusHandlers, "onMembersChanged" | "onRefused">;
  readonly #changedAt: () => Index;
  #wanted: Wanted[] = [];
  #proposed: Proposed[] = [];

  /** `changedAt`: the entry that made the configuration which the core has. */
  constructor(core: Raft, handlers: Pick<ConsensusHandlers, "onMembersChanged" | "onRefused">, changedAt: () => Index) {
    this.#core = core;
    this.#handlers = handlers;
    this.#changedAt = changedAt;
  }

  add(wanted: Wanted): void {
    this.#wanted.push(wanted);
  }

  /** Once a turn. */
  propose(): void {
    for (const { tag, change, asOf } of this.#wanted.splice(0)) {
      const changedAt = this.#changedAt();
      if (asOf !== undefined && changedAt > asOf) {
        const detail = `the members were changed by entry ${changedAt}, and the change was asked for as of ${asOf}`;
        this.#handlers.onRefused(tag, "MembersChanged", detail);
        continue;
      }
      // A change that is in the log and not in the configuration yet is refused by the core.
      const proposal = this.#core.proposeConfChange(change, this.#encode(change));
      if (proposal.outcome === "Accepted")
        this.#proposed.push({ tag, index: proposal.index, term: proposal.term, isCommitted: false });
      else if (proposal.outcome === "Refused")
        this.#handlers.onRefused(tag, refusals[proposal.reason], proposal.detail);
    }
  }

  /** These entries are committed, and the core has applied the changes among them. */
  delivered(entries: readonly Entry[]): void {
    const first = entries[0]?.index;
    if (first === undefined || this.#proposed.length === 0) return;
    const { configuration } = this.#core.status();
    const open: Proposed[] = [];
    for (const change of this.#proposed) {
      const entry = entries[change.index - first];
      if (entry && entry.term !== change.term) {
        this.#handlers.onRefused(change.tag, "NoLeader", "another leader's entry has taken its place");
        continue;
      }
      if (entry) change.isCommitted = true;
      if (change.isCommitted && !isJoint(configuration)) this.#handlers.onMembersChanged(change.tag, configuration);
      // Overtaken by a snapshot: whether it was committed can't be told here any more.
      else if (change.isCommitted || change.index >= first) open.push(change);
    }
    this.#proposed = open;
  }

  /** The tags of those that have not been proposed. */
  clear(): number[] {
    return this.#wanted.splice(0).map(({ tag }) => tag);
  }

  #encode(change: ConfChange): Uint8Array {
    const result = applyChange(this.#core.status().configuration, change);
    // An invalid one is refused by the core, with the reason.
    return encodeConfChange("error" in result ? change : { ...change, result: result.configuration });
  }
}

const refusals: Record<RefusalReason, RefusedReason> = {
  NoLeader: "NoLeader",
  Transferring: "NoLeader",
  Overloaded: "Overloaded",
  ConfChangePending: "ChangePending",
  InvalidConfChange: "InvalidChange",
};
