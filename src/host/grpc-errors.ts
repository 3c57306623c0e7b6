import * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { IkadaError, InvariantError, reasons } from "../base/errors.js";
import type { Code, ErrorDetails, FieldFault, Reason } from "../base/errors.js";

/** Binary trailer with an `ikada.api.v1.ErrorDetails`. */
export const errorTrailer = "ikada-error-bin";

/**
 * Trailers have to stay small: HTTP/2 peers refuse large header blocks, and gRPC libraries of other languages draw the line at 8 KiB. Texts
 * are cut at so many UTF-16 code units, the message beside the details at so many bytes as it is sent, and faults that do not fit are left out.
 */
const messageLengthMax = 1_024;
const textLengthMax = 512;
const fieldLengthMax = 256;
const sentMessageBytesMax = 1_536;
const detailsBytesMax = 4_608;

/** What a server answers for anything thrown: gRPC code, message, details in the trailer. */
export function statusFromError(caught: unknown): grpc.ServiceError {
  const error = IkadaError.from(caught);
  const metadata = new grpc.Metadata();
  metadata.set(errorTrailer, encodeDetails(error));
  return Object.assign(new Error(error.message), {
    code: grpc.status[error.code],
    details: sentMessage(cut(error.message, messageLengthMax)),
    metadata,
  });
}

/**
 * What the library answers by itself (to bytes that are no message, to a message that is too large, when the deadline passes), with a
 * reason like every other refusal; any other status as it is.
 */
export function reasonedStatus(status: SentStatus): SentStatus {
  if (status.code === grpc.status.OK || (status.metadata?.get(errorTrailer).length ?? 0) > 0) return status;
  const { code, details, metadata } = statusFromError(
    new IkadaError(reasonOf(status.code, status.details), status.details),
  );
  return { code, details, metadata };
}

/** For servers without a guard of their own: the library's own refusals have a reason too. */
export const reasonsForAll: grpc.ServerInterceptor = (_method, call) => {
  // The library's own answers pass no interceptor on their way out.
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) => send(reasonedStatus(status));
  return new grpc.ServerInterceptingCall(call);
};

/** As the library takes it; it does not export the type. */
type SentStatus = Parameters<grpc.ServerInterceptingCallInterface["sendStatus"]>[0];

function encodeDetails(error: IkadaError): Buffer {
  const { object, hint, revision, faults = [] } = error.details;
  const details = {
    reason: error.reason,
    message: cut(error.message, messageLengthMax),
    object: object === undefined ? null : cut(object, textLengthMax),
    hint: hint === undefined ? null : cut(hint, textLengthMax),
    revision: revision ?? null,
  };
  const { ErrorDetails, FieldFault: WireFault } = ikada.api.v1;
  const encoded = ErrorDetails.encode(details).finish();
  let bytes = encoded.length;
  const kept: object[] = [];
  for (const { field, reason, message } of faults) {
    const fault = { field: cut(field, fieldLengthMax), reason, message: cut(message, textLengthMax) };
    bytes += WireFault.encode(fault).finish().length + faultHeadBytes;
    if (bytes > detailsBytesMax) break;
    kept.push(fault);
  }
  return Buffer.from(ErrorDetails.encode({ ...details, faults: kept }).finish());
}

/** Tag and length of a fault among the details. */
const faultHeadBytes = 3;

/** Percent-encoding makes nine bytes of some characters; the details have the whole text. */
function sentMessage(text: string): string {
  let sent = text;
  while (encodeURI(sent).length > sentMessageBytesMax) sent = cut(sent, Math.floor(sent.length / 2));
  return sent;
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
  if ((code === "INTERNAL" || code === "UNIMPLEMENTED") && malformed.test(message)) return "BadRequest";
  if (code === "INTERNAL" && cutOff.test(message)) return "Unavailable";
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

/** What the library says of calls that no client of it would make. */
const malformed =
  /^(Error deserializing request|Failed to decompress|Invalid grpc-timeout|Received (no|a second) request)/;

/** What the library says of a call whose connection a server has closed in an orderly way, and which it has not answered: one that ends does so. */
const cutOff = /^Received RST_STREAM with code 0\b/;

function isServiceError(value: unknown): value is grpc.ServiceError {
  return value instanceof Error && "code" in value && typeof value.code === "number" && "details" in value;
}

/** Of surrogates that stand alone, in what was sent or by the cut, nothing can be encoded: the library would end the process over one. */
function cut(text: string, lengthMax: number): string {
  return (text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`).replace(/\p{Surrogate}/gu, "\ufffd");
}
