/** A rule that must hold did not: the end of a simulation. `rule` is its name in the table of invariants. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly rule: Rule;

  constructor(rule: Rule, message: string) {
    super(`${rule}: ${message}`);
    this.rule = rule;
  }
}

export const rules = {
  "R1 election safety": "at most one leader in a term",
  "R2 leader append-only": "a leader never removes or replaces entries of its log",
  "R3 log matching": "entries of equal index and term are equal, and so is everything before them",
  "R4 leader completeness": "a leader holds every entry that was committed in earlier terms",
  "R5 state machine safety": "equal index, equal command, equal state",
  "R6 monotonic indexes": "commit and applied index never go back in one incarnation; applied <= commit <= last",
  "R7 persistent votes": "a term and a vote that others have seen are never taken back, over any restart",
  "R8 acknowledged writes": "an acknowledged write is there, once, with the answer that was given",
  "R9 linearizable": "each answer is explained by one instant between its question and itself",
  "R10 members":
    "quorums of consecutive configurations meet; learners count for nothing; a joint configuration is left; who was removed or cut off disturbs nobody",
  "R11 snapshots":
    "a snapshot is a prefix of the log; installing one loses nothing; what a live member needs is cut only if it can have a snapshot",
  "R12 durable before answered": "what a member acknowledges or votes for is on its disk",
  "R13 fenced leader": "a leader of an older term commits nothing once a newer one has",
  "R14 revisions": "a revision belongs to an index and never goes back, over restarts and snapshots",
  "R15 bounds": "what is in flight to one member, in one message and in one batch is bounded",
  range: "a list at a revision holds what was there then",
  past: "history holds what was changed, when and by whom, from where it starts on, and nothing in front of it is given",
  transaction: "a command is answered as the model of etcd's services answers it",
  lease: "a lease never ends before its time, and its keys end with it",
  watch: "watches see each revision once, in order, without gaps",
  liveness: "a connected quorum elects a leader and answers its clients; all replicas become equal",
  crash: "no process ends by its own fault",
} as const;

export type Rule = keyof typeof rules;
