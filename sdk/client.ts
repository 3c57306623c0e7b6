import { randomInt, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { Scope } from "../src/base/lifecycle.js";
import type { ConfigMap, Event, Namespace, Node, Secret } from "../src/api/kinds/core.js";
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../src/api/kinds/apps.js";
import type { CronJob, Job } from "../src/api/kinds/batch.js";
import type { Pod } from "../src/api/kinds/pod.js";
import type { PriorityClass } from "../src/api/kinds/priority.js";
import type { PodDisruptionBudget } from "../src/api/kinds/policy.js";
import type { AnyObject } from "../src/api/object.js";
import type { Scale } from "../src/api/scale.js";
import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { Method } from "../src/host/grpc.js";
import type { ikada } from "#proto/api.js";
import {
  changeFromWire,
  explanationFromWire,
  outcomeFromWire,
  type Change,
  type DeleteOutcome,
  type Explanation,
} from "./answers.js";
import { Calls } from "./calls.js";
import { clusterStatusFromWire, type ClusterStatus } from "./cluster-status.js";
import { Cluster } from "./cluster.js";
import { ClientConnection, type Connection } from "./connection.js";
import { Deadline, type CallOptions } from "./deadline.js";
import { Endpoints } from "./endpoints.js";
import { Informer, type InformerOptions } from "./informer.js";
import { readLogs } from "./logs.js";
import { NodeImages } from "./node-images.js";
import { PodAccess } from "./pod-access.js";
import { modify, type ChangeFunction } from "./modify.js";
import type {
  ApplyOptions,
  ConnectOptions,
  DeleteCollectionOptions,
  Deleted,
  DeleteOptions,
  EvictOptions,
  ExplainOptions,
  GetOptions,
  HistoryOptions,
  ListOptions,
  LogOptions,
  ModifyOptions,
  Page,
  PageOptions,
  PatchOptions,
  ScaleOptions,
  UndoOptions,
  UpdateOptions,
  WatchOptions,
  WriteOptions,
  Written,
} from "./options.js";
import { RequestIds, type RequestId } from "./request-ids.js";
import { patchTypeOf, readAt, referenceTo, selectionOf, writeOptions } from "./requests.js";
import { Resource, ScalableResource, StatusResource } from "./resource.js";
import { fetchTable, type Table, type TableOptions } from "./table.js";
import { watch, type WatchEvent } from "./watch.js";
import { kindReference, objectFromWire, objectToWire, type KindName } from "./wire.js";

/**
 * A client of one cluster. It speaks to any server that answers, prefers the leader, and repeats calls that a dying server
 * left unanswered: a write is repeated under the same client id and sequence, so that it happens once.
 *
 * Errors are IkadaErrors with a reason that programs may test (docs/errors.md). Every call may end with Unauthenticated or Forbidden, with Cancelled at
 * its signal or when the client is closed, with Deadline, and with BadRequest when its options make no sense; what else it may end with stands at each method.
 *
 * @example
 * const client = await Client.connect({ endpoints, ca, token });
 * await client.configMaps.apply({ metadata: { name: "greeting", namespace: "default" }, data: { text: "hello" } });
 * for await (const { metadata } of client.configMaps.list({ namespace: "default" })) console.log(metadata.name);
 * await client.close();
 */
export class Client {
  readonly #calls: Calls;
  readonly #ids = new RequestIds();
  readonly #scope = new Scope();
  readonly #informers = new Set<{ close(): Promise<void> }>();

  /** How the client stands with its cluster: what its calls find. */
  readonly connection: Connection;
  /** The servers, and changes of them. */
  readonly cluster: Cluster;
  /** Ways into running Pods: commands, terminals, connections, files, and what they use. */
  readonly access: PodAccess;
  /** Images that Nodes have, and how to bring them there without a registry. */
  readonly images: NodeImages;
  /** Namespaces, cluster-scoped. */
  readonly namespaces: StatusResource<Namespace>;
  /** Machines that run Pods, cluster-scoped. */
  readonly nodes: StatusResource<Node>;
  /** What runs. */
  readonly pods: StatusResource<Pod>;
  /** Pods of one template, so many of them. */
  readonly replicaSets: ScalableResource<ReplicaSet>;
  /** How many of some Pods may be away at once because somebody wanted it. */
  readonly podDisruptionBudgets: StatusResource<PodDisruptionBudget>;
  /** ReplicaSets that follow one another. */
  readonly deployments: ScalableResource<Deployment>;
  /** Pods with names that last. */
  readonly statefulSets: ScalableResource<StatefulSet>;
  /** A Pod on each node. */
  readonly daemonSets: StatusResource<DaemonSet>;
  /** Templates that StatefulSets and DaemonSets have and had. */
  readonly controllerRevisions: Resource<ControllerRevision>;
  /** Pods that run until enough of them have ended well. */
  readonly jobs: StatusResource<Job>;
  /** Jobs at the times of a schedule. */
  readonly cronJobs: StatusResource<CronJob>;
  /** How much Pods matter beside others, cluster-scoped. */
  readonly priorityClasses: Resource<PriorityClass>;
  /** Settings. */
  readonly configMaps: Resource<ConfigMap>;
  /** Settings that few may read. */
  readonly secrets: Resource<Secret>;
  /** What happened to objects. */
  readonly events: Resource<Event>;

  private constructor(options: ConnectOptions) {
    const connection = this.#scope.use(new ClientConnection());
    this.connection = connection;
    const tls = { authority: options.ca, ...(options.identity && { identity: options.identity }) };
    const endpoints = new Endpoints(options.endpoints, tls, randomInt(0, 1 << 30), options.pinned);
    this.#calls = this.#scope.use(new Calls(endpoints, connection, options));
    this.#scope.use(endpoints);
    this.#scope.defer(async () => void (await Promise.all([...this.#informers].map((each) => each.close()))));
    this.cluster = new Cluster(this.#calls);
    this.access = new PodAccess(this.#calls);
    this.images = new NodeImages(this.#calls);
    this.namespaces = new StatusResource(this, "namespaces");
    this.nodes = new StatusResource(this, "nodes");
    this.pods = new StatusResource(this, "pods");
    this.replicaSets = new ScalableResource(this, "replicasets");
    this.deployments = new ScalableResource(this, "deployments");
    this.statefulSets = new ScalableResource(this, "statefulsets");
    this.daemonSets = new StatusResource(this, "daemonsets");
    this.controllerRevisions = new Resource(this, "controllerrevisions");
    this.jobs = new StatusResource(this, "jobs");
    this.cronJobs = new StatusResource(this, "cronjobs");
    this.priorityClasses = new Resource(this, "priorityclasses");
    this.podDisruptionBudgets = new StatusResource(this, "poddisruptionbudgets");
    this.configMaps = new Resource(this, "configmaps");
    this.secrets = new Resource(this, "secrets");
    this.events = new Resource(this, "events");
  }

  /**
   * Makes a client; connections are opened by the first calls, so this succeeds while the cluster is down.
   * @throws IkadaError BadRequest when there is no endpoint, no certificate in `ca`, or neither a token nor an identity that fits together
   */
  // oxlint-disable-next-line typescript/require-await -- what is wrong with the options is a rejection
  static async connect(options: ConnectOptions): Promise<Client> {
    if (options.endpoints.length === 0)
      throw new IkadaError("BadRequest", "a client needs at least one endpoint, host:port");
    if (options.token === undefined && options.identity === undefined)
      throw new IkadaError("BadRequest", "a client needs a token or an identity, by which servers know who calls");
    checkPem("ca", () => new X509Certificate(options.ca));
    const { identity } = options;
    if (identity) checkPem("identity", () => createSecureContext({ cert: identity.certificate, key: identity.key }));
    return new Client(options);
  }

  /** Ends all calls in work, watches and informers too. */
  close(): Promise<void> {
    return this.#scope.close();
  }

  /** One object. @throws IkadaError NotFound, UnknownKind, Compacted */
  async get(kind: KindName, name: string, options: GetOptions = {}): Promise<AnyObject> {
    const request = { reference: referenceTo(kind, name, options), ...readAt(options) };
    const { object } = await this.#calls.unary(apiMethods.get, request, options);
    return objectFromWire(object);
  }

  /** All objects as of one revision, fetched page by page while they are read. @throws IkadaError UnknownKind, Compacted between pages */
  async *list(kind: KindName, options: ListOptions = {}): AsyncGenerator<AnyObject, void, undefined> {
    const whole = new Deadline(options);
    let next = "";
    do {
      const page = await this.listPage(kind, { ...options, ...whole.rest(), continue: next });
      yield* page.objects;
      next = page.next;
    } while (next !== "");
  }

  /** One page of a list, for those who keep the place themselves. @throws IkadaError UnknownKind, Compacted */
  async listPage(kind: KindName, options: PageOptions = {}): Promise<Page> {
    const { continue: from = "", pageSize = 0 } = options;
    // The token carries the revision.
    const at = from === "" ? readAt(options) : {};
    const request = { ...selectionOf(kind, options), ...at, limit: pageSize, continue: from };
    const page = await this.#calls.unary(apiMethods.list, request, options);
    return { objects: page.objects.map(objectFromWire), revision: page.revision, next: page.continue };
  }

  /**
   * What `list`, or with `name` `get`, would give, as the columns that the server prints it in.
   * @throws IkadaError NotFound for a name that is not there, UnknownKind, Compacted between pages, Unsupported by a server that is too old
   */
  async table(kind: KindName, options: TableOptions = {}): Promise<Table> {
    const { pageSize: limit = 0 } = options;
    return fetchTable(this.#calls, { ...selectionOf(kind, options), ...readAt(options), limit }, options);
  }

  /** Changes as they happen, over lost connections; leave the loop to end it. @throws IkadaError UnknownKind, Compacted when it has to be listed anew */
  async *watch(kind: KindName, options: WatchOptions = {}): AsyncGenerator<WatchEvent, void, undefined> {
    const bookmarkSeconds = options.bookmarkSeconds ?? null;
    yield* watch(this.#calls, { ...selectionOf(kind, options), bookmarkSeconds }, options);
  }

  /** A copy of the objects of a kind that is kept up to date, until it is closed. @throws IkadaError UnknownKind */
  informer<Index extends string = never>(
    kind: KindName,
    options: InformerOptions<AnyObject, Index> = {},
  ): Informer<AnyObject, Index> {
    const informer: Informer<AnyObject, Index> = new Informer(this, kindReference(kind), options, () =>
      this.#informers.delete(informer),
    );
    this.#informers.add(informer);
    return informer;
  }

  /** Makes a new object. @throws IkadaError AlreadyExists, Invalid with the faulty fields, NotFound when the namespace is missing, UnknownKind, TooLarge, QuotaExceeded */
  create(object: AnyObject, options: WriteOptions = {}): Promise<Written> {
    return this.#write(apiMethods.create, () => ({ object: objectToWire(object) }), options);
  }

  /** Replaces the object. With a resourceVersion in it, only if it has not changed since. @throws IkadaError Conflict, Invalid, NotFound, UnknownKind, TooLarge */
  update(object: AnyObject, options: UpdateOptions = {}): Promise<Written> {
    const { subresource = "" } = options;
    return this.#write(apiMethods.update, () => ({ object: objectToWire(object), subresource }), options);
  }

  /**
   * Reads an object, changes a copy of it and writes that, if nobody was faster; otherwise again with what it is then, after a pause by chance. A change that
   * changes nothing writes nothing. One deadline holds for all of it.
   * @throws IkadaError Conflict when others were faster `triesMax` times, NotFound, Invalid, BadRequest for a change of what says which object it is;
   * after more than one try the message says how many there were
   *
   * @example
   * await client.modify("configmaps", "greeting", (copy) => ({ ...copy, data: { text: "hi" } }), { namespace: "default" });
   */
  modify(kind: KindName, name: string, change: ChangeFunction, options: ModifyOptions = {}): Promise<Written> {
    return modify(this, kind, name, change, options);
  }

  /**
   * Server-side apply: makes the named fields what they are in `object` and owns them; fields that this manager applied before
   * and now leaves out are removed. Creates the object when it is missing.
   * @throws IkadaError FieldConflict when another manager owns a field with another value (`force` takes it), Invalid, NotFound when the
   * namespace is missing, UnknownKind, TooLarge, QuotaExceeded
   */
  apply(object: AnyObject, options: ApplyOptions = {}): Promise<Written> {
    const { force = false, subresource = "" } = options;
    return this.#write(apiMethods.apply, () => ({ object: objectToWire(object), force, subresource }), options);
  }

  /**
   * Changes parts of an object. @throws IkadaError NotFound, UnknownKind, Invalid, BadRequest when it is no patch of its type, Conflict when the
   * patch names a resourceVersion or has a JSON patch's `test` that does not hold
   */
  patch(kind: KindName, name: string, patch: object, options: PatchOptions = {}): Promise<Written> {
    const { subresource = "" } = options;
    const json = new TextEncoder().encode(JSON.stringify(patch));
    const type = patchTypeOf(options.type);
    const request = () => ({ reference: referenceTo(kind, name, options), json, type, subresource });
    return this.#write(apiMethods.patch, request, options);
  }

  /** Deletes an object. @returns `removed: false` while finalizers or the node still have work to do @throws IkadaError NotFound, UnknownKind, Conflict */
  async delete(kind: KindName, name: string, options: DeleteOptions = {}): Promise<Deleted> {
    const request = {
      reference: referenceTo(kind, name, options),
      uid: options.uid ?? "",
      revision: Number(options.resourceVersion ?? 0),
      propagation: options.propagation ?? "",
      gracePeriodSeconds: options.gracePeriodSeconds ?? null,
    };
    const answer = await this.#once(options, (id, rest) =>
      this.#calls.unary(apiMethods.delete, { ...request, options: writeOptions(id, options) }, rest),
    );
    return { object: answer.object ? objectFromWire(answer.object) : undefined, removed: answer.removed };
  }

  /**
   * Deletes all objects of a kind in a namespace that match, page by page; those that come to match meanwhile are not among them.
   * @returns what became of each, also of those that somebody else removed meanwhile
   * @throws IkadaError UnknownKind, Compacted when it takes longer than history is kept; what was deleted until then is, as with Deadline and Cancelled
   */
  async deleteCollection(kind: KindName, options: DeleteCollectionOptions): Promise<readonly DeleteOutcome[]> {
    const whole = new Deadline(options);
    // Named in each request, so that a repeat is about the same objects.
    const revision =
      options.revision ?? (await this.listPage(kind, { ...options, ...whole.rest(), pageSize: 1 })).revision;
    const request = {
      ...selectionOf(kind, options),
      revision,
      onlyUnchanged: options.onlyUnchanged ?? false,
      propagation: options.propagation ?? "",
      gracePeriodSeconds: options.gracePeriodSeconds ?? null,
      options: { dryRun: options.dryRun ?? false },
    };
    const outcomes: DeleteOutcome[] = [];
    let next = "";
    do {
      const page = await this.#calls.unary(apiMethods.deleteCollection, { ...request, continue: next }, whole.rest());
      outcomes.push(...page.outcomes.map(outcomeFromWire));
      next = page.continue;
    } while (next !== "");
    return outcomes;
  }

  /**
   * Deletes a Pod as far as its PodDisruptionBudget lets it: what drains a node does. `ikada drain` asks again for those that are refused.
   * @returns `removed: false` while its node still has work to do
   * @throws IkadaError DisruptionBudget when too few of its kind would be left, NotFound, Conflict, Unsupported when two budgets are about it
   *
   * @example
   * const spec = { containers: [{ name: "main", image: "hello:1" }] };
   * await client.pods.create({ metadata: { name: "web-1", namespace: "default" }, spec });
   * await client.evict("web-1", { namespace: "default" });
   */
  async evict(pod: string, options: EvictOptions = {}): Promise<Deleted> {
    const request = {
      reference: referenceTo("pods", pod, options),
      uid: options.uid ?? "",
      revision: Number(options.resourceVersion ?? 0),
      gracePeriodSeconds: options.gracePeriodSeconds ?? null,
    };
    const answer = await this.#once(options, (id, rest) =>
      this.#calls.unary(apiMethods.evict, { ...request, options: writeOptions(id, options) }, rest),
    );
    return { object: answer.object ? objectFromWire(answer.object) : undefined, removed: answer.removed };
  }

  /**
   * Why an object is as it is, by the rules that hold now: of a Pod, which rule of which node decides where it runs or why it waits.
   * @throws IkadaError NotFound, UnknownKind, Unsupported for a kind that is not explained
   */
  async explain(kind: KindName, name: string, options: ExplainOptions = {}): Promise<Explanation> {
    const request = { reference: referenceTo(kind, name, options) };
    return explanationFromWire(await this.#calls.unary(apiMethods.explain, request, options));
  }

  /** Sets how many replicas a Deployment, StatefulSet or ReplicaSet has. @throws IkadaError NotFound, UnknownKind, Unsupported, Invalid, Conflict when it has not `currentReplicas` */
  scale(kind: KindName, name: string, replicas: number, options: ScaleOptions = {}): Promise<Written> {
    const currentReplicas = options.currentReplicas ?? null;
    const request = () => ({ reference: referenceTo(kind, name, options), replicas, currentReplicas });
    return this.#write(apiMethods.scale, request, options);
  }

  /**
   * The changes of an object as far as they are kept, the newest first, fetched while they are read; also those of an object that is gone
   * and of earlier ones of its name. @throws IkadaError UnknownKind
   */
  async *history(kind: KindName, name: string, options: HistoryOptions = {}): AsyncGenerator<Change, void, undefined> {
    const whole = new Deadline(options);
    const reference = referenceTo(kind, name, options);
    let revision = options.revision ?? 0;
    do {
      const request = { reference, revision, limit: options.pageSize ?? 0 };
      const { changes, before } = await this.#calls.unary(apiMethods.history, request, whole.rest());
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
   * @throws IkadaError NotFound when it was not there then, UnknownKind, Compacted, Conflict, Invalid
   */
  undo(kind: KindName, name: string, revision: number, options: UndoOptions = {}): Promise<Written> {
    return this.#write(apiMethods.undo, () => ({ reference: referenceTo(kind, name, options), revision }), options);
  }

  /** How many replicas are wanted and there, and how they are selected. @throws IkadaError NotFound, UnknownKind, Unsupported, Compacted */
  async getScale(kind: KindName, name: string, options: GetOptions = {}): Promise<Scale> {
    const request = { reference: referenceTo(kind, name, options), ...readAt(options), subresource: "scale" };
    const { object } = await this.#calls.unary(apiMethods.get, request, options);
    return objectFromWire(object) as unknown as Scale;
  }

  /** Writes a Scale that was read, if nobody has changed its object since. @throws IkadaError Conflict, Invalid, NotFound, UnknownKind, Unsupported */
  async updateScale(kind: KindName, scale: Scale, options: WriteOptions = {}): Promise<Written<Scale>> {
    const { name, namespace = "" } = scale.metadata;
    const json = new TextEncoder().encode(JSON.stringify(scale));
    const request = () => ({ object: { ...kindReference(kind), namespace, name, json }, subresource: "scale" });
    return (await this.#write(apiMethods.update, request, options)) as unknown as Written<Scale>;
  }

  /** What a container wrote, in the engine's chunks. @throws IkadaError NotFound, Unavailable when its node is away */
  logs(pod: string, options: LogOptions): AsyncGenerator<Uint8Array, void, undefined> {
    return readLogs(this.#calls, pod, options);
  }

  /** The servers, the leader, and how far each log is. @throws IkadaError Unavailable */
  async clusterStatus(options: CallOptions = {}): Promise<ClusterStatus> {
    return clusterStatusFromWire(await this.#calls.unary(apiMethods.clusterStatus, {}, options));
  }

  async #write<Input extends { options?: ikada.api.v1.IWriteOptions | null }, Request, Answer>(
    method: Method<Input, Request, Answer, ikada.api.v1.WriteResponse>,
    request: () => NoInfer<Input>,
    options: WriteOptions,
  ): Promise<Written> {
    const body = request();
    const answer = await this.#once(options, (id, rest) =>
      this.#calls.unary(method, { ...body, options: writeOptions(id, options) }, rest),
    );
    return {
      object: objectFromWire(answer.object),
      created: answer.created,
      changed: answer.changed,
      warnings: answer.warnings,
    };
  }

  /** A write under an id of its own, with what its turn has left of the time. */
  async #once<T>(options: CallOptions, write: (id: RequestId, rest: CallOptions) => Promise<T>): Promise<T> {
    const whole = new Deadline(options, limits.requestMsDefault);
    return this.#ids.run(whole, (id) => write(id, whole.rest()));
  }
}

/** @throws IkadaError BadRequest */
function checkPem(option: string, read: () => unknown): void {
  try {
    read();
  } catch (cause) {
    const hint = "give the text of the PEM file, not its path";
    throw new IkadaError("BadRequest", `${option} can't be read: ${String(cause)}`, { hint }, cause);
  }
}
