import type { AnyObject } from "../api/object.js";
import type { ObjectKey } from "./snapshot.js";

/**
 * What a decision wants done to objects, as one transaction: all or nothing, refused when an object it
 * was decided from has changed since. src/objects/encode.ts turns it into a store transaction.
 */
export interface Changes {
  /** Fails when the object exists. `metadata.uid`, `creationTimestamp` and `generation` are set by the decision (see `newObject`), resourceVersion by apply. */
  readonly creates: readonly AnyObject[];
  /** The whole new object; `metadata.resourceVersion` is that of the object decided from and is compared. */
  readonly updates: readonly AnyObject[];
  /** Removed from the store when its resourceVersion is still this one. */
  readonly removes: readonly (ObjectKey & { readonly resourceVersion: string })[];
  /** Objects that were only read but must not have changed. */
  readonly unchanged: readonly (ObjectKey & { readonly resourceVersion: string })[];
}
