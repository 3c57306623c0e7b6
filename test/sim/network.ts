import type { Network } from "../../src/base/env.js";
import type { Process, World } from "./world.js";

/** Rates are probabilities per batch of messages. */
export interface NetworkFaults {
  lossRate: number;
  duplicateRate: number;
  /** A batch this late overtakes nothing but is overtaken by many. */
  lateRate: number;
  lateUsMax: number;
  delayUsMin: number;
  delayUsMax: number;
  /** Batches of one link arrive in the order they were sent, as on one stream. */
  ordered: boolean;
  /** Peers are told when a process dies, as its sockets close. */
  hints: boolean;
  /** What was sent to a process before its restart still reaches it afterwards. */
  survivesRestart: boolean;
}

/** Turns a message into bytes and back, where a world wants the real encoding on its wires. */
export interface Codec<M> {
  encode(messages: readonly M[]): Uint8Array;
  decode(bytes: Uint8Array): readonly M[];
}

interface Link {
  cut: boolean;
  /** While clogged, batches wait here and leave in random order. */
  clogged: boolean;
  readonly held: (() => void)[];
  lastArrivalUs: number;
}

interface Endpoint<M> {
  readonly process: Process;
  readonly epoch: number;
  receive: ((from: number, messages: readonly M[]) => void) | undefined;
  peer: ((peer: number, connected: boolean) => void) | undefined;
}

const heldBatchesMax = 256;

/** All links of one world, each direction for itself. */
export class SimulatedNetwork<M> {
  readonly faults: NetworkFaults;
  /** Sees every batch that is sent, before the network does anything to it. */
  observe: (from: number, to: number, messages: readonly M[]) => void = () => undefined;
  /** Another channel between the same machines: its links are cut, clogged and healed with these. */
  twin: Pick<SimulatedNetwork<never>, "setCut" | "setClogged"> | undefined;
  readonly #world: World;
  readonly #codec: Codec<M> | undefined;
  readonly #links = new Map<number, Link>();
  readonly #endpoints = new Map<number, Endpoint<M>>();

  constructor(world: World, faults: NetworkFaults, codec?: Codec<M>) {
    this.#world = world;
    this.faults = faults;
    this.#codec = codec;
  }

  /** The network of a process's present incarnation. */
  attach(process: Process): Network<M> {
    const endpoint: Endpoint<M> = { process, epoch: process.epoch, receive: undefined, peer: undefined };
    this.#endpoints.set(process.id, endpoint);
    for (const other of this.#endpoints.values()) {
      if (other === endpoint || !other.process.alive) continue;
      this.#tell(other, process.id, true);
      this.#tell(endpoint, other.process.id, true);
    }
    return {
      send: (to, messages) => {
        if (process.epoch === endpoint.epoch) this.#send(process.id, to, messages);
      },
      onReceive: (receive) => {
        endpoint.receive = receive;
      },
      onPeer: (changed) => {
        endpoint.peer = changed;
      },
    };
  }

  /** To be called after a process has ended: its connections break. */
  detach(process: Process): void {
    this.#endpoints.delete(process.id);
    if (!this.faults.hints) return;
    for (const other of this.#endpoints.values()) {
      if (other.process.alive && !this.#link(process.id, other.process.id).cut) this.#tell(other, process.id, false);
    }
  }

  setCut(from: number, to: number, cut: boolean): void {
    this.twin?.setCut(from, to, cut);
    const link = this.#link(from, to);
    if (link.cut === cut) return;
    link.cut = cut;
    const endpoint = this.#endpoints.get(to);
    // A cut is noticed late or never; a link that works again is noticed by the reconnect.
    if (endpoint && this.faults.hints && (!cut || this.#world.random.chance(0.3))) this.#tell(endpoint, from, !cut);
  }

  isCut(from: number, to: number): boolean {
    return this.#link(from, to).cut;
  }

  setClogged(from: number, to: number, clogged: boolean): void {
    this.twin?.setClogged(from, to, clogged);
    const link = this.#link(from, to);
    link.clogged = clogged;
    if (clogged) return;
    for (const deliver of this.#world.random.shuffle(link.held.splice(0))) {
      this.#world.after(this.#world.random.int(2_000), deliver);
    }
  }

  /** Every link works and nothing is held back. */
  heal(ids: readonly number[]): void {
    for (const from of ids) {
      for (const to of ids) {
        if (from === to) continue;
        this.setCut(from, to, false);
        this.setClogged(from, to, false);
      }
    }
  }

  #send(from: number, to: number, messages: readonly M[]): void {
    if (messages.length === 0) return;
    this.observe(from, to, messages);
    const { random, trace } = this.#world;
    const { faults } = this;
    trace.mix(from * 64 + to);
    trace.mix(messages.length);
    const link = this.#link(from, to);
    if (link.cut || random.chance(faults.lossRate)) return;
    const payload = this.#codec ? this.#codec.encode(messages) : undefined;
    const arriving = this.#endpoints.get(to);
    const copies = random.chance(faults.duplicateRate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      let delayUs = random.between(faults.delayUsMin, faults.delayUsMax);
      if (random.chance(faults.lateRate)) delayUs += random.int(faults.lateUsMax + 1);
      if (faults.ordered) {
        delayUs = Math.max(delayUs, link.lastArrivalUs - this.#world.timeUs);
        link.lastArrivalUs = this.#world.timeUs + delayUs;
      }
      this.#deliverLater(link, delayUs, from, to, arriving, payload ?? messages);
    }
  }

  #deliverLater(
    link: Link,
    delayUs: number,
    from: number,
    to: number,
    addressed: Endpoint<M> | undefined,
    payload: Uint8Array | readonly M[],
  ): void {
    const deliver = (): void => {
      const endpoint = this.#endpoints.get(to);
      if (!endpoint?.process.alive) return;
      if (endpoint !== addressed && !this.faults.survivesRestart) return;
      // As a paused process's own event it waits in its socket, and a crash drops it.
      const { process } = endpoint;
      if (process.pausedUntilUs > this.#world.timeUs)
        this.#world.after(0, () => this.#receive(endpoint, from, payload), process);
      else this.#receive(endpoint, from, payload);
    };
    this.#world.after(delayUs, () => {
      if (link.cut) return;
      if (!link.clogged) return deliver();
      if (link.held.length < heldBatchesMax) link.held.push(deliver);
    });
  }

  #receive(endpoint: Endpoint<M>, from: number, payload: Uint8Array | readonly M[]): void {
    endpoint.receive?.(from, this.#open(payload));
  }

  #open(payload: Uint8Array | readonly M[]): readonly M[] {
    return payload instanceof Uint8Array && this.#codec ? this.#codec.decode(payload) : (payload as readonly M[]);
  }

  #tell(endpoint: Endpoint<M>, peer: number, connected: boolean): void {
    if (!this.faults.hints) return;
    const delayUs = this.#world.random.int(this.faults.delayUsMax + 1);
    this.#world.after(delayUs, () => endpoint.peer?.(peer, connected), endpoint.process);
  }

  #link(from: number, to: number): Link {
    const key = from * 1024 + to;
    let link = this.#links.get(key);
    if (!link) this.#links.set(key, (link = { cut: false, clogged: false, held: [], lastArrivalUs: 0 }));
    return link;
  }
}
