/** Every point of this folder at which a test may crash, stop or delay the process, in the order of one write's way. */
export const failpoints = {
  /** An entry is applied in memory; no watch, no caller and no disk knows of it. */
  storeAfterApply: "store-after-apply",
  /** A batch is about to be handed to the disk. */
  storeBeforeWrite: "store-before-write",
  /** The disk can answer with a batch; nothing is durable. */
  storeAfterWrite: "store-after-write",
  /** A flush completed; consensus was not told. */
  storeAfterFlush: "store-after-flush",
  /** Some rows of compacted history were removed. */
  storeAfterRemoval: "store-after-removal",
} as const;
