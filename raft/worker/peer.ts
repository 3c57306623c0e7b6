import type * as grpc from "@grpc/grpc-js";
import type { Env, Timer } from "../../src/base/env.js";
import { callBidi, method } from "../../src/host/grpc.js";
import { errorFromStatus } from "../../src/host/grpc-errors.js";
import { createClient } from "../../src/host/tls.js";
import type { TlsMaterial } from "../../src/host/tls.js";
import type { Message } from "../core/types.js";
import { batchClass, type BatchInput } from "./batch.js";
import { Ack, greetingFormat, streamRpc, wireFormat, type WireAck } from "./codec.js";
import type { PeerAddress } from "./known-members.js";
import { RoundTrip } from "./round-trip.js";
import { SendQueue } from "./send-queue.js";
import { whenRefused } from "./when-refused.js";

export const streamMethod = method(streamRpc, batchClass, Ack);

/** A dead connection is noticed within four seconds, also when nothing tells. */
export const raftChannelOptions = {
  "grpc.keepalive_time_ms": 2_000,
  "grpc.keepalive_timeout_ms": 2_000,
} as const;

const backoffMsMin = 20;
const backoffMsMax = 1_000;
/** Longer than any peer that is well takes; without it, a call into a partition would wait for TCP's own minutes after it has healed. */
const dialMsMax = 2_000;
/** After a broken stream a new one has this long until the peer counts as lost. */
const redialMsMax = 100;

export interface PeerOptions {
  /** `host:port` */
  readonly address: string;
  readonly clusterId: string;
  /** Who dials. */
  readonly self: PeerAddress;
  readonly tls: TlsMaterial;
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
  /** Lost: a stream that worked broke, and dialling again failed or takes long. Found: a stream works again. */
  readonly onChanged: (connected: boolean) => void;
  readonly onRoundTrip: (ms: number) => void;
  /** The peer says that this server was removed from the cluster. */
  readonly onRemoved: (error: Error) => void;
}

type Stream = grpc.ClientDuplexStream<BatchInput, WireAck>;

/**
 * The way to one peer: a stream that is dialled again and again, and the queue before it. Each attempt has
 * a channel of its own, so that the library's own waits between attempts don't add up with ours.
 */
export class Peer {
  readonly #options: PeerOptions;
  readonly #queue = new SendQueue();
  readonly #roundTrip = new RoundTrip();
  #client: grpc.Client | undefined;
  #stream: Stream | undefined;
  /** The peer has answered on this stream; before that nothing but the greeting is written. */
  #isOpen = false;
  #isFull = false;
  #isClosed = false;
  /** What the last call of `onChanged` said; undefined before the first connection. */
  #told: boolean | undefined;
  #backoffMs = backoffMsMin;
  #retry: Timer | undefined;
  #dialTimer: Timer | undefined;
  #lossTimer: Timer | undefined;

  constructor(options: PeerOptions) {
    this.#options = options;
    this.#dial();
  }

  get address(): string {
    return this.#options.address;
  }

  get isConnected(): boolean {
    return this.#told === true;
  }

  /** Messages that were dropped because the peer did not take them in time. */
  get dropped(): number {
    return this.#queue.dropped;
  }

  send(messages: readonly Message[]): void {
    // To an unreachable peer messages would only age.
    if (this.#isClosed || this.#told === false) return;
    this.#queue.add(messages);
    this.#pump();
  }

  close(): void {
    this.#isClosed = true;
    this.#retry?.cancel();
    this.#lossTimer?.cancel();
    this.#hangUp();
  }

  #dial(): void {
    const { address, tls, clusterId, self, env } = this.#options;
    this.#client = createClient(address, { authority: tls.authority, identity: tls }, raftChannelOptions);
    const stream: Stream = callBidi(this.#client, streamMethod);
    this.#stream = stream;
    stream.on("metadata", () => this.#opened(stream));
    stream.on("data", ({ pong }) => {
      const ms = this.#roundTrip.pong(pong, env.clock.monotonic());
      if (ms !== undefined) this.#options.onRoundTrip(ms);
    });
    stream.on("drain", () => {
      this.#isFull = false;
      this.#pump();
    });
    stream.on("error", (error: Error) => {
      const refusal = errorFromStatus(error);
      if (stream === this.#stream && refusal.reason === "Removed") this.#options.onRemoved(refusal);
      this.#broken(stream, error.message);
    });
    stream.on("end", () => this.#broken(stream, "the peer ended the stream"));
    stream.write({ format: wireFormat, clusterId, greeting: { format: greetingFormat, ...self } });
    this.#dialTimer = env.timers.after(dialMsMax, () => this.#broken(stream, "no answer in time"));
  }

  #opened(stream: Stream): void {
    if (stream !== this.#stream || this.#isClosed) return;
    this.#isOpen = true;
    this.#isFull = false;
    this.#dialTimer?.cancel();
    this.#backoffMs = backoffMsMin;
    this.#lossTimer?.cancel();
    this.#lossTimer = undefined;
    if (this.#told !== true) {
      this.#options.env.log.info("connected to a peer", { address: this.#options.address });
      this.#told = true;
      this.#options.onChanged(true);
    }
    this.#pump();
  }

  #broken(stream: Stream, reason: string): void {
    if (stream !== this.#stream || this.#isClosed) return;
    const { env } = this.#options;
    const worked = this.#isOpen;
    this.#hangUp();
    if (!worked) {
      this.#lost(reason);
      // Half of the wait is random, so that members which start together don't meet again and again.
      const delayMs = this.#backoffMs * (0.5 + env.random.next() / 2);
      this.#backoffMs = Math.min(2 * this.#backoffMs, backoffMsMax);
      this.#retry = env.timers.after(delayMs, () => this.#dial());
      return;
    }
    this.#lossTimer = env.timers.after(redialMsMax, () => this.#lost("no new connection in time"));
    whenRefused(this.#options.address, (refusal) => {
      if (!this.#isOpen && !this.#isClosed) this.#lost(refusal);
    });
    this.#dial();
  }

  #lost(reason: string): void {
    this.#lossTimer?.cancel();
    this.#lossTimer = undefined;
    if (this.#told !== true) return;
    this.#told = false;
    this.#queue.clear();
    this.#options.env.log.warn("lost a peer", { address: this.#options.address, reason });
    this.#options.onChanged(false);
  }

  #pump(): void {
    while (this.#stream && this.#isOpen && !this.#isFull && this.#queue.length > 0) {
      const ping = this.#roundTrip.ping(this.#options.env.clock.monotonic());
      this.#isFull = !this.#stream.write({ messages: this.#queue.take(), ping });
    }
  }

  #hangUp(): void {
    const [stream, client] = [this.#stream, this.#client];
    this.#stream = undefined;
    this.#client = undefined;
    this.#isOpen = false;
    this.#roundTrip.reset();
    this.#dialTimer?.cancel();
    stream?.cancel();
    client?.close();
  }
}
