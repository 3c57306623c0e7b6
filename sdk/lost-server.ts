import { IkadaError } from "../src/base/errors.js";

/** What ended a stream that had begun: a server that dies can't say itself what to do next. */
export function endOfStream(caught: unknown): IkadaError {
  const error = IkadaError.from(caught);
  if (error.reason !== "Unavailable" || error.details.hint !== undefined) return error;
  const hint = "the server that carried it was lost: ask again, and another one serves it";
  return new IkadaError(error.reason, error.message, { ...error.details, hint }, error);
}
