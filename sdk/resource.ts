import { apiVersionOf } from "../src/api/kind.js";
import { kindNamed } from "../src/api/registry.js";
import type { AnyObject, ObjectMeta } from "../src/api/object.js";
import type { Scale } from "../src/api/scale.js";
import type { Change, DeleteOutcome } from "./answers.js";
import type { Client } from "./client.js";
import type { Informer, InformerOptions } from "./informer.js";
import type { ChangeFunction } from "./modify.js";
import type {
  ApplyOptions,
  DeleteCollectionOptions,
  Deleted,
  DeleteOptions,
  GetOptions,
  HistoryOptions,
  ListOptions,
  ModifyOptions,
  Page,
  PageOptions,
  PatchOptions,
  ScaleOptions,
  UndoOptions,
  WatchOptions,
  WriteOptions,
  Written,
} from "./options.js";
import type { Table, TableOptions } from "./table.js";
import type { WatchEvent } from "./watch.js";

/** An object to write: apiVersion and kind are known; with `generateName` the name is made by the server. */
export type Draft<T> = Omit<T, "apiVersion" | "kind" | "metadata" | "status"> & {
  readonly metadata: Omit<ObjectMeta, "name"> & { readonly name?: string };
};

/** The status of an object, and whose it is. */
export type StatusDraft<T> = Pick<T, Extract<keyof T, "status">> & { readonly metadata: ObjectMeta };

/**
 * The verbs of one kind, with its type. They are `Client`'s of the same names; what every call may end with stands there.
 *
 * @example
 * await client.configMaps.create({ metadata: { name: "settings", namespace: "default" }, data: { colour: "red" } });
 * await client.configMaps.modify("settings", (copy) => void (copy.data = { colour: "blue" }), { namespace: "default" });
 * const { data } = await client.configMaps.get("settings", { namespace: "default" });
 * console.log(data?.["colour"]);
 * await client.configMaps.delete("settings", { namespace: "default" });
 */
export class Resource<T> {
  /** @internal */
  protected readonly client: Client;
  /** @internal */
  protected readonly kind: string;

  /** @internal */
  constructor(client: Client, kind: string) {
    this.client = client;
    this.kind = kind;
  }

  /** One object. @throws IkadaError NotFound, Compacted */
  async get(name: string, options?: GetOptions): Promise<T> {
    return (await this.client.get(this.kind, name, options)) as T;
  }

  /** All objects as of one revision, fetched page by page while they are read. @throws IkadaError Compacted between pages */
  list(options?: ListOptions): AsyncGenerator<T, void, undefined> {
    return this.client.list(this.kind, options) as AsyncGenerator<T, void, undefined>;
  }

  /** One page of a list. @throws IkadaError Compacted */
  async listPage(options?: PageOptions): Promise<Page<T>> {
    return (await this.client.listPage(this.kind, options)) as Page<T>;
  }

  /** Objects as printed columns. @throws IkadaError NotFound for a name that is not there, Compacted, Unsupported by a server that is too old */
  table(options?: TableOptions): Promise<Table> {
    return this.client.table(this.kind, options);
  }

  /** Changes as they happen, over lost connections; leave the loop to end it. @throws IkadaError Compacted when it has to be listed anew */
  watch(options?: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined> {
    return this.client.watch(this.kind, options) as AsyncGenerator<WatchEvent<T>, void, undefined>;
  }

  /** A copy of the objects that is kept up to date, until it is closed. */
  informer<Index extends string = never>(
    options: InformerOptions<T & AnyObject, Index> = {},
  ): Informer<T & AnyObject, Index> {
    const generic = options as unknown as InformerOptions<AnyObject, Index>;
    return this.client.informer(this.kind, generic) as unknown as Informer<T & AnyObject, Index>;
  }

  /** Makes a new object. @throws IkadaError AlreadyExists, Invalid with the faulty fields, NotFound when the namespace is missing, TooLarge, QuotaExceeded */
  async create(object: Draft<T>, options?: WriteOptions): Promise<Written<T>> {
    return (await this.client.create(this.named(object), options)) as Written<T>;
  }

  /** Replaces all but the status; with a resourceVersion in it, only if it has not changed since. @throws IkadaError Conflict, Invalid, NotFound, TooLarge */
  async update(object: Draft<T>, options?: WriteOptions): Promise<Written<T>> {
    return (await this.client.update(this.named(object), options)) as Written<T>;
  }

  /** Reads, changes a copy and writes, until nobody was faster. @throws IkadaError Conflict after `triesMax` tries, NotFound, Invalid, BadRequest */
  async modify(
    name: string,
    change: ChangeFunction<T>,
    options?: Omit<ModifyOptions, "subresource">,
  ): Promise<Written<T>> {
    return (await this.client.modify(this.kind, name, change as ChangeFunction, options)) as Written<T>;
  }

  /** Makes the named fields what they are in `object`, and owns them. @throws IkadaError FieldConflict, Invalid, NotFound when the namespace is missing, TooLarge, QuotaExceeded */
  async apply(object: Draft<T>, options?: Omit<ApplyOptions, "subresource">): Promise<Written<T>> {
    return (await this.client.apply(this.named(object), options)) as Written<T>;
  }

  /** Changes parts of it, but for the status. @throws IkadaError NotFound, Invalid, BadRequest, Conflict */
  async patch(name: string, patch: object, options?: Omit<PatchOptions, "subresource">): Promise<Written<T>> {
    return (await this.client.patch(this.kind, name, patch, options)) as Written<T>;
  }

  /** Deletes one. @returns `removed: false` while finalizers or the node still have work to do @throws IkadaError NotFound, Conflict */
  async delete(name: string, options?: DeleteOptions): Promise<Deleted<T>> {
    return (await this.client.delete(this.kind, name, options)) as Deleted<T>;
  }

  /** Deletes all that match. @returns what became of each @throws IkadaError Compacted; what was deleted until then is */
  deleteCollection(options: DeleteCollectionOptions): Promise<readonly DeleteOutcome[]> {
    return this.client.deleteCollection(this.kind, options);
  }

  /** The kept changes of one, the newest first. @throws IkadaError Unavailable, Deadline, Cancelled */
  history(name: string, options?: HistoryOptions): AsyncGenerator<Change, void, undefined> {
    return this.client.history(this.kind, name, options);
  }

  /** Writes back what one was at a revision. @throws IkadaError NotFound when it was not there then, Compacted, Conflict, Invalid */
  async undo(name: string, revision: number, options?: UndoOptions): Promise<Written<T>> {
    return (await this.client.undo(this.kind, name, revision, options)) as Written<T>;
  }

  /** @internal */
  protected named(object: object): AnyObject {
    const kind = kindNamed(this.kind);
    return { apiVersion: apiVersionOf(kind), kind: kind.kind, ...object } as unknown as AnyObject;
  }
}

/**
 * The verbs of a kind whose status is written apart from the rest, by who reports it.
 *
 * @example
 * await client.nodes.create({ metadata: { name: "machine-9" }, spec: {} });
 * await client.nodes.patchStatus("machine-9", { status: { capacity: { cpu: "8" } } });
 * await client.nodes.delete("machine-9");
 */
export class StatusResource<T> extends Resource<T> {
  /** Replaces the status alone; with a resourceVersion in it, only if the object has not changed since. @throws IkadaError Conflict, Invalid, NotFound */
  async updateStatus(object: StatusDraft<T>, options?: WriteOptions): Promise<Written<T>> {
    return (await this.client.update(this.named(object), { ...options, subresource: "status" })) as Written<T>;
  }

  /** `modify` of the status alone. @throws IkadaError Conflict after `triesMax` tries, NotFound, Invalid, BadRequest */
  async modifyStatus(
    name: string,
    change: ChangeFunction<T>,
    options?: Omit<ModifyOptions, "subresource">,
  ): Promise<Written<T>> {
    const status = { ...options, subresource: "status" } as const;
    return (await this.client.modify(this.kind, name, change as ChangeFunction, status)) as Written<T>;
  }

  /** Makes the named fields of the status what they are in `object`, and owns them. @throws IkadaError FieldConflict, Invalid, NotFound */
  async applyStatus(object: StatusDraft<T>, options?: Omit<ApplyOptions, "subresource">): Promise<Written<T>> {
    return (await this.client.apply(this.named(object), { ...options, subresource: "status" })) as Written<T>;
  }

  /** Changes parts of the status. @throws IkadaError NotFound, Invalid, BadRequest, Conflict */
  async patchStatus(name: string, patch: object, options?: Omit<PatchOptions, "subresource">): Promise<Written<T>> {
    return (await this.client.patch(this.kind, name, patch, { ...options, subresource: "status" })) as Written<T>;
  }
}

/**
 * The verbs of a kind that has so many replicas.
 *
 * @example
 * const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:1" }] } };
 * const spec = { replicas: 2, selector: { matchLabels: { app: "web" } }, template };
 * await client.deployments.apply({ metadata: { name: "web", namespace: "default" }, spec });
 * await client.deployments.scale("web", 4, { namespace: "default", currentReplicas: 2 });
 * await client.deployments.delete("web", { namespace: "default" });
 */
export class ScalableResource<T> extends StatusResource<T> {
  /** Sets how many replicas it has. @throws IkadaError NotFound, Invalid, Conflict when it has not `currentReplicas` */
  async scale(name: string, replicas: number, options?: ScaleOptions): Promise<Written<T>> {
    return (await this.client.scale(this.kind, name, replicas, options)) as Written<T>;
  }

  /** How many replicas are wanted and there, and how they are selected. @throws IkadaError NotFound, Compacted */
  getScale(name: string, options?: GetOptions): Promise<Scale> {
    return this.client.getScale(this.kind, name, options);
  }

  /** Writes a Scale that was read, if nobody has changed its object since. @throws IkadaError Conflict, Invalid, NotFound */
  updateScale(scale: Scale, options?: WriteOptions): Promise<Written<Scale>> {
    return this.client.updateScale(this.kind, scale, options);
  }
}
