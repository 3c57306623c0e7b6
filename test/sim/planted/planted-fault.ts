/** One piece of compiled code and what stands there instead: `find` stands in `file` exactly once. */
export interface Edit {
  /** Below `dist`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A mistake planted into the compiled production code, which the simulator has to find. */
export interface PlantedFault {
  readonly name: string;
  /** Which of the hard corners of Raft (corners.ts) it is an instance of. */
  readonly corner?: number;
  readonly edits: readonly Edit[];
  /** The one in which it is looked for. @default "raft" */
  readonly world?: string;
  /** Found in few seeds: also planted by `npm test`. */
  readonly quick?: boolean;
  /** Swarm fields that the hunt sets, for a corner which the general world reaches too seldom. */
  readonly set?: Readonly<Record<string, string | number | boolean>>;
}
