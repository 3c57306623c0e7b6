import type { ConfChange } from "../../../raft/core/configuration.js";
import { defaultRaftConfig, type RaftConfig } from "../../../raft/core/config.js";
import { leaveJointChange } from "../../../raft/core/configuration.js";
import { MemoryStorage } from "../../../raft/core/memory-storage.js";
import { draft, type Draft } from "../../../raft/core/message.js";
import { Raft } from "../../../raft/core/raft.js";
import type {
  ConfState,
  Entry,
  HardState,
  Index,
  Message,
  MessageType,
  NodeId,
  ReadState,
  Ready,
  SnapshotMeta,
  Term,
} from "../../../raft/core/types.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function bytes(text: string): Uint8Array {
  return encoder.encode(text);
}

export function text(entry: Entry): string {
  return decoder.decode(entry.data);
}

export function voters(...ids: NodeId[]): ConfState {
  return { voters: ids, outgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

export function entry(term: Term, index: Index, data = ""): Entry {
  return { term, index, type: "Normal", data: bytes(data) };
}

/** A log whose entry i has the i-th of these terms. */
export function logOf(...terms: Term[]): Entry[] {
  return terms.map((term, place) => entry(term, place + 1));
}

/** A message with the fields given, the others empty. */
export function message(type: MessageType, from: NodeId, to: NodeId, term: Term, fields: Partial<Draft> = {}): Message {
  return Object.assign(draft(type, from, to, term), fields);
}

export interface MemberOptions {
  readonly configuration?: ConfState;
  readonly config?: Partial<RaftConfig>;
  readonly log?: readonly Entry[];
  readonly hardState?: Partial<HardState>;
  readonly recoverTo?: Index;
  /** What the core draws: always this, below the bound. 0 makes every timeout the base one. */
  readonly chance?: (bound: number) => number;
}

/**
 * One core with an ideal disk and a state machine that remembers. `turn` does everything a driver does at once; tests of
 * durability take Readies themselves and complete them with `complete`.
 */
export class Member {
  readonly id: NodeId;
  readonly raft: Raft;
  readonly storage = new MemoryStorage();
  readonly applied: Entry[] = [];
  /** Where the state of a snapshot comes from: everything applied up to its index. */
  fetchState: (index: Index) => readonly Entry[] = () => [];
  /** The configuration as of each index at which it changed. */
  readonly configurations: { readonly index: Index; readonly configuration: ConfState }[];
  readonly reads: ReadState[] = [];
  hardState: HardState;

  constructor(id: NodeId, options: MemberOptions = {}) {
    this.id = id;
    const log = options.log ?? [];
    this.storage.append(log);
    this.hardState = { term: log.at(-1)?.term ?? 0, vote: 0, commit: 0, ...options.hardState };
    const configuration = options.configuration ?? voters(1, 2, 3);
    this.configurations = [{ index: 0, configuration }];
    this.raft = new Raft(
      { ...defaultRaftConfig, ...options.config, id },
      { hardState: this.hardState, configuration, applied: 0, recoverTo: options.recoverTo ?? 0 },
      this.storage,
      options.chance ?? ((): number => 0),
    );
  }

  get status(): ReturnType<Raft["status"]> {
    return this.raft.status();
  }

  get log(): Entry[] {
    return [...this.storage.entries(this.storage.firstIndex(), this.storage.lastIndex() + 1, Infinity)];
  }

  get data(): string[] {
    return this.applied.filter((entry) => entry.type === "Normal" && entry.data.length > 0).map(text);
  }

  tick(count = 1): void {
    for (let tick = 0; tick < count; tick++) this.raft.tick();
  }

  /** Makes a Ready durable and applies what it commits; returns the messages that may leave because of it. */
  complete(ready: Ready): readonly Message[] {
    if (ready.hardState !== undefined) this.hardState = ready.hardState;
    if (ready.snapshot !== undefined) this.storage.reset(ready.snapshot);
    this.storage.append(ready.entries);
    this.raft.persisted(ready.number);
    if (ready.snapshot !== undefined) this.#install(ready.snapshot);
    this.apply(ready.committedEntries);
    return ready.messagesAfterPersist;
  }

  apply(entries: readonly Entry[]): void {
    for (const committed of entries) {
      if (committed.type === "ConfChange") {
        const configuration = this.raft.applyConfChange(decodeChange(committed.data));
        this.configurations.push({ index: committed.index, configuration });
      }
      this.applied.push(committed);
    }
    const last = entries.at(-1);
    if (last !== undefined) this.raft.applied(last.index);
  }

  #install(snapshot: SnapshotMeta): void {
    this.applied.splice(0, this.applied.length, ...this.fetchState(snapshot.index));
    this.configurations.splice(0, this.configurations.length, snapshot);
    this.raft.applied(snapshot.index);
  }

  /** What a snapshot made now, or of an earlier index, stands for. */
  snapshot(index = this.status.applied): SnapshotMeta {
    const configuration = this.configurations.findLast((known) => known.index <= index)?.configuration;
    const term = this.storage.term(index);
    if (configuration === undefined || term === undefined) throw new Error(`no snapshot of ${index} can be made`);
    return { index, term, configuration };
  }

  /** Cuts the log behind `index`, with a snapshot of what was applied by now to offer. */
  compact(index = this.status.applied): void {
    this.storage.offerSnapshot(this.snapshot());
    this.storage.compact(index);
  }

  /** Readies until there is none, each durable and applied at once; returns all messages. */
  turn(): Message[] {
    const messages: Message[] = [];
    while (this.raft.hasReady()) {
      const ready = this.raft.ready();
      messages.push(...ready.messages);
      messages.push(...this.complete(ready));
      this.reads.push(...ready.readStates);
    }
    return messages;
  }

  /** Steps a message in and returns what comes of it. */
  step(type: MessageType, from: NodeId, term: Term, fields: Partial<Draft> = {}): Message[] {
    this.raft.step(message(type, from, this.id, term, fields));
    return this.turn();
  }

  proposeChange(change: ConfChange): ReturnType<Raft["proposeConfChange"]> {
    return this.raft.proposeConfChange(change, encodeChange(change));
  }
}

export function encodeChange(change: ConfChange): Uint8Array {
  if (change.steps.length === 0 && change.transition === "Auto") return new Uint8Array(0);
  return bytes(JSON.stringify(change));
}

function decodeChange(data: Uint8Array): ConfChange {
  return data.length === 0 ? leaveJointChange : (JSON.parse(decoder.decode(data)) as ConfChange);
}

/** Members with a network that delivers at once, in order, unless a filter says no. */
export class Group {
  readonly members = new Map<NodeId, Member>();
  /** False drops the message. */
  filter: (message: Message) => boolean = () => true;

  constructor(ids: readonly NodeId[], options: MemberOptions | ((id: NodeId) => MemberOptions) = {}) {
    for (const id of ids) {
      const own = typeof options === "function" ? options(id) : options;
      const member = new Member(id, { configuration: voters(...ids), ...own });
      member.fetchState = (index) => this.#state(index);
      this.members.set(id, member);
    }
  }

  member(id: NodeId): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no member ${id}`);
    return member;
  }

  get leader(): Member {
    let leader: Member | undefined;
    for (const member of this.members.values()) {
      const { role, term } = member.status;
      if (role === "Leader" && term > (leader?.status.term ?? 0)) leader = member;
    }
    if (leader === undefined) throw new Error("no leader");
    return leader;
  }

  get roles(): string[] {
    return [...this.members.values()].map((member) => member.status.role);
  }

  /** Delivers until nothing moves. */
  settle(): void {
    let messages = this.#turnAll();
    for (let rounds = 0; messages.length > 0; rounds++) {
      if (rounds > 1000) throw new Error("the group does not settle");
      for (const message of messages) if (this.filter(message)) this.members.get(message.to)?.raft.step(message);
      messages = this.#turnAll();
    }
  }

  tick(count = 1): void {
    for (let tick = 0; tick < count; tick++) {
      for (const member of this.members.values()) member.raft.tick();
      this.settle();
    }
  }

  elect(id: NodeId): Member {
    this.member(id).raft.campaign();
    this.settle();
    return this.member(id);
  }

  propose(id: NodeId, ...data: string[]): ReturnType<Raft["propose"]> {
    const result = this.member(id).raft.propose(data.map(bytes));
    this.settle();
    return result;
  }

  /** Nothing passes between a node of `side` and any other. */
  isolate(...side: NodeId[]): void {
    this.filter = ({ from, to }) => side.includes(from) === side.includes(to);
  }

  heal(): void {
    this.filter = () => true;
  }

  #state(index: Index): readonly Entry[] {
    const member = [...this.members.values()].find(({ status }) => status.applied >= index);
    return member?.applied.filter((entry) => entry.index <= index) ?? [];
  }

  #turnAll(): Message[] {
    return [...this.members.values()].flatMap((member) => member.turn());
  }
}
