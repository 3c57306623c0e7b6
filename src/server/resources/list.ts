import type { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Revision, Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import { decodeToken, encodeToken } from "./list-token.js";
import type { ListToken } from "./list-token.js";
import { hasReached, requestedRevision } from "./revisions.js";
import type { RevisionRequest } from "./revisions.js";
import { scanPage } from "./scan-page.js";
import { selectionOf } from "./selection.js";
import { toWire } from "./wire.js";

/** A page ends before it passes this, so that it fits a message with its envelopes. */
const pageBytesMax = limits.messageBytesMax / 2;

/**
 * One page. All pages of a list show the revision of the first, which the token pins: the present, or the past one asked for.
 * @throws IkadaError Compacted when that revision is gone: start again
 */
export async function listObjects(
  store: Store,
  request: ikada.api.v1.ListRequest,
  call: Call,
): Promise<ikada.api.v1.IListResponse> {
  const selection = selectionOf(request);
  requireReadable(call.caller, selection.kind);
  const limit = request.limit === 0 ? limits.listPageMax : Math.min(request.limit, limits.listPageMax);
  const token = request.continue === "" ? undefined : decodeToken(request.continue, selection.prefix);
  const revision = await listRevision(store, request, token, call);
  const page = await scanPage(store, selection, { revision, after: token?.after, limit, bytesMax: pageBytesMax }, call);
  return {
    objects: page.records.map(toWire),
    revision,
    continue: page.after === undefined ? "" : encodeToken({ revision, prefix: selection.prefix, after: page.after }),
  };
}

/** The revision that all pages of a list show: the token's, or the one asked for, or the present. @throws IkadaError BadRequest, NoLeader */
export async function listRevision(
  store: Store,
  request: RevisionRequest,
  token: ListToken | undefined,
  call: Call,
): Promise<Revision> {
  if (!token) return (await requestedRevision(store, request, call)) ?? store.revision();
  if (request.revision !== 0 && request.revision !== token.revision) {
    throw new IkadaError("BadRequest", `the continue token is of revision ${token.revision}, not ${request.revision}`, {
      hint: "a continue token carries its revision; name none beside it, or the same",
    });
  }
  await hasReached(store, token.revision, call);
  return token.revision;
}
