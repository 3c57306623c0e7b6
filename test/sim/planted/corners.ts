/** A hard corner of Raft: something that a known implementation got wrong. */
export interface Corner {
  readonly number: number;
  readonly title: string;
  /** Why no planted fault stands for it. */
  readonly without?: string;
}

/** Numbered as in docs/raft.md. */
export const corners: readonly Corner[] = [
  { number: 1, title: "two single-server changes with disjoint majorities" },
  { number: 2, title: "an election with a committed change unapplied" },
  { number: 3, title: "a joint configuration that is never left" },
  {
    number: 4,
    title: "a change that is rolled back stays in force",
    without: "a change counts when it is applied, and what is applied is committed: there is nothing to roll back",
  },
  { number: 5, title: "a removed or cut-off member disrupts" },
  { number: 6, title: "a promoted learner that does not know it yet refuses to vote" },
  { number: 7, title: "an old answer counts for a member that came back empty" },
  { number: 8, title: "a change of the members is lost by a restart" },
  { number: 9, title: "a read before the first commit of the term" },
  { number: 10, title: "a read confirmed by an answer to an earlier one" },
  { number: 11, title: "reads by a lease that no clock keeps" },
  { number: 12, title: "a leader counts what it has not written" },
  { number: 13, title: "a failed sync is taken for a good one" },
  { number: 14, title: "writes that overtake each other" },
  {
    number: 15,
    title: "damage in the middle of the log is cut like a torn tail",
  },
  { number: 16, title: "a gap between snapshot and log" },
  { number: 17, title: "applied index and state are not one write" },
  { number: 18, title: "a replaced tail counts as durable (ABA)" },
  { number: 19, title: "something is sent in a term that is not durable" },
  { number: 20, title: "a leader whose disk hangs leads on" },
  { number: 21, title: "a leader in a partial partition leads on" },
  { number: 22, title: "pre-votes that strand or bind" },
  { number: 23, title: "a transfer that never ends" },
  { number: 24, title: "elections without need" },
  { number: 25, title: "a lost window stays full" },
  {
    number: 26,
    title: "a snapshot holds up heartbeats",
    without: "time of threads and sockets is not simulated: real processes measure it",
  },
  { number: 27, title: "the end of a snapshot's transfer is lost" },
  { number: 28, title: "a repeated request is applied twice" },
  { number: 29, title: "an old append cuts what is behind it" },
];
