import type { Entry, Index, Message, MessageType, NodeId, Term } from "./types.js";

/** A message while it is being filled in; it is a `Message` from the moment it is sent. */
export type Draft = { -readonly [Field in keyof Message]: Message[Field] };

export const noEntries: readonly Entry[] = Object.freeze([]);

/** `Message.context` of a vote request which the present leader itself asked for (thesis 3.10). */
export const transferCampaign = 1;

/** `Message.context` of the notice by a member that has lost part of what it acknowledged; no append is refused by it. */
export const recoveringRefusal = 1;

/** The only place where messages are made: one shape, every field set, so that all code on messages stays monomorphic. */
export function draft(type: MessageType, from: NodeId, to: NodeId, term: Term): Draft {
  return {
    type,
    from,
    to,
    term,
    logTerm: 0,
    index: 0,
    entries: noEntries,
    commit: 0,
    reject: false,
    rejectHint: 0,
    snapshot: undefined,
    context: 0,
    session: 0,
  };
}

/** True when the entries follow `index` without gap, in terms that never fall and never pass the message's own. */
export function isWellFormedAppend(message: Message): boolean {
  let index: Index = message.index;
  let term: Term = message.logTerm;
  for (const entry of message.entries) {
    index++;
    if (entry.index !== index || entry.term < term || entry.term > message.term) return false;
    term = entry.term;
  }
  return true;
}
