import type { Index } from "../raft/core/types.js";
import { limits } from "../src/base/limits.js";
import type { AnswersRow } from "./codec.js";
import { type Digest, DigestSum, Hasher } from "./digest.js";
import type { TxnResult } from "./store.js";

export interface RequestBounds {
  readonly clientsMax: number;
  readonly answersMax: number;
}

interface Client {
  /** By sequence; kept sorted ascending on disk, in any order here. */
  readonly answers: Map<number, readonly TxnResult[]>;
  lastUsed: Index;
  forgotten: number;
  digest: Digest;
}

/**
 * Which requests were applied and what they were answered, so that a repeated proposal is applied once (thesis 6.3). Part
 * of the replicated state: it changes only in apply, by the log alone, and is the same on every replica.
 *
 * Bounded twice. Of one client the answers with the highest sequences are kept; a repeat of an older one is refused,
 * never applied again. Of all clients those with the latest requests are kept; the repeat of a client that was
 * dropped is taken for new. With 4096 clients that means: 4096 others wrote between a request and its repeat.
 */
export class RequestTable {
  readonly #bounds: RequestBounds;
  /** In order of last use, least recent first, because a used client is put in again. */
  readonly #clients = new Map<string, Client>();
  readonly #dirty = new Set<string>();
  readonly #digest = new DigestSum();

  constructor(
    bounds: RequestBounds = { clientsMax: limits.requestClientsMax, answersMax: limits.requestsPerClientMax },
  ) {
    this.#bounds = bounds;
  }

  /** "forgotten": it was applied or skipped so long ago that its answer is gone. */
  find(client: string, sequence: number): readonly TxnResult[] | "forgotten" | undefined {
    const known = this.#clients.get(client);
    if (!known) return undefined;
    return known.answers.get(sequence) ?? (sequence <= known.forgotten ? "forgotten" : undefined);
  }

  record(client: string, sequence: number, results: readonly TxnResult[], index: Index): void {
    const known = this.#clients.get(client) ?? { answers: new Map(), lastUsed: 0, forgotten: 0, digest: noDigest };
    known.answers.set(sequence, results);
    known.lastUsed = index;
    while (known.answers.size > this.#bounds.answersMax) {
      const lowest = Math.min(...known.answers.keys());
      known.answers.delete(lowest);
      known.forgotten = Math.max(known.forgotten, lowest);
    }
    this.#clients.delete(client);
    this.#clients.set(client, known);
    this.#rehash(client, known);
    this.#dirty.add(client);
    while (this.#clients.size > this.#bounds.clientsMax) this.#evictLeastRecent();
  }

  /** Rows changed since the last call: undefined for a row to delete. */
  takeChanges(): { client: string; row: AnswersRow | undefined }[] {
    const changes = [...this.#dirty].map((client) => ({ client, row: this.#row(client) }));
    this.#dirty.clear();
    return changes;
  }

  /** Takes over all rows found on disk, in any order. */
  load(rows: readonly { client: string; row: AnswersRow }[]): void {
    for (const { client, row } of [...rows].sort((a, b) => a.row.lastUsed - b.row.lastUsed)) {
      const known: Client = {
        answers: new Map(row.answers.map((answer) => [answer.sequence, answer.results])),
        lastUsed: row.lastUsed,
        forgotten: row.forgotten,
        digest: noDigest,
      };
      this.#clients.set(client, known);
      this.#rehash(client, known);
    }
  }

  digestText(): string {
    return this.#digest.text();
  }

  #evictLeastRecent(): void {
    for (const [client, known] of this.#clients) {
      this.#digest.remove(known.digest);
      this.#clients.delete(client);
      this.#dirty.add(client);
      return;
    }
  }

  #row(client: string): AnswersRow | undefined {
    const known = this.#clients.get(client);
    if (!known) return undefined;
    const answers = [...known.answers].map(([sequence, results]) => ({ sequence, results }));
    answers.sort((a, b) => a.sequence - b.sequence);
    return { answers, lastUsed: known.lastUsed, forgotten: known.forgotten };
  }

  #rehash(client: string, known: Client): void {
    this.#digest.remove(known.digest);
    const answers = new DigestSum();
    for (const [sequence, results] of known.answers) {
      const hasher = new Hasher().number(sequence);
      for (const result of results) hasher.word(result.succeeded ? 1 : 0).number(result.revision);
      answers.add(hasher.digest());
    }
    const whole = new Hasher().text(client).number(known.lastUsed).number(known.forgotten).text(answers.text());
    known.digest = whole.digest();
    this.#digest.add(known.digest);
  }
}

const noDigest: Digest = { high: 0, low: 0 };
