import { isLeaseRevoked } from "../api/kinds/fencing-lease.js";
import type { Pod } from "../api/kinds/pod.js";
import type { AnyObject } from "../api/object.js";
import { groupKindOfObject } from "../api/registry.js";
import type { Clock } from "../base/env.js";
import type { ObjectCache } from "../objects/cache.js";

/**
 * Since when this replica knows that a Pod's fencing lease is renewed no more, by its own monotonic clock. Every replica watches, also while it
 * follows, so a new leader goes on where the old one was killed; one that has just started begins to count then. No clock of another machine
 * counts: the time in the condition is for people.
 *
 * Why that is enough: the condition is never taken back, and a server renews only what it has read, after the agent asked, from a state that a
 * quorum confirmed. A renewal that was granted was therefore asked for before the condition was committed, thus before any replica saw it.
 */
export class RevokedLeases {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #seenAt = new Map<string, number>();
  readonly #changes: { close(): void };

  constructor(objects: Pick<ObjectCache, "snapshot" | "onChanges">, clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
    for (const pod of objects.snapshot().list<Pod>("/Pod")) this.#see(pod);
    this.#changes = objects.onChanges((changes) => {
      for (const { before, after } of changes) {
        if (isPod(after)) this.#see(after as unknown as Pod);
        else if (isPod(before)) this.#seenAt.delete(before?.metadata.uid ?? "");
      }
    });
  }

  /** Milliseconds; undefined: not revoked, or not seen yet. */
  revokedForMs(podUid: string): number | undefined {
    const seenAt = this.#seenAt.get(podUid);
    return seenAt === undefined ? undefined : this.#clock.monotonic() - seenAt;
  }

  close(): void {
    this.#changes.close();
  }

  #see(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    if (!isLeaseRevoked(pod)) this.#seenAt.delete(uid);
    else if (!this.#seenAt.has(uid)) this.#seenAt.set(uid, this.#clock.monotonic());
  }
}

function isPod(object: AnyObject | undefined): boolean {
  return object !== undefined && groupKindOfObject(object) === "/Pod";
}
