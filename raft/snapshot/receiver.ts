import type { Env, Finished } from "../../src/base/env.js";
import type { Index, Message, NodeId } from "../core/types.js";
import { failpoints } from "../failpoints.js";
import { crc32c } from "../log/crc32c.js";
import { examineSnapshot, visitNothing } from "./file-reader.js";
import { receivingPath, removeFiles, snapshotFolder } from "./files.js";
import { nameSnapshot } from "./file-writer.js";
import type { Chunk, Offer, SnapshotMessage } from "./messages.js";
import type { SnapshotTuning } from "./tuning.js";

export interface ReceiverOptions {
  readonly env: Pick<Env, "disk" | "clock" | "log" | "failpoint">;
  readonly tuning: SnapshotTuning;
  readonly cluster: number;
  /** What is committed here: a snapshot up to there is not needed. */
  readonly committed: () => Index;
  readonly send: (to: NodeId, message: SnapshotMessage) => void;
  /** The file is whole and durable under its name, or not needed: the core may have the message. */
  readonly onWhole: (message: Message) => void;
}

/** One file on its way here. */
interface Incoming {
  from: NodeId;
  offer: Offer;
  readonly path: string;
  /** Undefined while it is being found out what is here already. */
  written: number | undefined;
  synced: number;
  /** Of the chunk that is being written. */
  writingBytes: number;
  queue: Chunk[];
  progressAtMs: number;
}

/**
 * Takes one snapshot at a time. What has arrived stays over a restart of either side, and over a change of the leader when both have
 * the same file: the chunks in the file tell by their checksums how much of it is good. The file gets its name when all of it has been
 * read back, checked and made durable.
 */
export class SnapshotReceiver {
  readonly #options: ReceiverOptions;
  #incoming: Incoming | undefined;
  /** Of the last file that was received whole, while the core may not have taken it over yet. */
  #wholePath = "";
  #isOver = false;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  receive(from: NodeId, message: SnapshotMessage): void {
    if (this.#isOver) return;
    if (message.type === "Offer") this.#offered(from, message);
    if (message.type === "Chunk") this.#take(from, message);
  }

  stop(): void {
    this.#isOver = true;
  }

  #offered(from: NodeId, offer: Offer): void {
    const { index, term } = offer;
    const { snapshot } = offer.message;
    if (snapshot?.index !== index || snapshot.term !== term)
      return this.#refuse(from, offer, "the offer contradicts itself");
    // The core answers the leader, whatever it makes of it.
    if (index <= this.#options.committed() || receivingPath(offer) === this.#wholePath) return this.#whole(from, offer);
    const incoming = this.#incoming;
    if (!incoming) return this.#begin(from, offer);
    if (incoming.path === receivingPath(offer)) {
      incoming.from = from;
      incoming.offer = offer;
      incoming.queue = [];
      if (incoming.written !== undefined) this.#have(incoming);
      return;
    }
    const silentMs = this.#options.env.clock.monotonic() - incoming.progressAtMs;
    if (index <= incoming.offer.index && silentMs < 2 * this.#options.tuning.retryMs)
      return this.#refuse(from, offer, `snapshot ${incoming.offer.index} is being received`);
    // What is busy with the old file finds that it is not wanted any more, and begins this one.
    this.#incoming = undefined;
    return this.#begin(from, offer);
  }

  #begin(from: NodeId, offer: Offer): void {
    const { env } = this.#options;
    const path = receivingPath(offer);
    const incoming: Incoming = {
      from,
      offer,
      path,
      written: undefined,
      synced: 0,
      writingBytes: 0,
      queue: [],
      progressAtMs: env.clock.monotonic(),
    };
    this.#incoming = incoming;
    const then = this.#guard(incoming);
    const isOther = (other: string): boolean => other.endsWith(".in") && other !== path;
    const findOut = then(() =>
      env.disk.size(path, (error, size) => {
        const next = then(() => (size > 0 ? this.#resume(incoming) : this.#open(incoming, 0)));
        next(error);
      }),
    );
    env.disk.makeFolder(
      snapshotFolder,
      then(() => removeFiles(env.disk, isOther, findOut)),
    );
  }

  /** Of what a crash left only whole chunks count. */
  #resume(incoming: Incoming): void {
    const { env, cluster } = this.#options;
    const then = this.#guard(incoming);
    examineSnapshot(env.disk, incoming.path, cluster, visitNothing, (error, { validBytes }) => {
      const cut = then(() =>
        env.disk.truncate(
          incoming.path,
          validBytes,
          then(() => this.#open(incoming, validBytes)),
        ),
      );
      cut(error);
    });
  }

  #open(incoming: Incoming, written: number): void {
    const { env } = this.#options;
    incoming.written = written;
    const { index, bytes } = incoming.offer;
    env.log.info("receiving a snapshot", { index, bytes, from: incoming.from, offset: written });
    if (written === bytes) this.#finish(incoming);
    else this.#have(incoming);
  }

  #take(from: NodeId, chunk: Chunk): void {
    const incoming = this.#incoming;
    if (!incoming || incoming.from !== from || incoming.offer.transfer !== chunk.transfer) return;
    if (incoming.written === undefined || incoming.written === incoming.offer.bytes) return;
    const last = incoming.queue.at(-1);
    const expected = last ? last.offset + last.data.length : incoming.written + incoming.writingBytes;
    if (chunk.offset !== expected || chunk.data.length === 0) return;
    if (expected - incoming.written > 2 * this.#options.tuning.windowBytes) return;
    if (crc32c(chunk.data) !== chunk.crc || chunk.offset + chunk.data.length > incoming.offer.bytes) return;
    incoming.queue.push(chunk);
    if (incoming.writingBytes === 0) this.#write(incoming);
  }

  #write(incoming: Incoming): void {
    const chunk = incoming.queue.shift();
    if (!chunk) return;
    const { env, tuning } = this.#options;
    const end = chunk.offset + chunk.data.length;
    incoming.writingBytes = chunk.data.length;
    const then = this.#guard(incoming);
    const written = then(() => {
      incoming.writingBytes = 0;
      incoming.written = end;
      incoming.progressAtMs = env.clock.monotonic();
      if (end === incoming.offer.bytes) return this.#finish(incoming);
      this.#have(incoming);
      return this.#write(incoming);
    });
    const sync = then(() => {
      if (end - incoming.synced < tuning.syncBytes && end !== incoming.offer.bytes) return written(null);
      incoming.synced = end;
      return env.disk.sync(incoming.path, written);
    });
    env.disk.write(incoming.path, chunk.offset, chunk.data, sync);
  }

  #finish(incoming: Incoming): void {
    const { env, cluster } = this.#options;
    const { index, term, bytes, digest } = incoming.offer;
    const then = this.#guard(incoming);
    const named = then(() => {
      env.failpoint(failpoints.snapshotReceived);
      this.#wholePath = incoming.path;
      env.log.info("received a snapshot", { index, bytes });
      this.#incoming = undefined;
      return this.#whole(incoming.from, incoming.offer);
    });
    const check = then(() =>
      examineSnapshot(env.disk, incoming.path, cluster, visitNothing, (error, { file, fault }) => {
        const next = then(() => {
          if (file?.index === index && file.term === term && file.digest === digest)
            return nameSnapshot(env.disk, incoming.path, index, term, named);
          return this.#discard(incoming, fault || "it is not the one that was offered");
        });
        next(error);
      }),
    );
    env.disk.sync(incoming.path, check);
  }

  /** Goes on only while this file is wanted; on an error the file is given up. */
  #guard(incoming: Incoming): (next: () => void) => Finished {
    return (next) => (error) => {
      if (this.#isOver || this.#incoming !== incoming) return;
      if (error) this.#discard(incoming, error.message);
      else next();
    };
  }

  #discard(incoming: Incoming, reason: string): void {
    const { env } = this.#options;
    env.log.warn("gave up a snapshot that was being received", { index: incoming.offer.index, reason });
    this.#incoming = undefined;
    env.disk.remove(incoming.path, () => this.#refuse(incoming.from, incoming.offer, reason));
  }

  #have({ from, offer, written = 0 }: Incoming): void {
    const { transfer, attempt } = offer;
    this.#options.send(from, { type: "Have", transfer, attempt, offset: written, whole: false });
  }

  #whole(from: NodeId, { transfer, attempt, bytes, message }: Offer): void {
    this.#options.send(from, { type: "Have", transfer, attempt, offset: bytes, whole: true });
    this.#options.onWhole(message);
  }

  #refuse(from: NodeId, { transfer }: Offer, reason: string): void {
    if (!this.#isOver) this.#options.send(from, { type: "Refuse", transfer, reason });
  }
}
