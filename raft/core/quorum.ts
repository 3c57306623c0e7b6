import type { ConfState, Index, NodeId } from "./types.js";

export type VoteResult = "Won" | "Lost" | "Pending";

/** Number of voters of `count` that decide: more than half. */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/**
 * The highest index that a quorum has acknowledged; in joint consensus, quorums of both configurations
 * (paper 6). It serves for the commit index and for the positions of read batches alike.
 */
export function committedIndex(configuration: ConfState, acknowledged: (id: NodeId) => Index): Index {
  const incoming = majorityIndex(configuration.voters, acknowledged);
  if (configuration.outgoing.length === 0) return incoming;
  return Math.min(incoming, majorityIndex(configuration.outgoing, acknowledged));
}

/** Outcome of an election; in joint consensus both configurations must be won. */
export function voteResult(configuration: ConfState, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const incoming = majorityVote(configuration.voters, votes);
  const outgoing = configuration.outgoing.length === 0 ? incoming : majorityVote(configuration.outgoing, votes);
  if (incoming === outgoing) return incoming;
  return incoming === "Lost" || outgoing === "Lost" ? "Lost" : "Pending";
}

/** Reused between calls: a commit is computed on every acknowledgement. */
const scratch: Index[] = [];

/** Highest index acknowledged by a majority of `voters`; Infinity for the empty set, which agrees with anything. */
export function majorityIndex(voters: readonly NodeId[], acknowledged: (id: NodeId) => Index): Index {
  const count = voters.length;
  if (count === 0) return Infinity;
  scratch.length = 0;
  for (const voter of voters) {
    const index = acknowledged(voter);
    let place = scratch.length;
    scratch.push(index);
    while (place > 0 && scratch[place - 1]! < index) {
      scratch[place] = scratch[place - 1]!;
      place--;
    }
    scratch[place] = index;
  }
  return scratch[majority(count) - 1]!;
}

/** Outcome among one set of voters; votes of others do not count. The empty set is won. */
export function majorityVote(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const needed = voters.length === 0 ? 0 : majority(voters.length);
  let granted = 0;
  let open = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === undefined) open++;
    else if (vote) granted++;
  }
  if (granted >= needed) return "Won";
  return granted + open >= needed ? "Pending" : "Lost";
}
