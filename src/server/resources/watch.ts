import type { ServerWritableStream } from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { type Encoded, writeMessage } from "../../host/grpc.js";
import type { Store } from "../../../store/store.js";
import type { Call } from "../listener.js";
import { requireReadable } from "../permissions.js";
import type { SharedEncoding } from "../shared-encoding.js";
import { hasReached } from "./revisions.js";
import { selectionOf } from "./selection.js";
import type { Selection } from "./selection.js";
import { WatchQueue } from "./watch-queue.js";
import { toWire } from "./wire.js";

export type WatchStream = ServerWritableStream<ikada.api.v1.WatchRequest, ikada.api.v1.IWatchEvent | Encoded>;
export type WatchEncoding = SharedEncoding<ikada.api.v1.WatchEvent.Type>;
export const bookmarkMsDefault = 10_000;

const { Type } = ikada.api.v1.WatchEvent;

/**
 * Events after the asked revision, in order and without gaps, from any replica. Revision 0: ADDED for all there is, then a
 * BOOKMARK, then events. An object that comes to match the selectors is ADDED, one that ceases to is DELETED.
 * @throws IkadaError Compacted, or SlowWatcher when the client does not keep up; both with a revision to go on from
 */
export async function watchObjects(
  store: Store,
  stream: WatchStream,
  call: Call,
  encoding: WatchEncoding,
  bookmarkMs = bookmarkMsDefault,
): Promise<void> {
  const { request } = stream;
  const selection = selectionOf(request);
  requireReadable(call.caller, selection.kind);
  const everyMs = bookmarkPeriodMs(request, bookmarkMs);
  const initial = request.revision === 0;
  const from = initial ? await store.barrier(call.wait) : request.revision;
  if (!initial) await hasReached(store, from, call);
  const queue = new WatchQueue(selection, encoding, from, () => store.revision());
  const watch = store.watch(selection.prefix, from, queue);
  const bookmarks = everyMs === undefined ? undefined : setInterval(() => queue.bookmark(), everyMs);
  const gone = () => queue.cutOff(new IkadaError("Cancelled", "the watch was cancelled"));
  call.signal.addEventListener("abort", gone, { once: true });
  try {
    if (initial) await sendInitial(store, stream, queue.cut, selection, from);
    for (;;) {
      const event = queue.take();
      // A client that never reads is not waited for once it is too far behind.
      if (event) await writeMessage(stream, event, queue.cut);
      else await queue.filled();
    }
  } finally {
    call.signal.removeEventListener("abort", gone);
    clearInterval(bookmarks);
    watch.close();
  }
}

/** Undefined: none. @throws IkadaError BadRequest */
function bookmarkPeriodMs({ bookmarkSeconds }: ikada.api.v1.WatchRequest, defaultMs: number): number | undefined {
  if (typeof bookmarkSeconds !== "number") return defaultMs;
  if (bookmarkSeconds > bookmarkSecondsMax) {
    throw new IkadaError("BadRequest", `a bookmark each ${bookmarkSeconds} s; at most ${bookmarkSecondsMax} can be`);
  }
  return bookmarkSeconds === 0 ? undefined : bookmarkSeconds * 1000;
}

const bookmarkSecondsMax = 3600;

async function sendInitial(
  store: Store,
  stream: WatchStream,
  signal: AbortSignal,
  selection: Selection,
  revision: number,
): Promise<void> {
  let after: string | undefined;
  for (;;) {
    const query = { prefix: selection.prefix, limit: initialPage, revision, ...(after !== undefined && { after }) };
    const page = await store.range(query, { signal, deadlineMs: limits.requestMsDefault });
    for (const record of page.records) {
      after = record.key;
      if (!selection.matches(record)) continue;
      const event = { type: Type.ADDED, object: toWire(record), revision: record.modRevision };
      await writeMessage(stream, event, signal);
    }
    if (!page.more) break;
  }
  await writeMessage(stream, { type: Type.BOOKMARK, revision }, signal);
}

const initialPage = 100;
