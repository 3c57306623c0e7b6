import * as grpc from "@grpc/grpc-js";
import type { Env, Network, Timer } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { statusFromError } from "../../src/host/grpc-errors.js";
import { callBidi, method } from "../../src/host/grpc.js";
import { createClient, type TlsMaterial } from "../../src/host/tls.js";
import type { NodeId } from "../core/types.js";
import { snapshotWireFormat, type SnapshotMessage } from "../snapshot/messages.js";
import { decodeFrame, encodeFrame, SnapshotFrame, snapshotsRpc } from "./snapshot-codec.js";
import type { WireFrame, WireFrameInput } from "./snapshot-codec.js";

export const snapshotsMethod = method(snapshotsRpc, SnapshotFrame, SnapshotFrame);

/** A dead connection is noticed within so long. */
const channelOptions = { "grpc.keepalive_time_ms": 5_000, "grpc.keepalive_timeout_ms": 5_000 } as const;
/** A connection on which nothing was said for so long is closed. */
const idleMsMax = 60_000;

export interface SnapshotChannelOptions {
  readonly clusterId: string;
  readonly tls: TlsMaterial;
  readonly env: Pick<Env, "timers" | "log">;
  readonly addressOf: (id: NodeId) => string | undefined;
  /** Who calls, by certificate. @throws IkadaError when it is no member */
  readonly identify: (call: Inbound) => NodeId;
}

export type Inbound = grpc.ServerDuplexStream<WireFrame, WireFrameInput>;
type Outbound = grpc.ClientDuplexStream<WireFrameInput, WireFrame>;

interface Dialled {
  readonly client: grpc.Client;
  readonly stream: Outbound;
  idle: Timer | undefined;
}

/**
 * The way of snapshots: a connection of its own to each member that is sent one, dialled by an offer and closed when idle, so that no chunk
 * ever stands in a queue before a heartbeat. The receiver answers on the same stream. What can't be sent is dropped; the sender
 * offers again.
 */
export class SnapshotChannel implements Network<SnapshotMessage> {
  readonly #options: SnapshotChannelOptions;
  readonly #dialled = new Map<NodeId, Dialled>();
  readonly #inbound = new Map<NodeId, Inbound>();
  #receive: (from: NodeId, messages: readonly SnapshotMessage[]) => void = () => undefined;

  constructor(options: SnapshotChannelOptions) {
    this.#options = options;
  }

  send(to: NodeId, messages: readonly SnapshotMessage[]): void {
    for (const message of messages) {
      if (message.type === "Have" || message.type === "Refuse") this.#inbound.get(to)?.write(encodeFrame(message));
      else this.#say(to, message);
    }
  }

  onReceive(receive: (from: NodeId, messages: readonly SnapshotMessage[]) => void): void {
    this.#receive = receive;
  }

  /** The sender's own repetition is quick enough. */
  onPeer(): void {
    // Nobody is told.
  }

  /** The handler of the method, for the members' server. */
  accept(call: Inbound): void {
    const { identify, clusterId, env } = this.#options;
    let from: NodeId | undefined;
    call.on("data", (frame: WireFrame) => {
      try {
        if (from !== undefined) return this.#receive(from, [decodeFrame(frame)]);
        checkGreeting(frame, clusterId);
        from = identify(call);
        this.#inbound.set(from, call);
      } catch (error) {
        env.log.warn("ended a stream of snapshots", { peer: call.getPeer(), error: (error as Error).message });
        call.emit("error", statusFromError(error));
      }
    });
    const forget = (): void => {
      if (from !== undefined && this.#inbound.get(from) === call) this.#inbound.delete(from);
    };
    call.on("end", () => {
      forget();
      call.end();
    });
    call.on("cancelled", forget);
    call.on("error", forget);
  }

  close(): void {
    for (const id of this.#dialled.keys()) this.#hangUp(id);
    this.#inbound.clear();
  }

  #say(to: NodeId, message: SnapshotMessage): void {
    const dialled = this.#dialled.get(to) ?? (message.type === "Offer" ? this.#dial(to) : undefined);
    if (!dialled) return;
    dialled.stream.write(encodeFrame(message));
    dialled.idle?.cancel();
    dialled.idle = this.#options.env.timers.after(idleMsMax, () => this.#hangUp(to));
  }

  #dial(to: NodeId): Dialled | undefined {
    const { addressOf, tls, clusterId, env } = this.#options;
    const address = addressOf(to);
    if (address === undefined) return undefined;
    const client = createClient(address, { authority: tls.authority, identity: tls }, channelOptions);
    const stream: Outbound = callBidi(client, snapshotsMethod);
    const dialled: Dialled = { client, stream, idle: undefined };
    const broken = (reason: string): void => {
      if (this.#dialled.get(to) !== dialled) return;
      env.log.info("the connection for snapshots broke", { to, reason });
      this.#hangUp(to);
    };
    stream.on("data", (frame: WireFrame) => {
      try {
        if (this.#dialled.get(to) === dialled) this.#receive(to, [decodeFrame(frame)]);
      } catch (error) {
        broken((error as Error).message);
      }
    });
    stream.on("error", (error: Error) => broken(error.message));
    stream.on("end", () => broken("the peer ended it"));
    stream.write({ format: snapshotWireFormat, clusterId });
    this.#dialled.set(to, dialled);
    return dialled;
  }

  #hangUp(to: NodeId): void {
    const dialled = this.#dialled.get(to);
    this.#dialled.delete(to);
    dialled?.idle?.cancel();
    dialled?.stream.cancel();
    dialled?.client.close();
  }
}

function checkGreeting(frame: WireFrame, clusterId: string): void {
  if (frame.format !== snapshotWireFormat)
    throw new IkadaError(
      "Unsupported",
      `snapshot wire format ${frame.format}; this member speaks ${snapshotWireFormat}`,
    );
  if (frame.clusterId !== clusterId) throw new IkadaError("BadRequest", "the peer belongs to another cluster");
}
