import { Worker } from "node:worker_threads";
import type { Log } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import type { Consensus, ConsensusHandlers } from "../consensus.js";
import type { ConfChange } from "../core/configuration.js";
import type { Entry, Index, NodeId } from "../core/types.js";
import type { WrittenSnapshot } from "../snapshot/file-writer.js";
import type { KnownMembers } from "./known-members.js";
import { packBytes } from "./packed-bytes.js";
import type { ConsensusWorkerOptions, Delivery, FromWorker, ToWorker } from "./port-messages.js";
import { unpackEntries, unpackError } from "./port-messages.js";

/** How long a stopping worker may take to hand over, close its log and end, before it is cut off. */
const stopMsMax = 5_000;
/**
 * What is applied is told with the next call, or after so long (ms), or at once when this many entries are untold: each message wakes the
 * consensus thread, which uses it for its bounds and for cutting the log only. A change of the members is told at once: before it is
 * applied nobody may campaign.
 */
const appliedMsMax = 5;
const appliedUntoldMax = 512;

/**
 * Starts the consensus thread. Resolves when the log is open and the port is bound; handlers are called from
 * then on. Entries given to `onCommitted` are views into one buffer per delivery: copy what is kept for long.
 * @throws IkadaError what kept it from starting, e.g. a damaged log, with what to do
 */
export async function startConsensus(
  options: ConsensusWorkerOptions,
  handlers: ConsensusHandlers,
  log: Log,
): Promise<ConsensusHandle> {
  const worker = new Worker(new URL("./main.js", import.meta.url), { workerData: options, name: "consensus" });
  const handle = new ConsensusHandle(worker, handlers, log);
  await handle.started;
  return handle;
}

/** The main thread's end: gathers calls of a turn into one message, and takes the worker's apart. */
export class ConsensusHandle implements Consensus {
  /** The port bound for the other members; valid once started. */
  port = 0;
  /** Settles once. */
  readonly started: Promise<void>;
  readonly #worker: Worker;
  readonly #handlers: ConsensusHandlers;
  readonly #log: Log;
  readonly #exited: Promise<void>;
  #settleStart: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #isStopping = false;
  #isOver = false;

  #isDue = false;
  #tags: number[] = [];
  #data: Uint8Array[] = [];
  #reads: number[] = [];
  #applied: { readonly index: Index; readonly durable: Index } | undefined;
  #appliedTold: Index = 0;
  #isChangeUntold = false;
  #appliedTimer: NodeJS.Timeout | undefined;

  constructor(worker: Worker, handlers: ConsensusHandlers, log: Log) {
    this.#worker = worker;
    this.#handlers = handlers;
    this.#log = log;
    this.started = new Promise((resolve, reject) => {
      this.#settleStart = { resolve, reject };
    });
    this.#exited = new Promise((resolve) => {
      worker.once("exit", (code) => {
        if (!this.#isStopping) this.#fail(new IkadaError("Internal", `the consensus thread ended with code ${code}`));
        resolve();
      });
    });
    worker.on("error", (error) => this.#fail(error));
    worker.on("message", (deliveries: FromWorker) => {
      for (const delivery of deliveries) if (!this.#isOver) this.#take(delivery);
    });
  }

  propose(tag: number, data: Uint8Array): void {
    this.#tags.push(tag);
    this.#data.push(data);
    this.#wake();
  }

  readIndex(tag: number): void {
    this.#reads.push(tag);
    this.#wake();
  }

  applied(index: Index, durable: Index): void {
    this.#applied = { index, durable };
    if (this.#isChangeUntold || index - this.#appliedTold >= appliedUntoldMax) this.#wake();
    else this.#appliedTimer ??= setTimeout(() => this.#flush(), appliedMsMax);
  }

  transferLeadership(to: NodeId): void {
    this.#flush();
    this.#send({ transferTo: to });
  }

  snapshotTaken(written: WrittenSnapshot | undefined): void {
    this.#send({ snapshotTaken: written ? [written] : [] });
  }

  changeMembers(tag: number, change: ConfChange, asOf?: Index): void {
    this.#flush();
    this.#send({ memberChange: { tag, change, asOf } });
  }

  /** Who is dialled and let in from now on, whatever the log says of votes. */
  setMembers(members: KnownMembers): void {
    this.#send({ members });
  }

  /** Hands leadership over if it can, closes log and connections. No handler is called afterwards. Idempotent. */
  async stop(): Promise<void> {
    if (!this.#isStopping) {
      this.#isStopping = true;
      this.#flush();
      this.#send({ stop: true });
    }
    const force = setTimeout(() => void this.#worker.terminate(), stopMsMax);
    await this.#exited;
    clearTimeout(force);
    this.#isOver = true;
  }

  #wake(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isDue = false;
    const tags = this.#tags;
    const reads = this.#reads;
    if (tags.length === 0 && reads.length === 0 && !this.#applied) return;
    const data = packBytes(this.#data);
    const message: ToWorker = {
      ...(tags.length > 0 && { proposals: { tags: Float64Array.from(tags), data } }),
      ...(reads.length > 0 && { reads }),
      ...(this.#applied && { applied: this.#applied }),
    };
    this.#tags = [];
    this.#data = [];
    this.#reads = [];
    this.#appliedTold = this.#applied?.index ?? this.#appliedTold;
    this.#applied = undefined;
    this.#isChangeUntold = false;
    clearTimeout(this.#appliedTimer);
    this.#appliedTimer = undefined;
    this.#send(message, tags.length > 0 ? [data.buffer] : []);
  }

  #send(message: ToWorker, buffers: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, buffers);
  }

  #take(delivery: Delivery): void {
    switch (delivery.type) {
      case "committed":
        return this.#committed(unpackEntries(delivery.entries));
      case "snapshotWanted":
        return this.#handlers.onSnapshotWanted(delivery.request);
      case "snapshot":
        return this.#handlers.onSnapshot(delivery.snapshot);
      case "read":
        return this.#handlers.onReadIndex(delivery.tag, delivery.index);
      case "refused":
        return this.#handlers.onRefused(delivery.tag, delivery.reason, delivery.detail);
      case "membersChanged":
        return this.#handlers.onMembersChanged(delivery.tag, delivery.configuration);
      case "status":
        return this.#handlers.onStatus(delivery.status);
      case "log":
        return this.#log[delivery.level](delivery.message, delivery.fields);
      case "started":
        this.port = delivery.port;
        return this.#settleStart?.resolve();
      case "failed":
        this.#isStopping = true;
        return this.#settleStart?.reject(unpackError(delivery.error));
      case "fatal":
        return this.#fail(unpackError(delivery.error));
      case "stopped":
        // The thread ends by itself: to terminate one with HTTP/2 streams open may abort the process.
        this.#isOver = true;
        return undefined;
    }
  }

  #committed(entries: readonly Entry[]): void {
    if (entries.some(({ type }) => type === "ConfChange")) this.#isChangeUntold = true;
    this.#handlers.onCommitted(entries);
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settleStart?.reject(error);
    this.#handlers.onFatal(error);
  }
}
