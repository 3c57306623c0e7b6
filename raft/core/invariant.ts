/** A rule of the algorithm does not hold. The replica might be wrong and must not answer: the process ends. */
export class RaftInvariantError extends Error {
  override readonly name = "RaftInvariantError";
}

/** Throws `RaftInvariantError`; on in production. `message` says what must hold; a function is only called on failure. */
export function invariant(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new RaftInvariantError(typeof message === "string" ? message : message());
}
