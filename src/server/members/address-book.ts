import { IkadaError } from "../../base/errors.js";
import type { Log } from "../../base/env.js";
import type { Store, WaitOptions } from "../../../store/store.js";
import type { MemberAddresses } from "../replica-status.js";
import { decodeEntry, encodeEntry, entryKey, membersPrefix, type BookEntry } from "./book-entry.js";

/**
 * Who the servers are and where they are reached: keys of the store, so the same on every replica, before which the
 * configuration file counts for servers that have no entry. Who votes is not here but in the Raft log. Entries of removed
 * servers stay, since an id is never used again.
 */
export class AddressBook {
  readonly #store: Store;
  readonly #configured: readonly MemberAddresses[];
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  #watch: { close(): void } | undefined;
  #entries = new Map<number, BookEntry>();
  #isClosed = false;

  constructor(store: Store, configured: readonly MemberAddresses[], log: Log) {
    this.#store = store;
    this.#configured = configured;
    this.#log = log;
    this.#open();
  }

  /** In order of their ids; removed ones are not among them. */
  get members(): readonly MemberAddresses[] {
    const unwritten = this.#configured.filter(({ id }) => !this.#entries.has(id));
    const written = [...this.#entries.values()].filter(({ removed }) => !removed);
    return [...unwritten, ...written].sort((left, right) => left.id - right.id);
  }

  get removed(): readonly MemberAddresses[] {
    return [...this.#entries.values()].filter(({ removed }) => removed);
  }

  member(id: number): MemberAddresses | undefined {
    const entry = this.#entries.get(id);
    if (entry) return entry.removed ? undefined : entry;
    return this.#configured.find((member) => member.id === id);
  }

  /** Undefined when only the configuration knows this server, or nobody does. */
  written(id: number): BookEntry | undefined {
    return this.#entries.get(id);
  }

  isRemoved(id: number): boolean {
    return this.#entries.get(id)?.removed ?? false;
  }

  /** After every change. */
  onChange(run: () => void): { close(): void } {
    this.#listeners.add(run);
    return { close: () => this.#listeners.delete(run) };
  }

  /** Writes down those that only the configuration knows: before the first change, so that a new server learns of all. */
  async writeConfigured(wait: WaitOptions): Promise<void> {
    for (const member of this.#configured) {
      if (!this.#entries.has(member.id)) await this.put(member, wait);
    }
  }

  /** @throws IkadaError Conflict when the entry was changed meanwhile */
  async put(member: MemberAddresses, wait: WaitOptions, removed = false): Promise<void> {
    const key = entryKey(member.id);
    const before = this.#store.peek(key);
    const value = encodeEntry({ ...member, removed });
    const [result] = await this.#store.write(
      {
        txns: [
          {
            compares: [{ key, target: "modRevision", operator: "=", operand: before?.modRevision ?? 0 }],
            success: [{ type: "put", key, value, revisionAt: -1 }],
            failure: [],
          },
        ],
        origin: "members",
      },
      wait,
    );
    if (!result?.succeeded)
      throw new IkadaError("Conflict", `the entry of server ${member.id} was changed meanwhile`, {
        hint: "look at 'ikada cluster members' and repeat",
      });
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
    this.#listeners.clear();
  }

  #open(): void {
    const from = this.#store.revision();
    this.#entries = new Map();
    for (const { key, value } of this.#store.peekPrefix(membersPrefix)) this.#take(key, value);
    this.#watch = this.#store.watch(membersPrefix, from, {
      onBatch: ({ events }) => {
        if (events.length === 0) return;
        for (const { key, record } of events) this.#take(key, record.value);
        this.#tell();
      },
      onReplaced: () => {
        if (this.#isClosed) return;
        this.#open();
        this.#tell();
      },
      onError: (error) => {
        this.#log.warn("the watch of the members ended", { error: error.message });
        if (this.#isClosed || IkadaError.from(error).reason === "Unavailable") return;
        this.#open();
        this.#tell();
      },
    });
  }

  #take(key: string, value: Uint8Array): void {
    const entry = decodeEntry(value);
    if (entry) this.#entries.set(entry.id, entry);
    else this.#log.error("an entry of the members can't be read", { key });
  }

  #tell(): void {
    for (const run of this.#listeners) run();
  }
}
