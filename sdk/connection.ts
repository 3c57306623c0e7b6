import type { IkadaError } from "../src/base/errors.js";
import { Deadline, type CallOptions } from "./deadline.js";

/**
 * - `Idle`: nothing was asked yet.
 * - `Connecting`: something was asked, and no server has answered yet.
 * - `Ready`: the server that was heard last gave an answer; a refusal is one too.
 * - `Failing`: the server that was asked last gave none, or is stopping. Calls go on with the next one, until one answers or their time is over.
 * - `Closed`: the client was closed. Nothing comes after it.
 */
export type ConnectionState = "Idle" | "Connecting" | "Ready" | "Failing" | "Closed";

/** How a client stands with its cluster at one moment. */
export interface ConnectionStatus {
  /** See `ConnectionState`. */
  readonly state: ConnectionState;
  /** `host:port` of the server that `state` is about; undefined while Idle. */
  readonly server: string | undefined;
  /** `host:port` of the server that leads, as the last answer says; undefined when that server knew of none. */
  readonly leader: string | undefined;
  /** Since when `state` and `server` are as they are. */
  readonly since: Date;
  /** Why a server gave no answer, the last time that happened; with its time. */
  readonly lastError: { readonly error: IkadaError; readonly server: string; readonly at: Date } | undefined;
}

/**
 * How a client stands with its cluster, as its own calls find it: nobody is asked for its sake, so that an idle client learns of a lost server
 * at its next call. One with a watch or an informer open learns of it when it happens.
 *
 * @example
 * await client.clusterStatus();
 * const { state, server, leader } = client.connection.status;
 * console.log(state, server, leader);
 */
export interface Connection {
  /** As it is now. The object does not change; another one takes its place. */
  readonly status: ConnectionStatus;
  /**
   * The present status, and each other one as it comes; who reads slowly is given the newest. Ends when the client is closed, with that status.
   * @throws IkadaError Cancelled at the signal, Deadline when the time is over
   */
  changes(options?: CallOptions): AsyncGenerator<ConnectionStatus, void, undefined>;
}

/** Owner: the client, whose calls tell it what they find. */
export class ClientConnection implements Connection {
  #status: ConnectionStatus = {
    state: "Idle",
    server: undefined,
    leader: undefined,
    since: new Date(),
    lastError: undefined,
  };
  #changed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;

  get status(): ConnectionStatus {
    return this.#status;
  }

  async *changes(options: CallOptions = {}): AsyncGenerator<ConnectionStatus, void, undefined> {
    const deadline = new Deadline(options);
    for (let given: ConnectionStatus | undefined; given?.state !== "Closed";) {
      deadline.rest();
      if (given === this.#status) await deadline.wait(this.#nextChange());
      given = this.#status;
      yield given;
    }
  }

  /** A question goes to this server. */
  asked(server: string): void {
    if (this.#status.state === "Idle") this.#become({ state: "Connecting", server });
  }

  /** This server answered, whatever it said. */
  answered(server: string): void {
    this.#become({ state: "Ready", server });
  }

  /** What its answer says of the leader. */
  named(leader: string | undefined): void {
    this.#become({ leader });
  }

  /** This server gave no answer. */
  failed(server: string, error: IkadaError): void {
    this.#become({ state: "Failing", server, lastError: { error, server, at: new Date() } });
  }

  close(): void {
    this.#become({ state: "Closed" });
  }

  #become(change: Partial<ConnectionStatus>): void {
    const before = this.#status;
    if (before.state === "Closed") return;
    const after = { ...before, ...change };
    const isSame = after.state === before.state && after.server === before.server;
    if (isSame && after.leader === before.leader && after.lastError === before.lastError) return;
    this.#status = isSame ? after : { ...after, since: new Date() };
    this.#changed?.resolve();
    this.#changed = undefined;
  }

  #nextChange(): Promise<void> {
    if (this.#changed === undefined) {
      let resolve: () => void = () => undefined;
      const promise = new Promise<void>((done) => (resolve = done));
      this.#changed = { promise, resolve };
    }
    return this.#changed.promise;
  }
}
