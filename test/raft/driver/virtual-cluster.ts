import assert from "node:assert/strict";
import type { Env, Network } from "../../../src/base/env.js";
import type { ConsensusHandlers, ConsensusStatus } from "../../../raft/consensus.js";
import type { ConfChange } from "../../../raft/core/configuration.js";
import type { ConfState, Entry, Message, NodeId } from "../../../raft/core/types.js";
import { Driver, type DriverOptions } from "../../../raft/driver.js";
import type { SnapshotMessage } from "../../../raft/snapshot/messages.js";
import { quietLog } from "../log/log-fixture.js";
import { MemoryDisk } from "../memory-disk.js";
import { installAtStart, installEntries, writeEntries } from "./virtual-state.js";

/** Virtual time: events in order of their time, then of their making. */
export class VirtualTime {
  nowMs = 0;
  #events: { readonly atMs: number; readonly run: () => void }[] = [];

  after(delayMs: number, run: () => void): { cancel(): void } {
    const event = { atMs: this.nowMs + delayMs, run };
    const place = this.#events.findLastIndex(({ atMs }) => atMs <= event.atMs);
    this.#events.splice(place + 1, 0, event);
    return { cancel: () => (this.#events = this.#events.filter((each) => each !== event)) };
  }

  /** Runs events until `until` holds; fails after `limitMs` of virtual time. */
  run(until: () => boolean, limitMs = 10_000): void {
    const endMs = this.nowMs + limitMs;
    while (!until()) {
      const event = this.#events.shift();
      assert(event && event.atMs <= endMs, `not reached within ${limitMs} ms: ${until.toString()}`);
      this.nowMs = Math.max(this.nowMs, event.atMs);
      event.run();
    }
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms;
    let over = false;
    this.after(ms, () => (over = true));
    this.run(() => over, ms);
    assert(this.nowMs >= endMs);
  }
}

export interface Member {
  readonly id: NodeId;
  readonly disk: MemoryDisk;
  driver: Driver | undefined;
  /** Counts starts; completions for earlier ones are dropped, as a dead process's are. */
  life: number;
  committed: Entry[];
  reads: { readonly tag: number; readonly index: number }[];
  refused: { readonly tag: number; readonly reason: string }[];
  readonly changed: Map<number, ConfState>;
  status: ConsensusStatus | undefined;
  fatal: Error[];
  failpoint: (name: string) => void;
  receive: (from: NodeId, messages: readonly Message[]) => void;
  peer: (peer: NodeId, connected: boolean) => void;
  receiveSnapshot: (from: NodeId, messages: readonly SnapshotMessage[]) => void;
  /** Snapshots that became this member's state, by their index. */
  installed: number[];
  /** It began with an empty log and waits to be added. */
  readonly joins: boolean;
  /** While true, its timers and completions wait: a paused process. */
  isPaused: boolean;
  held: (() => void)[];
  appliedIndex: number;
}

/** Some members in one virtual time: 1 ms per message, 1 ms per disk request, all under the test's control. */
export class VirtualCluster {
  readonly time = new VirtualTime();
  readonly members = new Map<NodeId, Member>();
  readonly ids: readonly NodeId[];
  /** Messages that this returns true for are lost. */
  loses: (message: Message) => boolean = () => false;
  observe: (message: Message) => void = () => undefined;
  /** The same for what goes on the way of snapshots. */
  losesSnapshot: (message: SnapshotMessage, from: NodeId, to: NodeId) => boolean = () => false;
  observeSnapshot: (message: SnapshotMessage, from: NodeId, to: NodeId) => void = () => undefined;
  /** Whether state machines flush what they have applied at once; otherwise they keep nothing over a restart but `appliedIndex`. */
  flushes = false;
  diskMs = 1;
  readonly #options: Partial<DriverOptions>;
  #seed = 1;

  constructor(size: number, options: Partial<DriverOptions> = {}) {
    this.#options = options;
    this.ids = Array.from({ length: size }, (_, at) => at + 1);
    for (const id of this.ids) this.members.set(id, newMember(id));
  }

  member(id: NodeId): Member {
    const member = this.members.get(id);
    assert(member);
    return member;
  }

  start(...ids: readonly NodeId[]): void {
    for (const id of ids.length > 0 ? ids : this.ids) this.#start(this.member(id));
  }

  /** A new machine with an empty disk, which has to be added to the members. */
  join(id: NodeId): Member {
    assert(!this.members.has(id));
    const member = newMember(id, true);
    this.members.set(id, member);
    this.#start(member);
    this.time.run(() => member.driver !== undefined);
    return member;
  }

  /** Changes the members at the leader, whoever that is by then, until the configuration is as wanted; a client that repeats itself. */
  change(change: ConfChange, isDone: (configuration: ConfState) => boolean, limitMs = 20_000): void {
    let tag = 0;
    let asked: Member | undefined;
    let askedAtMs = 0;
    this.time.run(() => {
      const leader = this.leader;
      const configuration = leader?.status?.configuration;
      if (!leader?.driver || !configuration) return false;
      if (isDone(configuration)) return true;
      const isOpen = asked === leader && !leader.refused.some((refusal) => refusal.tag === tag);
      if (isOpen || (asked && this.time.nowMs < askedAtMs + 20)) return false;
      askedAtMs = this.time.nowMs;
      asked = leader;
      tag = this.#seed++ + 1_000_000;
      leader.driver.changeMembers(tag, change);
      return false;
    }, limitMs);
  }

  /** kill -9: what was written stays, nothing runs any more; the others' connections break when `hint`. */
  kill(id: NodeId, hint: boolean): void {
    const member = this.member(id);
    member.life++;
    member.disk.drop();
    member.driver = undefined;
    member.status = undefined;
    // Requests that the system has taken are carried out, and nobody hears of it.
    member.disk.run();
    if (hint) for (const other of this.members.values()) if (other !== member && other.driver) other.peer(id, false);
  }

  get leader(): Member | undefined {
    const leaders = [...this.members.values()].filter(({ status }) => status?.role === "Leader");
    return leaders.sort((left, right) => (right.status?.term ?? 0) - (left.status?.term ?? 0))[0];
  }

  /** Waits until one member leads and every running one follows it. */
  elect(limitMs = 5000): Member {
    this.time.run(() => {
      const leader = this.leader;
      const running = [...this.members.values()].filter(({ driver }) => driver !== undefined);
      return leader !== undefined && running.every(({ status }) => status?.leader === leader.id);
    }, limitMs);
    assert(this.leader);
    return this.leader;
  }

  /** Proposes at a member and waits until `at` has committed it. */
  commit(from: Member, text: string, at: readonly Member[] = [from]): void {
    from.driver?.propose(1, new TextEncoder().encode(text));
    this.time.run(() => at.every((member) => texts(member).includes(text)));
  }

  pause(id: NodeId): void {
    this.member(id).isPaused = true;
  }

  resume(id: NodeId): void {
    const member = this.member(id);
    member.isPaused = false;
    for (const run of member.held.splice(0)) run();
  }

  #start(member: Member): void {
    const life = ++member.life;
    const env = this.#env(member, life);
    const alive = (run: () => void) => (): void => {
      if (member.life === life) run();
    };
    member.committed = member.committed.slice(0, member.appliedIndex);
    const { disk } = member.disk;
    const handlers: ConsensusHandlers = {
      onCommitted: (entries) => {
        for (const entry of entries) {
          assert.equal(entry.index, (member.committed.at(-1)?.index ?? 0) + 1, "committed entries have no gaps");
          member.committed.push(entry);
        }
        const last = entries.at(-1)?.index ?? 0;
        this.time.after(
          1,
          alive(() => {
            if (this.flushes) member.appliedIndex = Math.max(member.appliedIndex, last);
            member.driver?.applied(last, this.flushes ? last : 0);
          }),
        );
      },
      onSnapshotWanted: (request) =>
        writeEntries(disk, request, member.committed, (written) =>
          alive(() => member.driver?.snapshotTaken(written))(),
        ),
      onSnapshot: (snapshot) =>
        installEntries(disk, snapshot, (entries) =>
          alive(() => {
            member.installed.push(snapshot.index);
            member.committed = entries;
            member.appliedIndex = snapshot.index;
            member.driver?.applied(snapshot.index, snapshot.index);
          })(),
        ),
      onReadIndex: (tag, index) => void member.reads.push({ tag, index }),
      onRefused: (tag, reason) => void member.refused.push({ tag, reason }),
      onMembersChanged: (tag, configuration) => void member.changed.set(tag, configuration),
      onStatus: (status) => (member.status = status),
      onFatal: (error) => void member.fatal.push(error),
    };
    const options: Omit<DriverOptions, "appliedIndex"> = {
      id: member.id,
      clusterId: "virtual",
      initialMembers: member.joins ? [] : this.ids,
      snapshotChannel: this.#snapshotNetwork(member),
      segmentBytes: 1 << 16,
      growBytes: 1 << 14,
      reserveBytes: 0,
      ...this.#options,
    };
    member.disk.onRequest = () => this.#at(member, life, this.diskMs, () => void member.disk.step());
    installAtStart(disk, member, (point) => {
      const { appliedIndex } = member;
      const network = this.#network(member);
      Driver.open({ ...options, appliedIndex, snapshot: point }, env, network, handlers, (error, driver) => {
        if (error) member.fatal.push(error);
        else member.driver = driver;
      });
    });
  }

  #env(member: Member, life: number): Env {
    let state = (this.#seed++ * 2654435761) >>> 0;
    const next = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    return {
      clock: { now: () => this.time.nowMs, monotonic: () => this.time.nowMs },
      timers: { after: (delayMs, run) => this.#at(member, life, delayMs, run) },
      random: { next, int: (bound) => Math.floor(next() * bound), bytes: (length) => new Uint8Array(length) },
      disk: member.disk.disk,
      log: quietLog,
      failpoint: (name) => member.failpoint(name),
    };
  }

  #at(member: Member, life: number, delayMs: number, run: () => void): { cancel(): void } {
    let isCancelled = false;
    const guarded = (): void => {
      if (isCancelled || member.life !== life) return;
      if (member.isPaused) member.held.push(guarded);
      else run();
    };
    const event = this.time.after(delayMs, guarded);
    return {
      cancel: () => {
        isCancelled = true;
        event.cancel();
      },
    };
  }

  #snapshotNetwork(member: Member): Network<SnapshotMessage> {
    return {
      send: (to, messages) => {
        const target = this.member(to);
        for (const message of messages) this.observeSnapshot(message, member.id, to);
        const arriving = messages.filter((message) => !this.losesSnapshot(message, member.id, to));
        this.#at(target, target.life, 1, () => {
          if (target.driver && arriving.length > 0) target.receiveSnapshot(member.id, arriving);
        });
      },
      onReceive: (receive) => (member.receiveSnapshot = receive),
      onPeer: () => undefined,
    };
  }

  #network(member: Member): Network<Message> {
    return {
      send: (to, messages) => {
        const target = this.member(to);
        for (const message of messages) this.observe(message);
        const arriving = messages.filter((message) => !this.loses(message));
        const { life } = target;
        this.#at(target, life, 1, () => {
          if (target.driver) target.receive(member.id, arriving);
        });
      },
      onReceive: (receive) => (member.receive = receive),
      onPeer: (changed) => (member.peer = changed),
    };
  }
}

export function texts(member: Member): string[] {
  const written = member.committed.filter(({ type, data }) => type === "Normal" && data.length > 0);
  return written.map(({ data }) => new TextDecoder().decode(data));
}

function newMember(id: NodeId, joins = false): Member {
  return {
    id,
    joins,
    disk: new MemoryDisk(),
    driver: undefined,
    life: 0,
    committed: [],
    reads: [],
    refused: [],
    changed: new Map(),
    status: undefined,
    fatal: [],
    failpoint: () => undefined,
    receive: () => undefined,
    peer: () => undefined,
    receiveSnapshot: () => undefined,
    installed: [],
    isPaused: false,
    held: [],
    appliedIndex: 0,
  };
}
