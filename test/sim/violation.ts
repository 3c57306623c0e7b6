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
  fence: "a Pod with a fencing lease never runs twice at once, whoever is cut off, stands still or ends",
  watch: "watches see each revision once, in order, without gaps",
  "O1 surge": "no more Pods of a Deployment run than replicas + maxSurge, as the engines see it",
  "O2 availability": "no controller takes a ready Pod when fewer than replicas - maxUnavailable would be left",
  "O3 desired state": "once all is healed, what users want is there soon and stays",
  "O4 at most once": "a container runs once, a Pod on one machine, and no two Pods of a StatefulSet have one name",
  "O5 no orphans": "in the end every container and volume belongs to a Pod of its node",
  "O6 placement":
    "Pods are bound to nodes that are ready, take new ones and have room, as of the revision of the binding",
  "O7 no lost update":
    "what users want is changed by users only; generations and what was observed of them do not go back",
  "O8 watches": "the objects that a server knows are those of the store",
  "O9 counted once":
    "each end of a container is told once: ends stay, restarts do not count back, what is not to be restarted is not",
  "O10 deletion":
    "no uid comes back, no deletion is taken back, nothing is made for an owner that is gone or on its way out",
  "O11 convergence": "no object is written all the time, and none once all is as wanted",
  "O12 secrets": "a Secret is only on nodes that have a Pod which needs it",
  "O13 keeps running": "an agent ends no container of a Pod that is to run on its node",
  "O14 agent restart": "nor does one that was restarted",
  liveness: "a connected quorum elects a leader and answers its clients; all replicas become equal",
  crash: "no process ends by its own fault",
} as const;

export type Rule = keyof typeof rules;
