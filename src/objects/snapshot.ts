import type { AnyObject } from "../api/object.js";

/** `apps/Deployment`; the core group is empty: `/Pod`. The version is not part of an object's identity. */
export type GroupKind = string;

/** Who an object is. Cluster-scoped objects have the namespace "". */
export interface ObjectKey {
  readonly groupKind: GroupKind;
  readonly namespace: string;
  readonly name: string;
}

/**
 * All objects at one revision, for code that decides. Objects are deep-frozen and shared; lists are in key order
 * (code units), so that the same state gives the same decision on every replica.
 */
export interface Snapshot {
  readonly revision: number;
  get<T = AnyObject>(groupKind: GroupKind, namespace: string, name: string): T | undefined;
  /** Of one namespace, or of all when `namespace` is undefined. */
  list<T = AnyObject>(groupKind: GroupKind, namespace?: string): readonly T[];
  /** Objects with an ownerReference to this uid. */
  ownedBy<T = AnyObject>(uid: string, groupKind?: GroupKind): readonly T[];
  /** The object with this uid, of any kind. */
  byUid(uid: string): AnyObject | undefined;
  /** Pods with this spec.nodeName; "" gives the unbound ones. */
  podsOnNode<T = AnyObject>(nodeName: string): readonly T[];
}
