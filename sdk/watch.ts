import type { AnyObject } from "../src/api/object.js";
import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { ikada } from "#proto/api.js";
import type { Calls } from "./calls.js";
import { Deadline } from "./deadline.js";
import type { WatchOptions } from "./options.js";
import { objectFromWire } from "./wire.js";

/** One change. BOOKMARK carries no object: everything up to `revision` was given. */
export type WatchEvent<T = AnyObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T; readonly revision: number }
  | { readonly type: "BOOKMARK"; readonly revision: number };

const types = [undefined, "ADDED", "MODIFIED", "DELETED", "BOOKMARK"] as const;

/**
 * Follows a stream over lost connections and dead servers: nothing is missed or given twice. One transaction may change many
 * objects at one revision and a stream may break among them, so a new stream begins before the last revision seen, and
 * what was given of that one already is left out. @throws IkadaError Compacted when that revision is no longer kept: list anew
 */
export async function* watch(
  calls: Calls,
  request: ikada.api.v1.IWatchRequest,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, void, undefined> {
  const deadline = new Deadline(options);
  let revision = options.revision ?? 0;
  /** Of the objects at `revision` that were given; undefined: all there are. */
  let given: Set<string> | undefined;
  const initial = new InitialState();
  let tries = 0;
  for (let streams = 1; ; streams += 1) {
    const from = given && revision > 1 ? revision - 1 : revision;
    const { address, messages } = calls.stream(apiMethods.watch, { ...request, revision: from }, deadline, streams);
    if (revision === 0) initial.begin();
    let failure = new IkadaError("Unavailable", `${address} ended the watch`);
    try {
      for await (const message of messages) {
        tries = 0;
        const event = fromWire(message);
        if (revision > 0) {
          if (event.type === "BOOKMARK") {
            if (event.revision < revision) continue;
            given = undefined;
          } else {
            const uid = event.object.metadata.uid ?? event.object.metadata.name;
            if (event.revision < revision || (event.revision === revision && (!given || given.has(uid)))) continue;
            if (event.revision > revision) given = new Set();
            given?.add(uid);
          }
          revision = event.revision;
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
      failure = new IkadaError("Unavailable", failure.message, {}, failure);
    }
    await calls.next(failure, address, tries, deadline);
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
