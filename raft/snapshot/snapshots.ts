import type { Env, Network, Timer } from "../../src/base/env.js";
import { encodeConfState } from "../conf-change.js";
import type { ReceivedSnapshot, SnapshotRequest } from "../consensus.js";
import type { ConfState, Index, Message, NodeId, SnapshotMeta } from "../core/types.js";
import { failpoints } from "../failpoints.js";
import { completeSnapshot, type WrittenSnapshot } from "./file-writer.js";
import { completePath, type SnapshotIdentity } from "./files.js";
import type { SnapshotMessage } from "./messages.js";
import { Pace } from "./pace.js";
import { SnapshotReceiver } from "./receiver.js";
import { SnapshotSender } from "./sender.js";
import type { SnapshotTuning } from "./tuning.js";

export interface SnapshotsOptions {
  readonly env: Pick<Env, "disk" | "timers" | "clock" | "random" | "log" | "failpoint">;
  /** Without it nothing is sent or received. */
  readonly channel: Network<SnapshotMessage> | undefined;
  readonly cluster: number;
  readonly tuning: SnapshotTuning;
  readonly configurationAt: (index: Index) => ConfState | undefined;
  readonly committed: () => Index;
  /** Asks the state machine's side to write its state. */
  readonly onWanted: (request: SnapshotRequest) => void;
  /** From now on the core may send this one; undefined: none. */
  readonly onOffered: (snapshot: SnapshotMeta) => void;
  /** For the core: the transfer that its MsgSnap asked for has ended. */
  readonly onSent: (to: NodeId, ok: boolean) => void;
  /** For the core: a MsgSnap whose file is here. */
  readonly onReceived: (message: Message) => void;
}

/**
 * The driver's side of snapshots: has one made when the core wants one, gives the core's MsgSnap the file to go with, and takes
 * files of others in. Its callbacks come at any time outside the core's turns.
 */
export class Snapshots {
  readonly #options: SnapshotsOptions;
  readonly #pace: Pace;
  readonly #receiver: SnapshotReceiver;
  readonly #senders = new Map<NodeId, SnapshotSender>();
  readonly #failures = new Map<NodeId, Timer>();
  /** The newest one that was made here. */
  #file: SnapshotIdentity | undefined;
  #isWanted = false;
  #retry: Timer | undefined;
  #isOver = false;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
    const { env, tuning, cluster, committed, channel, onReceived } = options;
    this.#pace = new Pace(tuning.bytesPerSecond);
    const send = (to: NodeId, message: SnapshotMessage): void => channel?.send(to, [message]);
    this.#receiver = new SnapshotReceiver({ env, tuning, cluster, committed, send, onWhole: onReceived });
    channel?.onReceive((from, messages) => {
      for (const message of messages) this.#receive(from, message);
    });
    channel?.onPeer((peer, connected) => {
      if (connected) this.#senders.get(peer)?.connected();
    });
  }

  /** The oldest snapshot that is on its way to a member; what is behind it must stay in the log. */
  get sending(): Index | undefined {
    const indexes = [...this.#senders.values()].map(({ file }) => file.index);
    return indexes.length === 0 ? undefined : Math.min(...indexes);
  }

  /** The core has asked for a snapshot and there was none. Asking again changes nothing. */
  want(): void {
    if (this.#isWanted || this.#isOver) return;
    this.#isWanted = true;
    const { tuning, cluster, onWanted } = this.#options;
    onWanted({ cluster, chunkBytes: tuning.chunkBytes, bytesPerSecond: tuning.bytesPerSecond });
  }

  /** The answer of the state machine's side. */
  taken(written: WrittenSnapshot | undefined): void {
    if (!this.#isWanted || this.#isOver) return;
    const { env, configurationAt, tuning } = this.#options;
    const configuration = written && configurationAt(written.index);
    if (!written || !configuration) return this.#later(tuning.retryMs);
    const { index, term, digest } = written;
    const bytes = completeSnapshot(env.disk, written, encodeConfState(configuration), (error) => {
      if (this.#isOver) return;
      if (error) {
        env.log.warn("a snapshot could not be completed", { index, error: error.message });
        return this.#later(tuning.retryMs);
      }
      env.failpoint(failpoints.snapshotMade);
      env.log.info("made a snapshot", { index, bytes });
      this.#isWanted = false;
      this.#file = { index, term, bytes, digest };
      return this.#options.onOffered({ index, term, configuration });
    });
  }

  /** Sends what this MsgSnap speaks of, instead of anything that is on its way to that member. */
  send(message: Message): void {
    const { env, tuning, channel } = this.#options;
    const { to, snapshot } = message;
    const file = this.#file;
    if (this.#isOver) return;
    this.#senders.get(to)?.stop();
    this.#senders.delete(to);
    if (!channel || !snapshot || file?.index !== snapshot.index || file.term !== snapshot.term) return this.#failed(to);
    const { index, bytes } = file;
    env.log.info("sending a snapshot", { to, index, bytes, path: completePath(index, file.term) });
    const sender: SnapshotSender = new SnapshotSender({
      env,
      tuning,
      pace: this.#pace,
      transfer: 1 + env.random.int(2 ** 31),
      to,
      file,
      message,
      send: (part) => channel.send(to, [part]),
      onEnd: (ok) => {
        if (this.#senders.get(to) === sender) this.#senders.delete(to);
        env.log.info(ok ? "a member has the snapshot" : "a snapshot was not sent", { to, index });
        if (ok) this.#options.onSent(to, true);
        else this.#failed(to);
      },
    });
    this.#senders.set(to, sender);
  }

  stop(): void {
    this.#isOver = true;
    this.#retry?.cancel();
    for (const timer of this.#failures.values()) timer.cancel();
    for (const sender of this.#senders.values()) sender.stop();
    this.#receiver.stop();
  }

  #receive(from: NodeId, message: SnapshotMessage): void {
    if (this.#isOver) return;
    if (message.type === "Offer" || message.type === "Chunk") return this.#receiver.receive(from, message);
    const sender = this.#senders.get(from);
    if (sender?.transfer === message.transfer) sender.receive(message);
  }

  /** The core would try again with the member's next heartbeat. */
  #failed(to: NodeId): void {
    const { env, tuning, onSent } = this.#options;
    this.#failures.get(to)?.cancel();
    const timer = env.timers.after(tuning.retryMs, () => {
      this.#failures.delete(to);
      onSent(to, false);
    });
    this.#failures.set(to, timer);
  }

  #later(delayMs: number): void {
    this.#retry = this.#options.env.timers.after(delayMs, () => {
      this.#isWanted = false;
    });
  }
}

/** What the state machine's side is told of a snapshot that has replaced the log. */
export function receivedSnapshot({ index, term }: SnapshotMeta, cluster: number): ReceivedSnapshot {
  return { index, term, path: completePath(index, term), cluster };
}
