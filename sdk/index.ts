/** What programs import: `import { Client } from "ikada"`. */
export { Client } from "./client.js";
export type { Change, DeleteOutcome } from "./answers.js";
export type {
  ApplyOptions,
  ClusterStatus,
  ConnectOptions,
  Deleted,
  DeleteCollectionOptions,
  DeleteOptions,
  GetOptions,
  HistoryOptions,
  ListOptions,
  LogOptions,
  Page,
  PageOptions,
  PatchOptions,
  PatchType,
  ReadAt,
  Scoped,
  Selection,
  WatchOptions,
  WriteOptions,
  Written,
} from "./client.js";
export { Cluster } from "./cluster.js";
export type { ChangeOptions, ClusterMember, Server } from "./cluster.js";
export type { CallOptions } from "./calls.js";
export { Resource } from "./resource.js";
export type { Draft } from "./resource.js";
export type { Table, TableOptions } from "./table.js";
export type { WatchEvent } from "./watch.js";
export type { KindName } from "./wire.js";
export { IkadaError } from "../src/base/errors.js";
export type { ErrorDetails, FieldFault, Reason } from "../src/base/errors.js";
export type { AnyObject, Condition, LabelSelector, ObjectMeta, OwnerReference } from "../src/api/object.js";
export type { Scale } from "../src/api/scale.js";
export type { ConfigMap, Event, Namespace, Node, Secret } from "../src/api/kinds/core.js";
export type { Deployment, ReplicaSet } from "../src/api/kinds/apps.js";
export type { Container, Pod, PodSpec, PodStatus } from "../src/api/kinds/pod.js";
