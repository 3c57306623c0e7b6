import { InvariantError } from "../base/errors.js";
import { groupKindOfObject } from "../api/registry.js";
import type { AnyObject } from "../api/object.js";
import { keyOfObject, storeKey } from "./keys.js";
import { SortedBucket, BucketMap } from "./sorted-bucket.js";
import type { GroupKind, Snapshot } from "./snapshot.js";

/** One object that changed: `before` undefined when it was created, `after` when it is gone. */
export interface ObjectChange {
  readonly before: AnyObject | undefined;
  readonly after: AnyObject | undefined;
}

/**
 * Objects in memory with the indexes that decisions need. Mutable; reads go through snapshots, which refuse to be
 * read after the next change, so that no decision mixes two states.
 */
export class ObjectIndex {
  #revision = 0;
  /** Counts changes; a snapshot is good while it stands. */
  #state = 0;
  readonly #byKey = new Map<string, AnyObject>();
  readonly #byUid = new Map<string, AnyObject>();
  readonly #byKind = new BucketMap();
  readonly #byNamespace = new BucketMap();
  readonly #byOwner = new BucketMap();
  readonly #byNode = new BucketMap();
  #snapshot: Snapshot | undefined;

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): AnyObject | undefined {
    return this.#byKey.get(key);
  }

  keys(): Iterable<string> {
    return this.#byKey.keys();
  }

  /** Puts deep-frozen objects in and takes keys out (`undefined`), then stands at `revision`. Gives what changed. */
  apply(revision: number, entries: Iterable<readonly [key: string, object: AnyObject | undefined]>): ObjectChange[] {
    const changes: ObjectChange[] = [];
    for (const [key, after] of entries) {
      const before = this.#byKey.get(key);
      if (before === undefined && after === undefined) continue;
      if (before !== undefined) this.#drop(key, before, after);
      if (after !== undefined) this.#put(key, after);
      changes.push({ before, after });
    }
    if (changes.length > 0) this.#state += 1;
    if (changes.length > 0 || revision !== this.#revision) this.#snapshot = undefined;
    this.#revision = revision;
    return changes;
  }

  /** The present state; free of cost when nothing changed since the last call. */
  snapshot(): Snapshot {
    this.#snapshot ??= this.#view();
    return this.#snapshot;
  }

  #put(key: string, object: AnyObject): void {
    const groupKind = groupKindOfObject(object);
    const { namespace = "", uid, ownerReferences = [] } = object.metadata;
    this.#byKey.set(key, object);
    if (uid !== undefined) this.#byUid.set(uid, object);
    this.#byKind.put(groupKind, key, object);
    this.#byNamespace.put(`${groupKind}/${namespace}`, key, object);
    for (const owner of ownerReferences) this.#byOwner.put(owner.uid, key, object);
    const node = nodeOf(groupKind, object);
    if (node !== undefined) this.#byNode.put(node, key, object);
  }

  /** Takes `before` out of the indexes that `after` will not overwrite. */
  #drop(key: string, before: AnyObject, after: AnyObject | undefined): void {
    const groupKind = groupKindOfObject(before);
    const { namespace = "", uid, ownerReferences = [] } = before.metadata;
    const owners = new Set(after?.metadata.ownerReferences?.map((owner) => owner.uid));
    for (const owner of ownerReferences) if (!owners.has(owner.uid)) this.#byOwner.remove(owner.uid, key);
    const node = nodeOf(groupKind, before);
    if (node !== undefined && (after === undefined || nodeOf(groupKind, after) !== node))
      this.#byNode.remove(node, key);
    if (uid !== undefined && uid !== after?.metadata.uid) this.#byUid.delete(uid);
    if (after !== undefined) return;
    this.#byKey.delete(key);
    this.#byKind.remove(groupKind, key);
    this.#byNamespace.remove(`${groupKind}/${namespace}`, key);
  }

  #view(): Snapshot {
    const state = this.#state;
    const revision = this.#revision;
    const check = (): void => {
      if (this.#state !== state)
        throw new InvariantError(
          `a snapshot of revision ${revision} is read at revision ${this.#revision}: take a new one`,
        );
    };
    return {
      revision,
      get: <T>(groupKind: GroupKind, namespace: string, name: string): T | undefined => {
        check();
        return this.#byKey.get(storeKey({ groupKind, namespace, name })) as T | undefined;
      },
      list: <T>(groupKind: GroupKind, namespace?: string): readonly T[] => {
        check();
        const bucket =
          namespace === undefined ? this.#byKind.get(groupKind) : this.#byNamespace.get(`${groupKind}/${namespace}`);
        return listed<T>(bucket);
      },
      ownedBy: <T>(uid: string, groupKind?: GroupKind): readonly T[] => {
        check();
        const owned = listed<AnyObject>(this.#byOwner.get(uid));
        const wanted =
          groupKind === undefined ? owned : owned.filter((object) => groupKindOfObject(object) === groupKind);
        return wanted as readonly unknown[] as readonly T[];
      },
      byUid: (uid: string): AnyObject | undefined => {
        check();
        return this.#byUid.get(uid);
      },
      podsOnNode: <T>(nodeName: string): readonly T[] => {
        check();
        return listed<T>(this.#byNode.get(nodeName));
      },
    };
  }
}

/** A snapshot of just these objects, for tests and for plans on a copy of a cluster. */
export function snapshotOf(objects: readonly AnyObject[], revision = 1): Snapshot {
  const index = new ObjectIndex();
  index.apply(
    revision,
    objects.map((object) => [storeKey(keyOfObject(object)), object] as const),
  );
  return index.snapshot();
}

function listed<T>(bucket: SortedBucket | undefined): readonly T[] {
  return (bucket?.list() ?? []) as readonly unknown[] as readonly T[];
}

/** The node a Pod is bound to, "" for none; undefined for other kinds. */
function nodeOf(groupKind: GroupKind, object: AnyObject): string | undefined {
  if (groupKind !== "/Pod") return undefined;
  const spec = object["spec"] as { readonly nodeName?: string } | undefined;
  return spec?.nodeName ?? "";
}
