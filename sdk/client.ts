import { randomInt } from "node:crypto";
import { Scope } from "../src/base/lifecycle.js";
import type { ConfigMap, Event, Namespace, Node, Secret } from "../src/api/kinds/core.js";
import type { Deployment, ReplicaSet } from "../src/api/kinds/apps.js";
import type { Pod } from "../src/api/kinds/pod.js";
import type { AnyObject } from "../src/api/object.js";
import type { Scale } from "../src/api/scale.js";
import { IkadaError } from "../src/base/errors.js";
import { apiMethods } from "../src/host/api-methods.js";
import { ikada } from "#proto/api.js";
import { changeFromWire, outcomeFromWire, type Change, type DeleteOutcome } from "./answers.js";
import { Calls, type CallOptions } from "./calls.js";
import { Cluster } from "./cluster.js";
import { Endpoints } from "./endpoints.js";
import { RequestIds } from "./request-ids.js";
import { Resource } from "./resource.js";
import { fetchTable, type Table, type TableOptions } from "./table.js";
import { watch, type WatchEvent, type WatchStart } from "./watch.js";
import { kindReference, objectFromWire, objectToWire, type KindName } from "./wire.js";

/** How to reach a cluster. */
export interface ConnectOptions {
  /** `host:port` of the servers' API listeners; one is enough to begin with, all make it survive the loss of that one. */
  readonly endpoints: readonly string[];
  /** PEM of the cluster's certificate authority. */
  readonly ca: string;
  /** The user's token. */
  readonly token: string;
  /** Ask these endpoints alone, and no other servers that they name. @default false */
  readonly pinned?: boolean;
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

export interface GetOptions extends Scoped, ReadAt {}

export interface Selection extends Scoped {
  /** `app=web,tier in (a,b),!old` */
  readonly labelSelector?: string;
  /** `metadata.name=web,status.phase!=Running` */
  readonly fieldSelector?: string;
}

export interface ListOptions extends Selection, ReadAt {
  /** Objects fetched at once; all pages are of the same revision. @default the server's */
  readonly pageSize?: number;
}

export interface PageOptions extends ListOptions {
  /** `next` of the page before, with the same selection. */
  readonly continue?: string;
}

/** A part of a list. */
export interface Page<T = AnyObject> {
  readonly objects: readonly T[];
  /** Of all pages of this list; a watch from here on misses nothing. */
  readonly revision: number;
  /** Empty on the last page. A page may have fewer objects than were asked for and still not be the last. */
  readonly next: string;
}

export interface WatchOptions extends Selection, WatchStart {
  /** A BOOKMARK so often while nothing else is sent and the revision moves; 0: none but the first. @default 10 */
  readonly bookmarkSeconds?: number;
}

export interface WriteOptions extends CallOptions {
  /** Who owns the fields that are written. @default "ikada-sdk" */
  readonly fieldManager?: string;
  /** Check everything, store nothing. @default false */
  readonly dryRun?: boolean;
}

export interface ApplyOptions extends WriteOptions {
  /** Take fields that other managers own with other values. @default false */
  readonly force?: boolean;
  /** Apply to the status of an object that is there, and to nothing else. */
  readonly subresource?: "status";
}

/** What a patch is written in. */
export type PatchType = "merge" | "json" | "strategic";

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

export interface DeleteCollectionOptions extends Selection {
  /** The objects that matched at this revision. @default the present one */
  readonly revision?: number;
  /** Leave those that have changed since that revision. @default false */
  readonly onlyUnchanged?: boolean;
  readonly propagation?: DeleteOptions["propagation"];
  readonly gracePeriodSeconds?: number;
  /** Say what would become of each, delete nothing. @default false */
  readonly dryRun?: boolean;
}

/** What a write did. */
export interface Written<T = AnyObject> {
  /** As stored, or as it would be with `dryRun`. */
  readonly object: T;
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

export interface HistoryOptions extends Scoped {
  /** Changes up to this revision. @default the present */
  readonly revision?: number;
  /** Changes fetched at once. @default the server's */
  readonly pageSize?: number;
}

export interface ClusterStatus {
  readonly clusterId: string;
  /** 0 when there is none. */
  readonly leader: number;
  readonly term: number;
  readonly answeredBy: number;
  readonly members: readonly {
    readonly id: number;
    readonly name: string;
    readonly apiAddress: string;
    readonly reachable: boolean;
    readonly role: string;
    /** Voter, Learner, or None while it is in the address book only. */
    readonly membership: string;
    readonly term: number;
    readonly commit: number;
    readonly applied: number;
    readonly lastIndex: number;
    /** How far its log is known to the leader to agree with its own. */
    readonly match: number;
    readonly revision: number;
    readonly version: string;
  }[];
}

export interface LogOptions extends CallOptions {
  readonly namespace: string;
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tailLines?: number;
  readonly sinceSeconds?: number;
  readonly timestamps?: boolean;
}

/**
 * A client of one cluster. It speaks to any server that answers, prefers the leader, and repeats calls that a dying server
 * left unanswered: a write is repeated under the same client id and sequence, so that it happens once.
 *
 * @example
 * const client = await Client.connect({ endpoints: ["10.0.0.1:7401"], ca, token });
 * const { object } = await client.deployments.apply({ metadata: { name: "web", namespace: "default" }, spec });
 * for await (const event of client.pods.watch({ namespace: "default" })) console.log(event.type);
 * await client.close();
 */
export class Client {
  readonly #calls: Calls;
  readonly #ids = new RequestIds();
  readonly #scope = new Scope();

  /** The servers, and changes of them. */
  readonly cluster: Cluster;
  readonly namespaces: Resource<Namespace>;
  readonly nodes: Resource<Node>;
  readonly pods: Resource<Pod>;
  readonly replicaSets: Resource<ReplicaSet>;
  readonly deployments: Resource<Deployment>;
  readonly configMaps: Resource<ConfigMap>;
  readonly secrets: Resource<Secret>;
  readonly events: Resource<Event>;

  private constructor(options: ConnectOptions) {
    const endpoints = new Endpoints(options.endpoints, options.ca, randomInt(0, 1 << 30), options.pinned);
    this.#scope.use(endpoints);
    this.#calls = new Calls(endpoints, options.token);
    this.cluster = new Cluster(this.#calls);
    this.namespaces = new Resource(this, "namespaces");
    this.nodes = new Resource(this, "nodes");
    this.pods = new Resource(this, "pods");
    this.replicaSets = new Resource(this, "replicasets");
    this.deployments = new Resource(this, "deployments");
    this.configMaps = new Resource(this, "configmaps");
    this.secrets = new Resource(this, "secrets");
    this.events = new Resource(this, "events");
  }

  /**
   * Makes a client; connections are opened by the first calls, so this succeeds while the cluster is down.
   * @throws IkadaError BadRequest when there is no endpoint
   */
  static connect(options: ConnectOptions): Promise<Client> {
    if (options.endpoints.length === 0)
      return Promise.reject(new IkadaError("BadRequest", "a client needs at least one endpoint, host:port"));
    return Promise.resolve(new Client(options));
  }

  /** Ends all calls in work. */
  close(): Promise<void> {
    return this.#scope.close();
  }

  /** @throws IkadaError NotFound, UnknownKind, Forbidden */
  async get(kind: KindName, name: string, options: GetOptions = {}): Promise<AnyObject> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    const { object } = await this.#calls.unary(apiMethods.get, { reference, ...readAt(options) }, options);
    return objectFromWire(object);
  }

  /** All objects as of one revision, fetched page by page while they are read. @throws IkadaError Compacted between pages, BadRequest */
  async *list(kind: KindName, options: ListOptions = {}): AsyncGenerator<AnyObject, void, undefined> {
    let next = "";
    do {
      const page = await this.listPage(kind, { ...options, continue: next });
      yield* page.objects;
      next = page.next;
    } while (next !== "");
  }

  /** One page of a list, for those who keep the place themselves. @throws IkadaError Compacted, BadRequest */
  async listPage(kind: KindName, options: PageOptions = {}): Promise<Page> {
    const { continue: from = "", pageSize = 0 } = options;
    // The token carries the revision.
    const at = from === "" ? readAt(options) : {};
    const request = { ...kindReference(kind), ...selection(options), ...at, limit: pageSize, continue: from };
    const page = await this.#calls.unary(apiMethods.list, request, options);
    return { objects: page.objects.map(objectFromWire), revision: page.revision, next: page.continue };
  }

  /**
   * What `list`, or with `name` `get`, would give, as the columns that the server prints it in.
   * @throws IkadaError NotFound for a name that is not there, Compacted between pages, BadRequest
   */
  table(kind: KindName, options: TableOptions = {}): Promise<Table> {
    const { pageSize: limit = 0 } = options;
    return fetchTable(
      this.#calls,
      { ...kindReference(kind), ...selection(options), ...readAt(options), limit },
      options,
    );
  }

  /** Changes as they happen, over lost connections; leave the loop to end it. @throws IkadaError Compacted when it has to be listed anew */
  watch(kind: KindName, options: WatchOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const bookmarkSeconds = options.bookmarkSeconds ?? null;
    return watch(this.#calls, { ...kindReference(kind), ...selection(options), bookmarkSeconds }, options);
  }

  /** @throws IkadaError AlreadyExists, Invalid with the faulty fields, NotFound when the namespace is missing */
  create(object: AnyObject, options: WriteOptions = {}): Promise<Written> {
    return this.#write(options, (write) =>
      this.#calls.unary(apiMethods.create, { object: objectToWire(object), options: write }, options),
    );
  }

  /** Replaces the object. With a resourceVersion in it, only if it has not changed since. @throws IkadaError Conflict, Invalid, NotFound */
  update(object: AnyObject, options: WriteOptions & { readonly subresource?: "status" } = {}): Promise<Written> {
    const subresource = options.subresource ?? "";
    return this.#write(options, (write) =>
      this.#calls.unary(apiMethods.update, { object: objectToWire(object), subresource, options: write }, options),
    );
  }

  /**
   * Server-side apply: makes the named fields what they are in `object` and owns them; fields that this manager applied before
   * and now leaves out are removed. Creates the object when it is missing.
   * @throws IkadaError FieldConflict when another manager owns a field with another value (`force` takes it), Invalid
   */
  apply(object: AnyObject, options: ApplyOptions = {}): Promise<Written> {
    const { force = false, subresource = "" } = options;
    return this.#write(options, (write) =>
      this.#calls.unary(
        apiMethods.apply,
        { object: objectToWire(object), force, subresource, options: write },
        options,
      ),
    );
  }

  /**
   * Changes parts of an object. @throws IkadaError NotFound, Invalid, BadRequest when it is no patch of its type, Conflict when the
   * patch names a resourceVersion or has a JSON patch's `test` that does not hold
   */
  patch(kind: KindName, name: string, patch: object, options: PatchOptions = {}): Promise<Written> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    const json = new TextEncoder().encode(JSON.stringify(patch));
    const type = patchTypes[options.type ?? "merge"];
    const subresource = options.subresource ?? "";
    return this.#write(options, (write) =>
      this.#calls.unary(apiMethods.patch, { reference, json, type, subresource, options: write }, options),
    );
  }

  /** @returns `removed: false` while finalizers or the node still have work to do @throws IkadaError NotFound, Conflict */
  async delete(kind: KindName, name: string, options: DeleteOptions = {}): Promise<Deleted> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    const request = {
      reference,
      uid: options.uid ?? "",
      revision: Number(options.resourceVersion ?? 0),
      propagation: options.propagation ?? "",
      gracePeriodSeconds: options.gracePeriodSeconds ?? null,
    };
    const answer = await this.#ids.run((id) =>
      this.#calls.unary(apiMethods.delete, { ...request, options: writeOptions(id, options) }, options),
    );
    return { object: answer.object ? objectFromWire(answer.object) : undefined, removed: answer.removed };
  }

  /**
   * Deletes all objects of a kind in a namespace that match, page by page; those that come to match meanwhile are not among them.
   * @returns what became of each, also of those that somebody else removed meanwhile
   * @throws IkadaError BadRequest, Compacted when it takes longer than history is kept; what was deleted until then is
   */
  async deleteCollection(kind: KindName, options: DeleteCollectionOptions): Promise<readonly DeleteOutcome[]> {
    // Named in each request, so that a repeat is about the same objects.
    const revision = options.revision ?? (await this.listPage(kind, { ...options, pageSize: 1 })).revision;
    const request = {
      ...kindReference(kind),
      ...selection(options),
      onlyUnchanged: options.onlyUnchanged ?? false,
      propagation: options.propagation ?? "",
      gracePeriodSeconds: options.gracePeriodSeconds ?? null,
      options: { dryRun: options.dryRun ?? false },
    };
    const outcomes: DeleteOutcome[] = [];
    let next = "";
    do {
      const page = await this.#calls.unary(
        apiMethods.deleteCollection,
        { ...request, revision, continue: next },
        options,
      );
      outcomes.push(...page.outcomes.map(outcomeFromWire));
      next = page.continue;
    } while (next !== "");
    return outcomes;
  }

  /** Sets how many replicas a Deployment or ReplicaSet has. @throws IkadaError Conflict when it has not `currentReplicas` */
  scale(
    kind: KindName,
    name: string,
    replicas: number,
    options: WriteOptions & Scoped & { readonly currentReplicas?: number } = {},
  ): Promise<Written> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    const currentReplicas = options.currentReplicas ?? null;
    return this.#write(options, (write) =>
      this.#calls.unary(apiMethods.scale, { reference, replicas, currentReplicas, options: write }, options),
    );
  }

  /**
   * The changes of an object as far as they are kept, the newest first, fetched while they are read; also those of an object that is gone
   * and of earlier ones of its name. @throws IkadaError UnknownKind, Forbidden
   */
  async *history(kind: KindName, name: string, options: HistoryOptions = {}): AsyncGenerator<Change, void, undefined> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    let revision = options.revision ?? 0;
    do {
      const request = { reference, revision, limit: options.pageSize ?? 0 };
      const { changes, before } = await this.#calls.unary(apiMethods.history, request, options);
      yield* changes.map(changeFromWire);
      revision = before;
    } while (revision !== 0);
  }

  /**
   * The newest revision made at or before a time, for reads of the past and for `undo`; of a future time the present one.
   * @throws IkadaError Compacted when it is before the kept history
   */
  async revisionAt(time: Date, options: CallOptions = {}): Promise<number> {
    return (await this.#calls.unary(apiMethods.revisionAt, { timeMs: time.getTime() }, options)).revision;
  }

  /**
   * Writes back what an object was at a revision, but for its status, as an update by all rules; creates it anew when it is gone.
   * @throws IkadaError NotFound when it was not there then, Compacted, Conflict, Invalid
   */
  undo(kind: KindName, name: string, revision: number, options: WriteOptions & Scoped = {}): Promise<Written> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    return this.#write(options, (write) =>
      this.#calls.unary(apiMethods.undo, { reference, revision, options: write }, options),
    );
  }

  /** How many replicas are wanted and there, and how they are selected. @throws IkadaError NotFound, Unsupported */
  async getScale(kind: KindName, name: string, options: GetOptions = {}): Promise<Scale> {
    const reference = { ...kindReference(kind), namespace: options.namespace ?? "", name };
    const request = { reference, ...readAt(options), subresource: "scale" };
    const { object } = await this.#calls.unary(apiMethods.get, request, options);
    return objectFromWire(object) as unknown as Scale;
  }

  /** Writes a Scale that was read, if nobody has changed its object since. @throws IkadaError Conflict, Invalid, NotFound, Unsupported */
  async updateScale(kind: KindName, scale: Scale, options: WriteOptions = {}): Promise<Written<Scale>> {
    const { name, namespace = "" } = scale.metadata;
    const json = new TextEncoder().encode(JSON.stringify(scale));
    const object = { ...kindReference(kind), namespace, name, json };
    const written = await this.#write(options, (write) =>
      this.#calls.unary(apiMethods.update, { object, subresource: "scale", options: write }, options),
    );
    return written as unknown as Written<Scale>;
  }

  /** What a container wrote, in the engine's chunks. @throws IkadaError NotFound, Unavailable when its node is away */
  async *logs(pod: string, options: LogOptions): AsyncGenerator<Uint8Array, void, undefined> {
    const request = {
      namespace: options.namespace,
      pod,
      container: options.container ?? "",
      follow: options.follow ?? false,
      previous: options.previous ?? false,
      tailLines: options.tailLines ?? null,
      sinceSeconds: options.sinceSeconds ?? null,
      timestamps: options.timestamps ?? false,
    };
    const deadline = this.#calls.deadlineOf(options);
    for (let tries = 1; ; tries += 1) {
      const { address, messages } = this.#calls.stream(apiMethods.logs, request, options, deadline);
      let begun = false;
      try {
        for await (const { data } of messages) {
          begun = true;
          yield data;
        }
        return;
      } catch (caught) {
        const error = IkadaError.from(caught);
        // Text that was given already can't be taken back, so only a stream that gave nothing begins again.
        if (begun || tries >= 5) throw error;
        await this.#calls.next(error, address, tries, deadline, options);
      }
    }
  }

  /** The servers, the leader, and how far each log is. */
  async clusterStatus(options: CallOptions = {}): Promise<ClusterStatus> {
    const answer = await this.#calls.unary(apiMethods.clusterStatus, {}, options);
    const { clusterId, leader, term, answeredBy } = answer;
    const members = answer.members.map((member) => ({
      id: member.id ?? 0,
      name: member.name ?? "",
      apiAddress: member.apiAddress ?? "",
      reachable: member.reachable ?? false,
      role: member.role ?? "",
      membership: member.membership ?? "",
      term: member.term ?? 0,
      commit: member.commit ?? 0,
      applied: member.applied ?? 0,
      lastIndex: member.lastIndex ?? 0,
      match: member.match ?? 0,
      revision: member.revision ?? 0,
      version: member.version ?? "",
    }));
    return { clusterId, leader, term, answeredBy, members };
  }

  async #write(
    options: WriteOptions,
    call: (write: ikada.api.v1.IWriteOptions) => Promise<ikada.api.v1.WriteResponse>,
  ): Promise<Written> {
    const answer = await this.#ids.run((id) => call(writeOptions(id, options)));
    return {
      object: objectFromWire(answer.object),
      created: answer.created,
      changed: answer.changed,
      warnings: answer.warnings,
    };
  }
}

function readAt({ local = false, revision, notOlderThan }: ReadAt): {
  local: boolean;
  revision: number;
  match: ikada.api.v1.RevisionMatch;
} {
  if (revision !== undefined && notOlderThan !== undefined)
    throw new IkadaError("BadRequest", "a read is either of a revision or not older than one");
  const { EXACT, NOT_OLDER_THAN } = ikada.api.v1.RevisionMatch;
  const match = notOlderThan === undefined ? EXACT : NOT_OLDER_THAN;
  return { local, revision: revision ?? notOlderThan ?? 0, match };
}

const { MERGE, JSON: JSON_PATCH, STRATEGIC } = ikada.api.v1.PatchRequest.Type;
const patchTypes = { merge: MERGE, json: JSON_PATCH, strategic: STRATEGIC } as const;

function writeOptions(request: ikada.api.v1.IRequestId, options: WriteOptions): ikada.api.v1.IWriteOptions {
  return { request, fieldManager: options.fieldManager ?? "ikada-sdk", dryRun: options.dryRun ?? false };
}

function selection(options: Selection): { namespace: string; labelSelector: string; fieldSelector: string } {
  return {
    namespace: options.namespace ?? "",
    labelSelector: options.labelSelector ?? "",
    fieldSelector: options.fieldSelector ?? "",
  };
}
