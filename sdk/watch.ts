import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { ikada } from "#proto/api.js";
import type { CallOptions, Calls } from "./calls.js";
import { objectFromWire } from "./wire.js";

/** One change. BOOKMARK carries no object: everything up to `revision` was given. */
export type WatchEvent<T = AnyObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T; readonly revision: number }
  | { readonly type: "BOOKMARK"; readonly revision: number };

export interface WatchStart extends CallOptions {
  /** Events after this revision; without it first everything there is as ADDED, then a BOOKMARK. */
  readonly revision?: number;
  /** Leave out what is there already. */
  readonly onlyChanges?: boolean;
}

const types = [undefined, "ADDED", "MODIFIED", "DELETED", "BOOKMARK"] as const;

/**
 * Follows a stream over lost connections and dead servers: each new one begins after the last revision that was given, so
 * nothing is missed or given twice. @throws IkadaError Compacted when that revision is no longer kept: list anew
 */
export async function* watch(
  calls: Calls,
  request: ikada.api.v1.IWatchRequest,
  options: WatchStart,
): AsyncGenerator<WatchEvent, void, undefined> {
  let revision = options.revision ?? 0;
  const initial = new InitialState();
  let tries = 0;
  for (;;) {
    const { address, messages } = calls.stream(apiMethods.watch, { ...request, revision }, options);
    if (revision === 0) initial.begin();
    let failure = new IkadaError("Unavailable", `${address} ended the watch`);
    try {
      for await (const message of messages) {
        tries = 0;
        const event = fromWire(message);
        if (revision > 0) {
          revision = Math.max(revision, event.revision);
          yield event;
          continue;
        }
        // Until the first bookmark the stream tells what there is.
        const events = initial.take(event);
        if (options.onlyChanges !== true) yield* events;
        if (event.type === "BOOKMARK") {
          revision = event.revision;
          yield event;
        }
      }
    } catch (caught) {
      failure = IkadaError.from(caught);
    }
    tries += 1;
    if (failure.reason === "SlowWatcher" && revision > 0) {
      revision = Math.max(revision, failure.details.revision ?? 0);
      failure = new IkadaError("Unavailable", failure.message, {}, failure);
    }
    await calls.next(failure, address, tries, options);
  }
}

/** What was given before the first bookmark, in case the stream breaks inside that phase and it has to begin again. */
class InitialState {
  readonly #given = new Map<string, { readonly object: AnyObject; readonly revision: number }>();
  #seen = new Set<string>();

  begin(): void {
    this.#seen = new Set();
  }

  /** The events to give for one event of the stream. */
  *take(event: WatchEvent): Generator<WatchEvent, void, undefined> {
    if (event.type === "BOOKMARK") {
      for (const [uid, { object }] of this.#given) {
        if (!this.#seen.has(uid)) yield { type: "DELETED", object, revision: event.revision };
      }
      this.#given.clear();
      return;
    }
    const uid = event.object.metadata.uid ?? event.object.metadata.name;
    const known = this.#given.get(uid);
    this.#seen.add(uid);
    this.#given.set(uid, event);
    if (known?.revision === event.revision) return;
    yield known ? { ...event, type: "MODIFIED" } : event;
  }
}

function fromWire(message: ikada.api.v1.WatchEvent): WatchEvent {
  const type = types[message.type];
  if (type === undefined)
    throw new IkadaError(
      "Unsupported",
      `the server sent a watch event of the unknown type ${message.type}; this SDK is older than the server`,
    );
  const revision = message.revision;
  return type === "BOOKMARK" ? { type, revision } : { type, object: objectFromWire(message.object), revision };
}
