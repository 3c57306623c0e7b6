import type { Client as Channel } from "@grpc/grpc-js";
import { IkadaError } from "../src/base/errors.js";
import { createClient, type ClientTls } from "../src/host/tls.js";

/** Addresses learned from servers beyond those that were configured; a cluster has at most a handful. */
const endpointsMax = 32;

/** So long a server that did not serve is asked only when no other one is left; the leader may be out of this client's reach. */
const avoidMs = 5_000;

/**
 * The servers of one cluster as a client sees them: one channel each, opened at first use, and the one to ask next. The
 * leader is preferred once a server has named it, since that saves a hop; any other serves as well.
 */
export class Endpoints {
  readonly #tls: ClientTls;
  readonly #addresses: string[];
  readonly #channels = new Map<string, Channel>();
  /** Until when (monotonic) an address that did not serve is not preferred, whatever servers say of it. */
  readonly #avoided = new Map<string, number>();
  readonly #pinned: boolean;
  #current: number;
  #closed = false;

  /**
   * `first`: where to begin, any integer >= 0; clients that begin at random share the load. `pinned`: no addresses are learned
   * from servers.
   */
  constructor(addresses: readonly string[], tls: ClientTls, first: number, pinned = false) {
    this.#pinned = pinned;
    this.#tls = tls;
    this.#addresses = [...new Set(addresses)];
    this.#current = first % this.#addresses.length;
  }

  get count(): number {
    return this.#addresses.length;
  }

  /** The address to ask now. */
  get current(): string {
    return this.#addresses[this.#current]!;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws IkadaError Cancelled when the client is closed */
  channel(address: string): Channel {
    if (this.#closed) throw new IkadaError("Cancelled", "the client is closed");
    let channel = this.#channels.get(address);
    if (!channel) {
      channel = createClient(address, this.#tls);
      this.#channels.set(address, channel);
    }
    return channel;
  }

  /** A server says who leads. */
  prefer(address: string): void {
    if ((this.#avoided.get(address) ?? 0) > performance.now()) return;
    let index = this.#addresses.indexOf(address);
    if (index < 0 && !this.#pinned && this.#addresses.length < endpointsMax) index = this.#addresses.push(address) - 1;
    if (index >= 0) this.#current = index;
  }

  /** This one did not serve: ask the next one that was not left lately, unless that was done already by another call. */
  leave(address: string): void {
    const now = performance.now();
    this.#avoided.set(address, now + avoidMs);
    if (this.current !== address) return;
    const { length } = this.#addresses;
    const following = this.#addresses.map((_, step) => (this.#current + 1 + step) % length);
    const fresh = following.find((index) => (this.#avoided.get(this.#addresses[index]!) ?? 0) <= now);
    this.#current = fresh ?? following[0]!;
  }

  close(): void {
    this.#closed = true;
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
  }
}
