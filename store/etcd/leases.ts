import { type Digest, DigestSum, Hasher } from "../digest.js";
import type { KeyRecord } from "../store.js";

interface Lease {
  readonly ttlSeconds: number;
  readonly keys: Set<string>;
  readonly digest: Digest;
}

/**
 * Which leases there are and which keys hang on them: part of the replicated state. When one runs out is not: the leader measures that
 * (lessor.ts) and revokes it through the log.
 */
export class Leases {
  readonly #leases = new Map<number, Lease>();
  readonly #digest = new DigestSum();
  readonly #dirty = new Set<number>();

  get size(): number {
    return this.#leases.size;
  }

  has(id: number): boolean {
    return this.#leases.has(id);
  }

  /** Ascending. */
  ids(): readonly number[] {
    return [...this.#leases.keys()].sort((left, right) => left - right);
  }

  ttlSeconds(id: number): number | undefined {
    return this.#leases.get(id)?.ttlSeconds;
  }

  /** Ascending. */
  keys(id: number): readonly string[] {
    return [...(this.#leases.get(id)?.keys ?? [])].sort();
  }

  grant(id: number, ttlSeconds: number): void {
    this.restore(id, ttlSeconds);
    this.#dirty.add(id);
  }

  /** Its keys are to be removed before. */
  remove(id: number): void {
    const lease = this.#leases.get(id);
    if (!lease) return;
    this.#digest.remove(lease.digest);
    this.#leases.delete(id);
    this.#dirty.add(id);
  }

  /** A key's record has changed. */
  moved(key: string, before: KeyRecord | undefined, after: KeyRecord | undefined): void {
    if (before?.lease !== undefined) this.#leases.get(before.lease)?.keys.delete(key);
    if (after?.lease !== undefined) this.#leases.get(after.lease)?.keys.add(key);
  }

  /** Leases whose rows have changed since the last call; without a time to live, those that are gone. */
  takeChanges(): { readonly id: number; readonly ttlSeconds: number | undefined }[] {
    const changes = [...this.#dirty].map((id) => ({ id, ttlSeconds: this.ttlSeconds(id) }));
    this.#dirty.clear();
    return changes;
  }

  /** For load.ts: one that is on disk. */
  restore(id: number, ttlSeconds: number): void {
    const digest = new Hasher().number(id).number(ttlSeconds).digest();
    this.#leases.set(id, { ttlSeconds, keys: new Set(), digest });
    this.#digest.add(digest);
  }

  digestText(): string {
    return this.#digest.text();
  }
}
