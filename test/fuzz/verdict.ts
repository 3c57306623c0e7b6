import { status } from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { reasons } from "../../src/base/errors.js";
import type { Outcome } from "./caller.js";
import type { ApiMethod } from "./protos.js";
import type { Request } from "./requests.js";

/** What is wrong with the answer, without what differs between two of a kind; undefined when it is as it should be. */
export function faultOf(request: Request, outcome: Outcome, method: ApiMethod | undefined): string | undefined {
  switch (outcome.type) {
    case "refused":
      return undefined;
    case "broken":
      return `the connection broke: ${outcome.error}`;
    case "silent":
      return "no answer in time";
    case "open":
      return bodyFault(outcome.body, method, true);
    default:
      return answerFault(request, outcome, method);
  }
}

function answerFault(
  request: Request,
  answer: Extract<Outcome, { type: "answer" }>,
  method: ApiMethod | undefined,
): string | undefined {
  const { httpStatus, code, message, details, body } = answer;
  if (httpStatus === 415 && request.headers["content-type"] !== undefined) return undefined;
  if (httpStatus !== 200) return `HTTP status ${httpStatus}`;
  if (code === undefined) return "an answer without a status";
  const name = status[code] ?? String(code);
  if (name === "OK") return bodyFault(body, method, false);
  if ([status.UNKNOWN, status.INTERNAL, status.DATA_LOSS].includes(code)) return `${name}: ${alike(message)}`;
  // Of a method that there is not the library itself says so.
  if (name === "UNIMPLEMENTED" && method?.path !== request.path) return undefined;
  const reason = details && reasonIn(details);
  if (reason === undefined) return `${name} without a reason: ${alike(message)}`;
  if (!Object.hasOwn(reasons, reason)) return `${name} with an unknown reason ${reason}`;
  return reason === "Internal" ? `reason Internal: ${alike(message)}` : undefined;
}

/** The reason in the trailer of a refusal; undefined when it can't be read. */
export function reasonIn(details: Uint8Array): string | undefined {
  try {
    return ikada.api.v1.ErrorDetails.decode(details).reason || undefined;
  } catch {
    return undefined;
  }
}

function bodyFault(body: Buffer, method: ApiMethod | undefined, isCut: boolean): string | undefined {
  let at = 0;
  while (at + 5 <= body.length) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) return isCut ? undefined : "an answer that is cut off";
    if (method) {
      try {
        method.response.decode(body.subarray(at + 5, end));
      } catch (caught) {
        return `an answer that is no ${method.response.name}: ${(caught as Error).message}`;
      }
    }
    at = end;
  }
  return undefined;
}

/** The text without numbers and what is quoted, so that the same fault is told once. */
function alike(message: string): string {
  return message
    .replace(/"[^"]*"/g, '"…"')
    .replace(/\d+/g, "0")
    .slice(0, 200);
}
