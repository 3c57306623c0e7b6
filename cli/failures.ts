import { IkadaError, type Reason } from "../src/base/errors.js";

/** What went wrong with several objects of one command. */
export class Failures extends Error {
  override readonly name = "Failures";
  readonly errors: readonly IkadaError[];

  constructor(errors: readonly IkadaError[]) {
    super(errors.map(({ message }) => message).join("\n"));
    this.errors = errors;
  }
}

/** Ends the process with a code that says more than that something failed. */
export class ExitStatus extends Error {
  override readonly name = "ExitStatus";
  /** 0 to 255; `exec` passes on its command's. */
  readonly code: number;

  /** Without `cause` nothing failed, and nothing is reported. */
  constructor(code: number, cause?: unknown) {
    super(`exit code ${code}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

/** These are about one object: the next one may be fine. After any other error the rest would only fail the same way. */
const aboutOne: ReadonlySet<Reason> = new Set<Reason>([
  "AlreadyExists",
  "Conflict",
  "FieldConflict",
  "Forbidden",
  "Invalid",
  "NotFound",
  "TooLarge",
]);

/** Does all in order, past those that fail, as kubectl does. @throws Failures at the end */
export async function tryEach<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const errors: IkadaError[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (caught) {
      const error = IkadaError.from(caught);
      errors.push(error);
      if (!aboutOne.has(error.reason)) break;
    }
  }
  if (errors.length > 0) throw new Failures(errors);
}
