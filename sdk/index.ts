/** What programs import: `import { Client } from "ikada"`. */
export { Client } from "./client.js";
export type { Change, DeleteOutcome, Explanation, ExplanationTable } from "./answers.js";
export type {
  ApplyOptions,
  ConnectOptions,
  Deleted,
  DeleteCollectionOptions,
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
  PatchType,
  ReadAt,
  ScaleOptions,
  Scoped,
  Selection,
  UndoOptions,
  UpdateOptions,
  WatchOptions,
  WriteOptions,
  Written,
} from "./options.js";
export { Cluster } from "./cluster.js";
export type { ChangeOptions, ClusterMember, Server } from "./cluster.js";
export type { BackupBegin, BackupFileOptions, BackupFileResult, BackupOptions } from "./cluster-backup.js";
export type { ClusterStatus } from "./cluster-status.js";
export type { Connection, ConnectionState, ConnectionStatus } from "./connection.js";
export type { CallOptions } from "./deadline.js";
export { Informer } from "./informer.js";
export type { InformerHandlers, InformerOptions } from "./informer.js";
export type { Attempt, AttemptResult, Interceptor } from "./interceptors.js";
export type { ChangeFunction } from "./modify.js";
export type { IndexBy } from "./object-index.js";
export { NodeImages } from "./node-images.js";
export type { ImageListOptions, NodeImage } from "./node-images.js";
export { PodAccess } from "./pod-access.js";
export type {
  AttachOptions,
  ContainerOptions,
  ContainerUsage,
  ExecOptions,
  NodeStats,
  NodeStatsOptions,
  PodOptions,
  PodStats,
  PodStatsOptions,
  Stats,
  UnreachedNode,
} from "./access-options.js";
export { RemoteProcess } from "./remote-process.js";
export type { ProcessOutput, TerminalSize } from "./remote-process.js";
export { Resource, ScalableResource, StatusResource } from "./resource.js";
export type { Draft, StatusDraft } from "./resource.js";
export type { Table, TableOptions } from "./table.js";
export type { WatchEvent } from "./watch.js";
export type { KindName } from "./wire.js";
export { IkadaError } from "../src/base/errors.js";
export type { Code, ErrorDetails, FieldFault, Reason } from "../src/base/errors.js";
export type { Mutable } from "../src/api/json.js";
export type { AnyObject, Condition, LabelSelector, ObjectMeta, OwnerReference } from "../src/api/object.js";
export type { Scale } from "../src/api/scale.js";
export type { ConfigMap, Event, Namespace, Node, Secret } from "../src/api/kinds/core.js";
export type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "../src/api/kinds/apps.js";
export type { CronJob, CronJobSpec, Job, JobSpec, JobStatus } from "../src/api/kinds/batch.js";
export type { PriorityClass } from "../src/api/kinds/priority.js";
export type { Container, Pod, PodSpec, PodStatus } from "../src/api/kinds/pod.js";
export type { PodDisruptionBudget } from "../src/api/kinds/policy.js";
