/** gRPC's status codes by name; there are no others (https://grpc.io/docs/guides/status-codes). */
export type Code =
  | "CANCELLED"
  | "UNKNOWN"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "OUT_OF_RANGE"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** Stable names that programs may test. docs/errors.md lists each; a test compares the two. */
export const reasons = {
  AlreadyExists: "ALREADY_EXISTS",
  BadRequest: "INVALID_ARGUMENT",
  Compacted: "OUT_OF_RANGE",
  Conflict: "ABORTED",
  Deadline: "DEADLINE_EXCEEDED",
  Cancelled: "CANCELLED",
  Damaged: "DATA_LOSS",
  DiskFull: "RESOURCE_EXHAUSTED",
  DisruptionBudget: "RESOURCE_EXHAUSTED",
  FieldConflict: "ABORTED",
  Forbidden: "PERMISSION_DENIED",
  Internal: "INTERNAL",
  Invalid: "INVALID_ARGUMENT",
  NoLeader: "UNAVAILABLE",
  NotFound: "NOT_FOUND",
  NotReady: "FAILED_PRECONDITION",
  OutOfRange: "OUT_OF_RANGE",
  Overloaded: "RESOURCE_EXHAUSTED",
  QuotaExceeded: "RESOURCE_EXHAUSTED",
  Removed: "FAILED_PRECONDITION",
  SlowWatcher: "RESOURCE_EXHAUSTED",
  TooLarge: "RESOURCE_EXHAUSTED",
  Unauthenticated: "UNAUTHENTICATED",
  Unavailable: "UNAVAILABLE",
  UnknownKind: "NOT_FOUND",
  Unsupported: "UNIMPLEMENTED",
} as const satisfies Record<string, Code>;

/** One of the stable names; what each means is in docs/errors.md. */
export type Reason = keyof typeof reasons;

/** One fault in one field, as Kubernetes' `metav1.StatusCause`. */
export interface FieldFault {
  /** Path as users write it: `spec.template.spec.containers[0].image`. */
  readonly field: string;
  /** What is wrong with it, by a stable name. */
  readonly reason:
    | "Required"
    | "Invalid"
    | "NotSupported"
    | "Duplicate"
    | "Unknown"
    | "TypeMismatch"
    | "TooLong"
    | "TooMany"
    | "Immutable"
    | "Conflict";
  /** The same as a sentence for people. */
  readonly message: string;
}

/** What an error is about, beside its message. */
export interface ErrorDetails {
  /** The object the error is about, e.g. `deployments.apps "web"`. */
  readonly object?: string;
  /** Every faulty field of an Invalid object. */
  readonly faults?: readonly FieldFault[];
  /** What the caller can do next, one sentence. */
  readonly hint?: string;
  /** The revision to resume from, for Compacted and SlowWatcher. */
  readonly revision?: number;
}

/** The one error class of the project. Everything that crosses a process boundary is one of these. */
export class IkadaError extends Error {
  /** As of every error. */
  override readonly name = "IkadaError";
  /** What went wrong, by a stable name that programs may test. */
  readonly reason: Reason;
  /** What it is about. */
  readonly details: ErrorDetails;

  /** `cause`: what was caught, if anything. */
  constructor(reason: Reason, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.reason = reason;
    this.details = details;
  }

  /** gRPC's status code for the reason. */
  get code(): Code {
    return reasons[this.reason];
  }

  /** Turns anything caught into an `IkadaError`; what was none becomes `Internal` and keeps its cause. */
  static from(caught: unknown): IkadaError {
    if (caught instanceof IkadaError) return caught;
    const message = caught instanceof Error ? caught.message : String(caught);
    return new IkadaError("Internal", message, {}, caught);
  }
}

/** Ends the process when an invariant is broken: a replica that might be wrong must not answer. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Throws `InvariantError`; on in production. `message` says what must hold. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}
