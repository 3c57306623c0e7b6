import { draft } from "./message.js";
import { appendOwn } from "./replication.js";
import type { RaftState } from "./state.js";
import type { Index, Message, NodeId, Term } from "./types.js";

export type RefusalReason =
  /** No leader is known here, or for a configuration change: this node is not the leader. */
  | "NoLeader"
  /** `uncommittedBytesMax` is reached. */
  | "Overloaded"
  /** Leadership is being handed over. */
  | "Transferring"
  /** A configuration change, or the leader's no-op, is not applied yet. */
  | "ConfChangePending"
  | "InvalidConfChange";

export type ProposeResult =
  /** In the leader's log from `index` on, one index per proposal. Committed if this index is committed with this term. */
  | { readonly outcome: "Accepted"; readonly index: Index; readonly term: Term }
  /** On its way to the leader; nothing more will be heard of it here. */
  | { readonly outcome: "Forwarded"; readonly to: NodeId }
  /** Nothing was appended or sent. */
  | { readonly outcome: "Refused"; readonly reason: RefusalReason; readonly detail: string };

/** Proposes entries: appended on the leader, forwarded by others, which is fire and forget. All or none. */
export function propose(state: RaftState, data: readonly Uint8Array[]): ProposeResult {
  if (state.role === "Leader") return proposeAsLeader(state, data);
  if (state.leader === 0) return refused("NoLeader");
  const forward = draft("MsgProp", state.id, state.leader, state.term);
  forward.entries = data.map((bytes) => ({ term: 0, index: 0, type: "Normal", data: bytes }));
  state.send(forward);
  return { outcome: "Forwarded", to: state.leader };
}

/** A forwarded proposal. Configuration changes are not forwarded: the leader could not tell whether they are valid. */
export function handleProposal(state: RaftState, proposal: Message): void {
  if (state.role !== "Leader" || proposal.entries.some((entry) => entry.type !== "Normal")) return;
  proposeAsLeader(
    state,
    proposal.entries.map((entry) => entry.data),
  );
}

function proposeAsLeader(state: RaftState, data: readonly Uint8Array[]): ProposeResult {
  // A leader that was removed and leads on brings to an end what is under way, no more.
  if (!state.progress.has(state.id)) return refused("NoLeader");
  if (state.transferee !== 0) return refused("Transferring");
  let bytes = 0;
  for (const each of data) bytes += each.length;
  // The first is let through whatever its size, so that none is too large for ever.
  const isOverloaded = state.uncommittedBytes > 0 && state.uncommittedBytes + bytes > state.config.uncommittedBytesMax;
  if (isOverloaded) return refused("Overloaded");
  const index = state.log.lastIndex + 1;
  appendOwn(state, "Normal", data);
  return { outcome: "Accepted", index, term: state.term };
}

export function refused(reason: RefusalReason): ProposeResult {
  return { outcome: "Refused", reason, detail: details[reason] };
}

const details: Record<RefusalReason, string> = {
  NoLeader: "no leader is known",
  Overloaded: "too many bytes wait to be committed and applied",
  Transferring: "leadership is being handed over",
  ConfChangePending: "an earlier configuration change, or the leader's first entry, is not applied yet",
  InvalidConfChange: "the configuration can't be changed so",
};
