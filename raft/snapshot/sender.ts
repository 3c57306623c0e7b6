import type { Env, Timer } from "../../src/base/env.js";
import type { Message, NodeId } from "../core/types.js";
import { crc32c } from "../log/crc32c.js";
import { completePath, type SnapshotIdentity } from "./files.js";
import type { SnapshotMessage } from "./messages.js";
import type { Pace } from "./pace.js";
import type { SnapshotTuning } from "./tuning.js";

export interface SenderOptions {
  readonly env: Pick<Env, "disk" | "timers" | "clock" | "log">;
  readonly tuning: SnapshotTuning;
  readonly pace: Pace;
  readonly transfer: number;
  readonly to: NodeId;
  readonly file: SnapshotIdentity;
  /** The MsgSnap that asked for it. */
  readonly message: Message;
  readonly send: (message: SnapshotMessage) => void;
  /** Once, never after `stop`: whether the member has the file. */
  readonly onEnd: (ok: boolean) => void;
}

/**
 * One file to one member: asks where to begin, then sends ahead of the answers within a window. When they stop, it asks again,
 * which is also how it goes on after a connection broke or the receiver restarted.
 *
 * Invariants: acknowledged ≤ next ≤ acknowledged + window; one read of the disk at a time.
 */
export class SnapshotSender {
  readonly #options: SenderOptions;
  #attempt = 0;
  /** The receiver has answered this attempt: it is known where to begin. */
  #isOpen = false;
  #acknowledged = 0;
  #next = 0;
  #reading = false;
  #progressAtMs: number;
  #timer: Timer | undefined;
  #paused: Timer | undefined;
  #isOver = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#progressAtMs = options.env.clock.monotonic();
    this.#offer();
  }

  get to(): NodeId {
    return this.#options.to;
  }

  get transfer(): number {
    return this.#options.transfer;
  }

  get file(): SnapshotIdentity {
    return this.#options.file;
  }

  receive(message: SnapshotMessage): void {
    if (this.#isOver) return;
    if (message.type === "Refuse") {
      this.#options.env.log.info("a member refused a snapshot", { to: this.to, reason: message.reason });
      return this.#end(false);
    }
    if (message.type !== "Have") return;
    if (message.whole) return this.#end(true);
    if (message.offset > this.#options.file.bytes) return;
    if (message.attempt === this.#attempt && !this.#isOpen) {
      this.#isOpen = true;
      this.#acknowledged = message.offset;
      this.#next = message.offset;
      this.#progress();
    } else if (message.offset > this.#acknowledged) {
      this.#acknowledged = message.offset;
      this.#next = Math.max(this.#next, message.offset);
      this.#progress();
    }
    this.#pump();
  }

  /** A connection that works again is worth a try at once. */
  connected(): void {
    if (!this.#isOver) this.#offer();
  }

  stop(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#paused?.cancel();
  }

  #offer(): void {
    const { transfer, file, message, send, env, tuning } = this.#options;
    this.#attempt += 1;
    this.#isOpen = false;
    send({ type: "Offer", transfer, attempt: this.#attempt, ...file, message });
    this.#timer?.cancel();
    this.#timer = env.timers.after(tuning.retryMs, () => this.#watch());
  }

  #watch(): void {
    const { env, tuning, to } = this.#options;
    const silentMs = env.clock.monotonic() - this.#progressAtMs;
    if (silentMs >= tuning.silentMsMax) {
      env.log.warn("a snapshot does not get through", { to, at: this.#acknowledged, of: this.#options.file.bytes });
      return this.#end(false);
    }
    if (silentMs >= tuning.retryMs) return this.#offer();
    this.#timer = env.timers.after(tuning.retryMs - silentMs, () => this.#watch());
  }

  #progress(): void {
    this.#progressAtMs = this.#options.env.clock.monotonic();
  }

  #pump(): void {
    const { env, tuning, pace, file } = this.#options;
    if (this.#isOver || !this.#isOpen || this.#reading || this.#next >= file.bytes) return;
    const offset = this.#next;
    const length = Math.min(tuning.messageBytes, file.bytes - offset);
    if (offset + length > this.#acknowledged + Math.max(tuning.windowBytes, tuning.messageBytes)) return;
    this.#reading = true;
    env.disk.read(completePath(file.index, file.term), offset, length, (error, data) => {
      if (this.#isOver) return;
      if (error || data.length !== length) {
        env.log.warn("a snapshot can't be read", { index: file.index, error: error?.message ?? "it is too short" });
        return this.#end(false);
      }
      const waitMs = pace.take(length, env.clock.monotonic());
      this.#paused = env.timers.after(waitMs, () => this.#sendChunk(offset, data));
    });
  }

  #sendChunk(offset: number, data: Uint8Array): void {
    this.#reading = false;
    const { transfer, send } = this.#options;
    if (this.#isOpen && offset === this.#next) {
      this.#next += data.length;
      send({ type: "Chunk", transfer, attempt: this.#attempt, offset, data, crc: crc32c(data) });
    }
    this.#pump();
  }

  #end(ok: boolean): void {
    this.stop();
    this.#options.onEnd(ok);
  }
}
