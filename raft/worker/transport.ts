import * as grpc from "@grpc/grpc-js";
import type { Env, Network } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { statusFromError } from "../../src/host/grpc-errors.js";
import { bind, channelOptions, shutDown } from "../../src/host/grpc.js";
import { roleOf, ServerTls } from "../../src/host/tls.js";
import type { TlsMaterial } from "../../src/host/tls.js";
import type { Message, NodeId } from "../core/types.js";
import type { ReceivedBatch } from "./batch.js";
import { wireFormat, type WireAckInput } from "./codec.js";
import { Peer, raftChannelOptions, streamMethod } from "./peer.js";
import { SnapshotChannel, snapshotsMethod } from "./snapshot-channel.js";
import type { WireFrame, WireFrameInput } from "./snapshot-codec.js";

export interface PeerAddress {
  readonly id: NodeId;
  /** The common name in its certificate. */
  readonly name: string;
  /** `host:port` */
  readonly address: string;
}

export interface TransportOptions {
  readonly id: NodeId;
  readonly clusterId: string;
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  /** All members; this one's entry is not dialled. */
  readonly members: readonly PeerAddress[];
  readonly tls: TlsMaterial;
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
}

/** Batches are decoded where what they say can end the stream with a reason. */
type Inbound = grpc.ServerDuplexStream<Buffer, WireAckInput>;

/**
 * Members among each other by gRPC: each has one long-lived stream to every other, on which it only speaks.
 * Both ends show certificates of the cluster's authority. A stream is taken from a member only: role "server"
 * and a name of the member list, which says who it is; messages can't claim another sender.
 */
export class Transport implements Network<Message> {
  readonly port: number;
  /** Beside the messages, on connections of its own. */
  readonly snapshots: SnapshotChannel;
  readonly #options: TransportOptions;
  readonly #server: grpc.Server;
  readonly #peers = new Map<NodeId, Peer>();
  #receive: (from: NodeId, messages: readonly Message[]) => void = () => undefined;
  #changed: (peer: NodeId, connected: boolean) => void = () => undefined;
  #roundTrip: (peer: NodeId, ms: number) => void = () => undefined;

  /** @throws IkadaError Unavailable when the address can't be bound */
  static async start(options: TransportOptions): Promise<Transport> {
    const server = new grpc.Server({ ...channelOptions, ...raftChannelOptions });
    // The handlers need the transport, which needs the port.
    let transport: Transport | undefined;
    const handle: grpc.handleBidiStreamingCall<Buffer, WireAckInput> = (call) => {
      if (transport) transport.#accept(call);
      else call.end();
    };
    const { path, serializeResponse } = streamMethod;
    server.register(path, handle, serializeResponse, (bytes) => bytes, "bidi");
    const handleSnapshots: grpc.handleBidiStreamingCall<WireFrame, WireFrameInput> = (call) => {
      if (transport) transport.snapshots.accept(call);
      else call.end();
    };
    const { path: bulkPath, serializeResponse: serialize, deserializeRequest: deserialize } = snapshotsMethod;
    server.register(bulkPath, handleSnapshots, serialize, deserialize, "bidi");
    const port = await bind(server, options.listen, new ServerTls(options.tls, "required"));
    transport = new Transport(options, server, port);
    return transport;
  }

  private constructor(options: TransportOptions, server: grpc.Server, port: number) {
    this.#options = options;
    this.#server = server;
    this.port = port;
    const { clusterId, tls, env } = options;
    this.snapshots = new SnapshotChannel({
      clusterId,
      tls,
      env,
      addressOf: (id) => options.members.find((member) => member.id === id)?.address,
      identify: (call) => this.#identify(call),
    });
    for (const { id, address } of options.members) {
      if (id === options.id) continue;
      const onChanged = (connected: boolean): void => this.#changed(id, connected);
      const onRoundTrip = (ms: number): void => this.#roundTrip(id, ms);
      this.#peers.set(id, new Peer({ address, clusterId, tls, env, onChanged, onRoundTrip }));
    }
  }

  send(to: NodeId, messages: readonly Message[]): void {
    this.#peers.get(to)?.send(messages);
  }

  onReceive(receive: (from: NodeId, messages: readonly Message[]) => void): void {
    this.#receive = receive;
  }

  onPeer(changed: (peer: NodeId, connected: boolean) => void): void {
    this.#changed = changed;
  }

  onRoundTrip(measured: (peer: NodeId, ms: number) => void): void {
    this.#roundTrip = measured;
  }

  close(): void {
    for (const peer of this.#peers.values()) peer.close();
    this.snapshots.close();
    void shutDown(this.#server, 0);
  }

  #accept(call: Inbound): void {
    const { log } = this.#options.env;
    let from: NodeId;
    try {
      from = this.#identify(call);
    } catch (error) {
      log.warn("refused a Raft stream", { peer: call.getPeer(), error: (error as Error).message });
      call.emit("error", statusFromError(error));
      return;
    }
    let greeted = false;
    call.on("data", (bytes: Buffer) => {
      try {
        const batch = streamMethod.deserializeRequest(bytes);
        if (greeted) {
          if (batch.ping !== 0) call.write({ pong: batch.ping });
          return this.#receive(from, batch.messages);
        }
        this.#checkGreeting(batch);
        greeted = true;
        return call.sendMetadata(new grpc.Metadata());
      } catch (error) {
        log.warn("ended a Raft stream", { from, error: (error as Error).message });
        return call.emit("error", statusFromError(error));
      }
    });
    call.on("end", () => call.end());
    call.on("error", () => undefined);
  }

  #identify(call: Pick<Inbound, "getAuthContext">): NodeId {
    const identity = roleOf(call.getAuthContext().sslPeerCertificate);
    const member = this.#options.members.find(({ name }) => name === identity?.name);
    if (identity?.role !== "server" || !member || member.id === this.#options.id)
      throw new IkadaError("Forbidden", "Raft streams are for the other members of this cluster only", {
        hint: "the certificate needs the role server and the name of a member in this server's configuration",
      });
    return member.id;
  }

  #checkGreeting(batch: ReceivedBatch): void {
    if (batch.format !== wireFormat)
      throw new IkadaError("Unsupported", `Raft wire format ${batch.format}; this member speaks ${wireFormat}`);
    if (batch.clusterId !== this.#options.clusterId)
      throw new IkadaError("BadRequest", "the peer belongs to another cluster", {
        hint: "compare clusterId in the configuration of the two servers",
      });
  }
}
