import type { SeededRandom } from "../random.js";
import type { Process, World } from "../world.js";
import type { ClusterPart } from "./cluster-swarm.js";

/** One end of a connection. */
export interface ConnectionEnd {
  /** Sends one message to the other end; false: the way is full, `onDrain` follows. */
  send(bytes: Uint8Array): boolean;
  readonly isFull: boolean;
  /** Ends the connection from this side. Idempotent. */
  close(): void;
  onMessage: (bytes: Uint8Array) => void;
  /** The other side has ended it, or it broke. */
  onClose: () => void;
  onDrain: () => void;
}

interface Way {
  cut: boolean;
  /** What waits for the way to work again, in order: as on a stream, nothing is lost while it stands. */
  held: (() => void)[];
}

/** Streams between nodes and servers: in order, delayed, cut in one direction or both, broken with or without notice. */
export class Connections {
  readonly #world: World;
  readonly #random: SeededRandom;
  readonly #swarm: ClusterPart;
  readonly #ways = new Map<number, Way>();
  readonly #open = new Set<Connection>();

  constructor(world: World, random: SeededRandom, swarm: ClusterPart) {
    this.#world = world;
    this.#random = random;
    this.#swarm = swarm;
  }

  /** Dials from one process to another. `accept` gets the other end, if it is there. */
  dial(from: Process, to: Process, accept: (end: ConnectionEnd) => void): ConnectionEnd {
    const connection = new Connection(this, from, to);
    this.#open.add(connection);
    this.carry(from, to, 0, () => {
      if (connection.closed) return;
      if (!to.alive) connection.refuse();
      else connection.accept(accept);
    });
    return connection.near;
  }

  /** Ends every connection of a process that has ended. The others are told as its sockets close, unless the machine is gone. */
  lose(process: Process, machineIsGone: boolean): void {
    for (const connection of this.#open)
      if (connection.near.process === process || connection.far.process === process)
        connection.lose(process, this.#swarm.hints && !machineIsGone);
  }

  setCut(from: number, to: number, cut: boolean): void {
    const way = this.#way(from, to);
    way.cut = cut;
    if (cut) return;
    for (const deliver of way.held.splice(0)) deliver();
  }

  heal(): void {
    for (const key of this.#ways.keys()) this.setCut(Math.floor(key / 1024), key % 1024, false);
  }

  forget(connection: Connection): void {
    this.#open.delete(connection);
  }

  get windowMessages(): number {
    return this.#swarm.windowMessages;
  }

  /** Runs `arrive` at `to`'s end of the way, not before `notBeforeUs`; gives when, as far as it is known. */
  carry(from: Process, to: Process, notBeforeUs: number, arrive: () => void): number {
    const way = this.#way(from.id, to.id);
    const delayUs = this.#random.between(20, this.#swarm.delayUsMax);
    const atUs = Math.max(this.#world.timeUs + delayUs, notBeforeUs);
    const deliver = (): void => {
      if (way.cut) way.held.push(deliver);
      else arrive();
    };
    this.#world.after(atUs - this.#world.timeUs, deliver);
    return atUs;
  }

  /** As an event of the process: a paused one hears it later, a dead one never. */
  tell(process: Process, run: () => void): void {
    this.#world.trace.mix(process.id);
    this.#world.after(0, run, process);
  }

  #way(from: number, to: number): Way {
    const key = from * 1024 + to;
    let way = this.#ways.get(key);
    if (!way) this.#ways.set(key, (way = { cut: false, held: [] }));
    return way;
  }
}

class Connection {
  readonly near: End;
  readonly far: End;
  readonly #connections: Connections;
  closed = false;

  constructor(connections: Connections, from: Process, to: Process) {
    this.#connections = connections;
    this.near = new End(connections, this, from);
    this.far = new End(connections, this, to);
    this.near.other = this.far;
    this.far.other = this.near;
  }

  accept(accept: (end: ConnectionEnd) => void): void {
    this.far.isOpen = true;
    this.#connections.tell(this.far.process, () => {
      if (this.far.isOpen) accept(this.far);
      this.far.begin();
    });
  }

  refuse(): void {
    this.closed = true;
    this.#connections.forget(this);
    this.#connections.carry(this.far.process, this.near.process, 0, () => this.near.hangUp());
  }

  /** One side ends it: the other one hears that after all that was sent before. */
  close(end: End): void {
    if (this.closed) return;
    this.closed = true;
    this.#connections.forget(this);
    end.isOpen = false;
    end.flushThen(() => end.other.hangUp());
  }

  lose(process: Process, isTold: boolean): void {
    const end = this.near.process === process ? this.near : this.far;
    end.isOpen = false;
    if (isTold) this.close(end);
    this.closed = true;
    this.#connections.forget(this);
  }
}

class End implements ConnectionEnd {
  readonly process: Process;
  other!: End;
  isOpen = true;
  onMessage: (bytes: Uint8Array) => void = () => undefined;
  onClose: () => void = () => undefined;
  onDrain: () => void = () => undefined;
  readonly #connections: Connections;
  readonly #connection: Connection;
  /** Messages before the other process has taken the connection. */
  #early: (() => void)[] | undefined = [];
  #lastArrivalUs = 0;
  #underWay = 0;
  #wasFull = false;

  constructor(connections: Connections, connection: Connection, process: Process) {
    this.#connections = connections;
    this.#connection = connection;
    this.process = process;
  }

  get isFull(): boolean {
    return this.#underWay >= this.#connections.windowMessages;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.isOpen) return true;
    this.#underWay++;
    this.#lastArrivalUs = this.#connections.carry(this.process, this.other.process, this.#lastArrivalUs + 1, () => {
      this.#arrived();
      this.other.take(bytes);
    });
    this.#wasFull ||= this.isFull;
    return !this.isFull;
  }

  close(): void {
    this.#connection.close(this);
  }

  /** The process has the connection: what came before is given to it. */
  begin(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const take of early) take();
  }

  take(bytes: Uint8Array): void {
    const give = (): void => {
      if (this.isOpen) this.onMessage(bytes);
    };
    if (this === this.#connection.far && this.#early) this.#early.push(give);
    else this.#connections.tell(this.process, give);
  }

  /** After what came before. */
  hangUp(): void {
    this.#connections.tell(this.process, () => {
      if (!this.isOpen) return;
      this.isOpen = false;
      this.onClose();
    });
  }

  flushThen(run: () => void): void {
    this.#connections.carry(this.process, this.other.process, this.#lastArrivalUs + 1, run);
  }

  #arrived(): void {
    this.#underWay--;
    if (!this.#wasFull || this.isFull) return;
    this.#wasFull = false;
    this.#connections.tell(this.process, () => {
      if (this.isOpen) this.onDrain();
    });
  }
}
