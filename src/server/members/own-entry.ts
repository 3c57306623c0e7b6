import { IkadaError } from "../../base/errors.js";
import type { Log } from "../../base/env.js";
import type { MemberAddresses } from "../replica-status.js";
import type { AddressBook } from "./address-book.js";
import { isSameEntry } from "./book-entry.js";

const attemptMs = 5_000;
const pauseMs = 1_000;

/**
 * A server that was moved tells the others: the address book's entry about it follows its configuration. It is reached meanwhile, since the
 * others dial where its greeting says that it is. Without an entry everybody's configuration counts, and nothing is written.
 */
export class OwnEntry {
  readonly #book: AddressBook;
  readonly #own: MemberAddresses;
  readonly #log: Log;
  #isClosed = false;
  #pause: NodeJS.Timeout | undefined;

  constructor(book: AddressBook, own: MemberAddresses, log: Log) {
    this.#book = book;
    this.#own = own;
    this.#log = log;
    void this.#write();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#pause);
  }

  async #write(): Promise<void> {
    const { id } = this.#own;
    const entry = this.#book.written(id);
    if (this.#isClosed || !entry || entry.removed || isSameEntry(entry, this.#own)) return;
    try {
      await this.#book.put(this.#own, { deadlineMs: attemptMs });
      this.#log.info("this server has moved; the address book knows", { api: this.#own.api, raft: this.#own.raft });
    } catch (caught) {
      if (this.#isClosed) return;
      this.#log.warn("the address book does not know yet that this server has moved", {
        error: IkadaError.from(caught).message,
      });
      this.#pause = setTimeout(() => void this.#write(), pauseMs);
    }
  }
}
