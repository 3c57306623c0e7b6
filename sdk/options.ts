import type { AnyObject } from "../src/api/object.js";
import type { CallOptions } from "./deadline.js";
import type { Interceptor } from "./interceptors.js";

/** How to reach a cluster, and as whom. */
export interface ConnectOptions {
  /** `host:port` of the servers' API listeners; one is enough to begin with, all make it survive the loss of that one. */
  readonly endpoints: readonly string[];
  /** PEM of the cluster's certificate authority. */
  readonly ca: string;
  /** The user's token. It or `identity` is needed; who shows both is who the token says. */
  readonly token?: string;
  /** The user's certificate, issued for the role `user`, and its key; both PEM. */
  readonly identity?: { readonly certificate: string; readonly key: string };
  /** Ask these endpoints alone, and no other servers that they name. @default false */
  readonly pinned?: boolean;
  /** Functions around each question to a server; the first is the outermost. See `Interceptor`. */
  readonly interceptors?: readonly Interceptor[];
  /** Let interceptors see the token, as the header `authorization`. @default false */
  readonly interceptorsSeeToken?: boolean;
}

/** Where to look. */
export interface Scoped extends CallOptions {
  /** Empty or absent for cluster-scoped kinds; for lists and watches: all namespaces. */
  readonly namespace?: string;
}

/** Of what time a read is; the present without any of these. */
export interface ReadAt {
  /** Take what the asked server has, without asking the leader: faster, possibly old. @default false */
  readonly local?: boolean;
  /** The state as it was at this revision; Compacted when that is no longer kept. */
  readonly revision?: number;
  /** Instead: the present state of the asked server, once it is as new as this revision. */
  readonly notOlderThan?: number;
}

/** Which object to read, and of what time. */
export interface GetOptions extends Scoped, ReadAt {}

/** Which objects of a kind. */
export interface Selection extends Scoped {
  /** `app=web,tier in (a,b),!old` */
  readonly labelSelector?: string;
  /** `metadata.name=web,status.phase!=Running` */
  readonly fieldSelector?: string;
}

/** Which objects to read, and of what time. */
export interface ListOptions extends Selection, ReadAt {
  /** Objects fetched at once; all pages are of the same revision. @default the server's */
  readonly pageSize?: number;
}

/** Which page of a list. */
export interface PageOptions extends ListOptions {
  /** `next` of the page before, with the same selection. */
  readonly continue?: string;
}

/** A part of a list. */
export interface Page<T = AnyObject> {
  /** In the order of their namespaces and names. */
  readonly objects: readonly T[];
  /** Of all pages of this list; a watch from here on misses nothing. */
  readonly revision: number;
  /** Empty on the last page. A page may have fewer objects than were asked for and still not be the last. */
  readonly next: string;
}

/** Which changes, and from when on. */
export interface WatchOptions extends Selection {
  /** Events after this revision; without it first everything there is as ADDED, then a BOOKMARK. */
  readonly revision?: number;
  /** Leave out what is there already. @default false */
  readonly onlyChanges?: boolean;
  /** A BOOKMARK so often while nothing else is sent and the revision moves; 0: none but the first. @default 10 */
  readonly bookmarkSeconds?: number;
}

/** How to write. */
export interface WriteOptions extends CallOptions {
  /** Who owns the fields that are written. @default "ikada-sdk" */
  readonly fieldManager?: string;
  /** Check everything, store nothing. @default false */
  readonly dryRun?: boolean;
}

/** How to replace an object. */
export interface UpdateOptions extends WriteOptions {
  /** Replace the status and nothing else. @default everything else */
  readonly subresource?: "status";
}

/** How to apply an object. */
export interface ApplyOptions extends WriteOptions {
  /** Take fields that other managers own with other values. @default false */
  readonly force?: boolean;
  /** Apply to the status of an object that is there, and to nothing else. */
  readonly subresource?: "status";
}

/** What a patch is written in. */
export type PatchType = "merge" | "json" | "strategic";

/** Which object to patch, and how. */
export interface PatchOptions extends WriteOptions, Scoped {
  /**
   * `merge`: RFC 7386, null removes and lists are replaced. `json`: RFC 6902, a list of operations. `strategic`: Kubernetes' strategic merge
   * patch, which merges lists by their keys and knows `$patch`, `$retainKeys` and `$setElementOrder`.
   * @default "merge"
   */
  readonly type?: PatchType;
  /** Of `scale` the patch is one of its Scale, and the answer's object is that. */
  readonly subresource?: "status" | "scale";
}

/** Which object to read, change and write. */
export interface ModifyOptions extends WriteOptions, Scoped {
  /** Change the status and nothing else. @default everything else */
  readonly subresource?: "status";
  /** Only if it is still this object. */
  readonly uid?: string;
  /** How often the object is read, changed and written until nobody else was faster. @default 10 */
  readonly triesMax?: number;
}

/** Which object to delete, and how. */
export interface DeleteOptions extends WriteOptions, Scoped {
  /** What becomes of objects that this one owns. @default "Background" */
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  /** For Pods: seconds between SIGTERM and SIGKILL. 0 forgets the Pod at once. */
  readonly gracePeriodSeconds?: number;
  /** Only if it is still this object. */
  readonly uid?: string;
  /** Only if it has not changed since. */
  readonly resourceVersion?: string;
}

/** Which Pod to evict, and how. */
export interface EvictOptions extends WriteOptions, Scoped {
  /** Seconds between SIGTERM and SIGKILL, 1 at least. @default the Pod's own */
  readonly gracePeriodSeconds?: number;
  /** Only if it is still this Pod. */
  readonly uid?: string;
  /** Only if it has not changed since. */
  readonly resourceVersion?: string;
}

/** Which objects to delete, and how. */
export interface DeleteCollectionOptions extends Selection {
  /** The objects that matched at this revision. @default the present one */
  readonly revision?: number;
  /** Leave those that have changed since that revision. @default false */
  readonly onlyUnchanged?: boolean;
  /** What becomes of objects that these own. @default "Background" */
  readonly propagation?: DeleteOptions["propagation"];
  /** For Pods: seconds between SIGTERM and SIGKILL. 0 forgets them at once. */
  readonly gracePeriodSeconds?: number;
  /** Say what would become of each, delete nothing. @default false */
  readonly dryRun?: boolean;
}

/** How to set a number of replicas. */
export interface ScaleOptions extends WriteOptions, Scoped {
  /** Only if there are to be so many now. */
  readonly currentReplicas?: number;
}

/** Which object to explain. */
export interface ExplainOptions extends CallOptions, Scoped {}

/** How to write a former state back. */
export interface UndoOptions extends WriteOptions, Scoped {}

/** What a write did. */
export interface Written<T = AnyObject> {
  /** As stored, or as it would be with `dryRun`. */
  readonly object: T;
  /** True when it was not there before. */
  readonly created: boolean;
  /** False when the object was already as asked. */
  readonly changed: boolean;
  /** Sentences for people, e.g. about fields that are kept but not acted on. */
  readonly warnings: readonly string[];
}

/** What a delete did. */
export interface Deleted<T = AnyObject> {
  /** As it was, or as it terminates; undefined when a repeat of the call finds that it went long ago. */
  readonly object: T | undefined;
  /** False while finalizers or the node still have work to do. */
  readonly removed: boolean;
}

/** Which part of an object's history. */
export interface HistoryOptions extends Scoped {
  /** Changes up to this revision. @default the present */
  readonly revision?: number;
  /** Changes fetched at once. @default the server's */
  readonly pageSize?: number;
}

/** Which text of a container. */
export interface LogOptions extends CallOptions {
  /** Of the Pod. */
  readonly namespace: string;
  /** @default the only one */
  readonly container?: string;
  /** Go on with what is written from now on. @default false */
  readonly follow?: boolean;
  /** Of the container before its last restart. @default false */
  readonly previous?: boolean;
  /** So many lines at the end. @default all */
  readonly tailLines?: number;
  /** Not older than that. @default all */
  readonly sinceSeconds?: number;
  /** Not older than this moment, by the node's clock; instead of `sinceSeconds`. @default all */
  readonly sinceTime?: Date;
  /** No more than these. @default all */
  readonly limitBytes?: number;
  /** Each line begins with its time. @default false */
  readonly timestamps?: boolean;
}
