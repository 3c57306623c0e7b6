import * as grpc from "@grpc/grpc-js";
import type { Env, Network } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { reasonsForAll, statusFromError } from "../../src/host/grpc-errors.js";
import { bind, channelOptions, shutDown } from "../../src/host/grpc.js";
import { roleOf, ServerTls } from "../../src/host/tls.js";
import type { TlsMaterial } from "../../src/host/tls.js";
import type { Message, NodeId } from "../core/types.js";
import type { ReceivedBatch } from "./batch.js";
import { wireFormat, type WireAckInput } from "./codec.js";
import { MemberDirectory, removedError, type KnownMembers, type PeerAddress } from "./known-members.js";
import { Peer, raftChannelOptions, streamMethod } from "./peer.js";
import { SnapshotChannel, snapshotsMethod } from "./snapshot-channel.js";
import type { WireFrame, WireFrameInput } from "./snapshot-codec.js";

export interface TransportOptions extends KnownMembers {
  readonly id: NodeId;
  readonly clusterId: string;
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly tls: TlsMaterial;
  readonly env: Pick<Env, "clock" | "timers" | "random" | "log">;
  /** Another member says that this one was removed from the cluster. */
  readonly onRemoved: (error: Error) => void;
}

/** Batches are decoded where what they say can end the stream with a reason. */
type Inbound = grpc.ServerDuplexStream<Buffer, WireAckInput>;

/**
 * Members among each other by gRPC: each has one long-lived stream to every other, on which it only speaks.
 * Both ends show certificates of the cluster's authority. A stream is taken from servers only, and
 * says by certificate and greeting who it is from; messages can't claim another sender. Members come and go at run time.
 */
export class Transport implements Network<Message> {
  readonly port: number;
  /** Beside the messages, on connections of its own. */
  readonly snapshots: SnapshotChannel;
  readonly #options: TransportOptions;
  readonly #server: grpc.Server;
  readonly #directory: MemberDirectory;
  readonly #self: PeerAddress;
  readonly #peers = new Map<NodeId, Peer>();
  readonly #inbound = new Map<NodeId, Set<Inbound>>();
  #receive: (from: NodeId, messages: readonly Message[]) => void = () => undefined;
  #changed: (peer: NodeId, connected: boolean) => void = () => undefined;
  #roundTrip: (peer: NodeId, ms: number) => void = () => undefined;

  /** @throws IkadaError Unavailable when the address can't be bound */
  static async start(options: TransportOptions): Promise<Transport> {
    const server = new grpc.Server({ ...channelOptions, ...raftChannelOptions, interceptors: [reasonsForAll] });
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
    const self = options.members.find(({ id }) => id === options.id);
    if (!self) throw new IkadaError("Invalid", `members: none has the id ${options.id} of this server`);
    this.#self = self;
    this.#directory = new MemberDirectory(options.id, options);
    const { clusterId, tls, env } = options;
    this.snapshots = new SnapshotChannel({
      clusterId,
      tls,
      env,
      addressOf: (id) => this.#peers.get(id)?.address,
      identify: (call) => this.#directory.named(nameOf(call)),
    });
    this.#dialAll();
  }

  /** Dials who is new or has moved, hangs up on who is gone, and tells those that were removed. */
  setMembers(known: KnownMembers): void {
    this.#directory.set(known);
    this.#dialAll();
    for (const [id, calls] of this.#inbound) {
      if (!this.#directory.isRemoved(id)) continue;
      for (const call of calls) call.emit("error", statusFromError(removedError(id)));
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

  #dialAll(): void {
    const wanted = new Map(this.#directory.peers.map((peer) => [peer.id, peer]));
    for (const [id, peer] of this.#peers) {
      if (wanted.get(id)?.address === peer.address) continue;
      peer.close();
      this.#peers.delete(id);
    }
    for (const peer of wanted.values()) if (!this.#peers.has(peer.id)) this.#dial(peer);
  }

  #dial({ id, address }: Pick<PeerAddress, "id" | "address">): void {
    const { clusterId, tls, env, onRemoved } = this.#options;
    const onChanged = (connected: boolean): void => this.#changed(id, connected);
    const onRoundTrip = (ms: number): void => this.#roundTrip(id, ms);
    this.#peers.get(id)?.close();
    this.#peers.set(
      id,
      new Peer({ address, clusterId, self: this.#self, tls, env, onChanged, onRoundTrip, onRemoved }),
    );
  }

  #accept(call: Inbound): void {
    const { log } = this.#options.env;
    let from: NodeId | undefined;
    const refuse = (error: unknown): void => {
      const fields = { from: from ?? call.getPeer(), error: (error as Error).message };
      log.warn(from === undefined ? "refused a Raft stream" : "ended a Raft stream", fields);
      call.emit("error", statusFromError(error));
    };
    const forget = (): void => {
      if (from !== undefined) this.#inbound.get(from)?.delete(call);
    };
    call.on("cancelled", forget);
    call.on("error", forget);
    let certified: string;
    try {
      // Before anything that a stranger sends is decoded.
      certified = nameOf(call);
    } catch (error) {
      return refuse(error);
    }
    call.on("data", (bytes: Buffer) => {
      try {
        const batch = decodeBatch(bytes);
        if (from !== undefined) {
          if (batch.ping !== 0) call.write({ pong: batch.ping });
          return this.#receive(from, batch.messages);
        }
        from = this.#greet(call, certified, batch);
        return call.sendMetadata(new grpc.Metadata());
      } catch (error) {
        return refuse(error);
      }
    });
    call.on("end", () => {
      forget();
      call.end();
    });
  }

  /** Who speaks on this stream. An unreachable member is dialled where it says it is. @throws IkadaError when it may not */
  #greet(call: Inbound, certified: string, batch: ReceivedBatch): NodeId {
    this.#checkFormat(batch);
    const { id, name, address } = batch.greeting ?? {};
    const from = this.#directory.identify(certified, {
      ...(id && { id }),
      ...(name && { name }),
      ...(address && { address }),
    });
    const peer = this.#peers.get(from);
    if (address && address !== peer?.address && peer?.isConnected !== true) this.#dial({ id: from, address });
    const calls = this.#inbound.get(from) ?? new Set();
    this.#inbound.set(from, calls.add(call));
    return from;
  }

  #checkFormat(batch: ReceivedBatch): void {
    if (batch.format !== wireFormat)
      throw new IkadaError("Unsupported", `Raft wire format ${batch.format}; this member speaks ${wireFormat}`);
    if (batch.clusterId !== this.#options.clusterId)
      throw new IkadaError("BadRequest", "the peer belongs to another cluster", {
        hint: "compare clusterId in the configuration of the two servers",
      });
  }
}

/** @throws IkadaError BadRequest for bytes that are no batch, Invalid for one that no member sends */
function decodeBatch(bytes: Buffer): ReceivedBatch {
  try {
    return streamMethod.deserializeRequest(bytes);
  } catch (caught) {
    if (caught instanceof IkadaError) throw caught;
    throw new IkadaError("BadRequest", `no Raft message: ${(caught as Error).message}`, {}, caught);
  }
}

/** The name in the certificate of a server. @throws IkadaError Forbidden for all others */
function nameOf(call: Pick<Inbound, "getAuthContext">): string {
  const identity = roleOf(call.getAuthContext().sslPeerCertificate);
  if (identity?.role === "server") return identity.name;
  throw new IkadaError("Forbidden", "Raft streams are for the other members of this cluster only", {
    hint: "the certificate needs the role server",
  });
}
