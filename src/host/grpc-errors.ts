import * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { IkadaError, InvariantError, reasons } from "../base/errors.js";
import type { Code, ErrorDetails, FieldFault, Reason } from "../base/errors.js";

/** Binary trailer with an `ikada.api.v1.ErrorDetails`. */
export const errorTrailer = "ikada-error-bin";

/** Faults beyond this are cut: trailers have to stay small (HTTP/2 peers refuse large header blocks). */
const faultsMax = 32;
const textLengthMax = 1024;

/** What a server answers for anything thrown: gRPC code, message, details in the trailer. */
export function statusFromError(caught: unknown): grpc.ServiceError {
  const error = IkadaError.from(caught);
  const { details } = error;
  const metadata = new grpc.Metadata();
  const encoded = ikada.api.v1.ErrorDetails.encode({
    reason: error.reason,
    message: cut(error.message),
    object: details.object ?? null,
    hint: details.hint ?? null,
    revision: details.revision ?? null,
    faults: (details.faults ?? []).slice(0, faultsMax).map((fault) => ({
      field: cut(fault.field),
      reason: fault.reason,
      message: cut(fault.message),
    })),
  }).finish();
  metadata.set(errorTrailer, Buffer.from(encoded));
  return Object.assign(new Error(error.message), {
    code: grpc.status[error.code],
    details: cut(error.message),
    metadata,
  });
}

/** What a client makes of a failed call. Failures of the connection itself become Unavailable. */
export function errorFromStatus(caught: unknown): IkadaError {
  if (caught instanceof IkadaError || caught instanceof InvariantError) return IkadaError.from(caught);
  if (!isServiceError(caught)) return IkadaError.from(caught);
  const [trailer] = caught.metadata?.get(errorTrailer) ?? [];
  if (trailer instanceof Uint8Array) {
    const decoded = decodeDetails(trailer, caught);
    if (decoded) return decoded;
  }
  return new IkadaError(reasonOf(caught.code, caught.details), caught.details || caught.message, {}, caught);
}

function decodeDetails(bytes: Uint8Array, cause: grpc.ServiceError): IkadaError | undefined {
  let decoded: ikada.api.v1.ErrorDetails;
  try {
    decoded = ikada.api.v1.ErrorDetails.decode(bytes);
  } catch {
    return undefined;
  }
  if (!(decoded.reason in reasons)) return undefined;
  const details: ErrorDetails = {
    ...(decoded.object && { object: decoded.object }),
    ...(decoded.hint && { hint: decoded.hint }),
    ...(decoded.revision && { revision: decoded.revision }),
    ...(decoded.faults.length > 0 && {
      faults: decoded.faults.map((fault) => ({
        field: fault.field ?? "",
        reason: (fault.reason ?? "Invalid") as FieldFault["reason"],
        message: fault.message ?? "",
      })),
    }),
  };
  return new IkadaError(decoded.reason as Reason, decoded.message || cause.details, details, cause);
}

/** For statuses that no handler of ours made: the library's own, or another implementation's. */
function reasonOf(status: grpc.status, message: string): Reason {
  const code = grpc.status[status] as Code;
  if (code === "RESOURCE_EXHAUSTED" && /larger than/i.test(message)) return "TooLarge";
  const byCode: Partial<Record<Code, Reason>> = {
    CANCELLED: "Cancelled",
    DEADLINE_EXCEEDED: "Deadline",
    UNAVAILABLE: "Unavailable",
    UNAUTHENTICATED: "Unauthenticated",
    PERMISSION_DENIED: "Forbidden",
    INVALID_ARGUMENT: "BadRequest",
    NOT_FOUND: "NotFound",
    ALREADY_EXISTS: "AlreadyExists",
    RESOURCE_EXHAUSTED: "Overloaded",
    ABORTED: "Conflict",
    OUT_OF_RANGE: "Compacted",
    UNIMPLEMENTED: "Unsupported",
  };
  return byCode[code] ?? "Internal";
}

function isServiceError(value: unknown): value is grpc.ServiceError {
  return value instanceof Error && "code" in value && typeof value.code === "number" && "details" in value;
}

function cut(text: string): string {
  return text.length <= textLengthMax ? text : `${text.slice(0, textLengthMax)}…`;
}
