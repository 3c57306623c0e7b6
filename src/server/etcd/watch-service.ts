import type { ServerDuplexStream } from "@grpc/grpc-js";
import { etcdserverpb as pb, mvccpb } from "#proto/etcd.js";
import { IkadaError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { etcdMethods } from "../../host/etcd-methods.js";
import { Encoded, readMessages, writeMessage } from "../../host/grpc.js";
import { bytesOf } from "../../../store/etcd.js";
import type { Revision, WatchBatch, WatchEvent } from "../../../store/store.js";
import type { Call, Listener } from "../listener.js";
import { SharedEncoding } from "../shared-encoding.js";
import { rangeOf, toKeyValue } from "./etcd-records.js";
import type { EtcdServices } from "./etcd-services.js";

type WatchStream = ServerDuplexStream<pb.WatchRequest, pb.IWatchResponse | Encoded>;

/** How often a quiet watch that wants it is told how far the store is. */
const progressMs = 10_000;
/** A response with `fragment` is cut into pieces of about this size. */
const fragmentBytes = 1024 * 1024;
/** What a queued response weighs beside its bytes. */
const queuedBytes = 64;

/** etcdserverpb.Watch, on any replica. */
export function addWatchService(listener: Listener, services: EtcdServices): void {
  const encoding = new SharedEncoding(encodeEvent);
  listener.bidi(etcdMethods.watch, async (stream, call) => {
    const session = new WatchSession(services, encoding, stream, call);
    await session.run();
  });
}

interface Queued {
  readonly response: Encoded;
  readonly bytes: number;
  /** Whose events of which revision they are; of other responses neither. */
  readonly watchId: number | undefined;
  readonly revision: Revision;
}

/** One stream with any number of watches on it. */
class WatchSession {
  readonly #services: EtcdServices;
  readonly #encoding: SharedEncoding<EventShape>;
  readonly #stream: WatchStream;
  readonly #call: Call;
  readonly #watches = new Map<number, OneWatch>();
  /** To be sent, in this order. */
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #wake: (() => void) | undefined;
  #isOver = false;
  #nextId = 0;
  /** Somebody asked how far it is, and not all watches had reached the present. */
  #owesProgress = false;

  constructor(services: EtcdServices, encoding: SharedEncoding<EventShape>, stream: WatchStream, call: Call) {
    this.#services = services;
    this.#encoding = encoding;
    this.#stream = stream;
    this.#call = call;
  }

  async run(): Promise<void> {
    const progress = setInterval(() => this.#tellProgress(), progressMs);
    const sending = this.#send();
    try {
      for await (const request of readMessages<pb.WatchRequest>(this.#stream, this.#call.signal)) this.#take(request);
    } finally {
      clearInterval(progress);
      for (const watch of this.#watches.values()) watch.close();
      this.#watches.clear();
      this.#isOver = true;
      this.#wake?.();
      await sending;
    }
  }

  /** Until the stream is over and all is sent. */
  async #send(): Promise<void> {
    for (;;) {
      const next = this.#queue.shift();
      if (next) {
        this.#queuedBytes -= next.bytes;
        this.#offerRoom();
        await writeMessage(this.#stream, next.response, this.#call.signal).catch(() => (this.#isOver = true));
      } else if (this.#isOver) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** To watches that replay the past. */
  #offerRoom(): void {
    if (this.#queue.length > limits.watchQueueEventsMax / 4 || this.#queuedBytes > limits.watchQueueBytesMax / 4)
      return;
    for (const watch of this.#watches.values()) {
      const run = watch.room;
      watch.room = undefined;
      run?.();
    }
  }

  #push(response: pb.IWatchResponse): void {
    const encoded = pb.WatchResponse.encode({ header: this.#services.header(), ...response }).finish();
    this.#enqueue(encoded, undefined, 0);
  }

  /** A message's bytes behind another's are the message of both: only the head is of this watch alone. */
  #pushEvents(watchId: number, revision: Revision, fragment: boolean, events: readonly Uint8Array[]): void {
    const head = pb.WatchResponse.encode({ header: this.#services.header(revision), watchId, fragment }).finish();
    this.#enqueue(Buffer.concat([head, ...events]), watchId, revision);
  }

  #enqueue(encoded: Uint8Array, watchId: number | undefined, revision: Revision): void {
    const bytes = encoded.length + queuedBytes;
    this.#queue.push({ response: new Encoded(encoded), bytes, watchId, revision });
    this.#queuedBytes += bytes;
    this.#wake?.();
    this.#wake = undefined;
  }

  #take({ createRequest, cancelRequest, progressRequest }: pb.WatchRequest): void {
    if (createRequest) this.#create(createRequest as pb.WatchCreateRequest);
    else if (cancelRequest) this.#cancel(cancelRequest.watchId ?? 0, {});
    else if (progressRequest) {
      this.#owesProgress = true;
      this.#payProgress();
    }
  }

  #create(request: pb.WatchCreateRequest): void {
    const watchId = this.#idFor(request.watchId);
    if (watchId === undefined) {
      const cancelReason = `etcdserver: mvcc: there is a watch ${request.watchId} on this stream already`;
      return this.#push({ watchId: request.watchId, created: true, canceled: true, cancelReason });
    }
    const { etcd } = this.#services;
    let range;
    try {
      range = rangeOf(request);
    } catch (caught) {
      const cancelReason = IkadaError.from(caught).message;
      return this.#push({ watchId, created: true, canceled: true, cancelReason });
    }
    const from = request.startRevision > 0 ? request.startRevision - 1 : etcd.revision();
    this.#push({ watchId, created: true });
    const watch = new OneWatch(request, from);
    this.#watches.set(watchId, watch);
    try {
      watch.handle = etcd.watch(range, from, {
        onBatch: (batch) => this.#onBatch(watchId, watch, batch),
        onError: (error) => this.#end(watchId, watch, error),
        whenRoom: (run) => {
          watch.room = run;
          this.#offerRoom();
        },
      });
    } catch (caught) {
      this.#end(watchId, watch, IkadaError.from(caught));
    }
    return undefined;
  }

  #idFor(wanted: number): number | undefined {
    if (wanted !== 0) return this.#watches.has(wanted) ? undefined : wanted;
    while (this.#watches.has(this.#nextId)) this.#nextId += 1;
    return this.#nextId++;
  }

  #onBatch(watchId: number, watch: OneWatch, { revision, events }: WatchBatch): void {
    watch.progress = revision;
    const shape = watch.request.prevKv ? "with the record before" : "plain";
    const shown = events.filter((event) => watch.wants(event)).map((event) => this.#encoding.bytesOf(event, shape));
    const pieces = shown.length === 0 ? [] : watch.request.fragment ? inPieces(shown) : [shown];
    for (const [at, piece] of pieces.entries()) this.#pushEvents(watchId, revision, at < pieces.length - 1, piece);
    if (this.#queue.length > limits.watchQueueEventsMax || this.#queuedBytes > limits.watchQueueBytesMax)
      this.#cutOff(watchId, revision);
    this.#payProgress();
  }

  /** Lets go of what is queued for it, so that the client goes on from there. `revision`: of its last events. */
  #cutOff(watchId: number, revision: Revision): void {
    const queued = this.#queue.length;
    const own = this.#queue.filter((each) => each.watchId === watchId);
    this.#queue = this.#queue.filter((each) => each.watchId !== watchId);
    for (const { bytes } of own) this.#queuedBytes -= bytes;
    const from = own[0]?.revision ?? revision + 1;
    this.#cancel(watchId, {
      cancelReason: `the watcher is ${queued} responses behind; watch again from revision ${from}`,
    });
  }

  /** The store has ended it. */
  #end(watchId: number, watch: OneWatch, error: Error): void {
    if (this.#watches.get(watchId) !== watch) return;
    const { reason, details } = IkadaError.from(error);
    // etcd tells the first revision that can be watched from.
    const compactRevision = reason === "Compacted" ? (details.revision ?? 0) : 0;
    const text = reason === "Compacted" ? "etcdserver: mvcc: required revision has been compacted" : error.message;
    this.#cancel(watchId, { compactRevision, cancelReason: text });
  }

  #cancel(watchId: number, why: Pick<pb.IWatchResponse, "compactRevision" | "cancelReason">): void {
    const watch = this.#watches.get(watchId);
    if (!watch) return;
    this.#watches.delete(watchId);
    watch.close();
    this.#push({ watchId, canceled: true, ...why });
  }

  /** To watches that want it, when nothing waits to be sent: all up to the header's revision was sent. */
  #tellProgress(): void {
    if (this.#queue.length > 0) return;
    const revision = this.#services.etcd.revision();
    for (const [watchId, watch] of this.#watches) {
      if (!watch.request.progressNotify || !watch.isLive(revision) || watch.told === revision) continue;
      watch.told = revision;
      this.#push({ watchId });
    }
  }

  /** For a request: of the whole stream, once all watches have reached the present. It stands behind their events. */
  #payProgress(): void {
    const revision = this.#services.etcd.revision();
    if (!this.#owesProgress || ![...this.#watches.values()].every((watch) => watch.isLive(revision))) return;
    this.#owesProgress = false;
    this.#push({ watchId: -1 });
  }
}

class OneWatch {
  readonly request: pb.WatchCreateRequest;
  handle: { close(): void } | undefined;
  /** To be called when there is room for more of the past. */
  room: (() => void) | undefined;
  /** All changes up to it were given. */
  progress: Revision;
  /** Of the last progress that was told. */
  told: Revision = 0;
  readonly #from: Revision;
  #wasLive = false;

  constructor(request: pb.WatchCreateRequest, from: Revision) {
    this.request = request;
    this.#from = from;
    this.progress = from;
  }

  /** Once it has reached the present it is called within each apply. A replica that is behind its beginning has nothing to tell it yet. */
  isLive(present: Revision): boolean {
    this.#wasLive ||= this.progress >= present;
    return this.#wasLive && present >= this.#from;
  }

  wants({ type }: WatchEvent): boolean {
    const { NOPUT, NODELETE } = pb.WatchCreateRequest.FilterType;
    return !this.request.filters.includes(type === "put" ? NOPUT : NODELETE);
  }

  close(): void {
    this.handle?.close();
  }
}

type EventShape = "plain" | "with the record before";

/** A response that holds this event and nothing else. */
function encodeEvent({ type, record, previous }: WatchEvent, shape: EventShape): Uint8Array {
  const { PUT, DELETE } = mvccpb.Event.EventType;
  const prevKv = shape !== "plain" && previous ? toKeyValue(previous) : null;
  // Of a deletion etcd shows the key and its revision only.
  const kv = type === "put" ? toKeyValue(record) : { key: bytesOf(record.key), modRevision: record.modRevision };
  const event = { type: type === "put" ? PUT : DELETE, kv, prevKv };
  return pb.WatchResponse.encode({ events: [event] }).finish();
}

function inPieces(events: readonly Uint8Array[]): Uint8Array[][] {
  const pieces: Uint8Array[][] = [[]];
  let bytes = 0;
  for (const event of events) {
    if (bytes > 0 && bytes + event.length > fragmentBytes) {
      pieces.push([]);
      bytes = 0;
    }
    pieces.at(-1)?.push(event);
    bytes += event.length;
  }
  return pieces;
}
