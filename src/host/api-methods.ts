import { ikada } from "#proto/api.js";
import { method } from "./grpc.js";

const { api } = ikada;
const { Cluster, Images, Nodes, Pods, Resources } = api.v1;

/** The methods of proto/api.proto, for the server and the SDK. */
export const apiMethods = {
  get: method(Resources.prototype.get, api.v1.GetRequest, api.v1.GetResponse),
  list: method(Resources.prototype.list, api.v1.ListRequest, api.v1.ListResponse),
  watch: method(Resources.prototype.watch, api.v1.WatchRequest, api.v1.WatchEvent),
  create: method(Resources.prototype.create, api.v1.CreateRequest, api.v1.WriteResponse),
  update: method(Resources.prototype.update, api.v1.UpdateRequest, api.v1.WriteResponse),
  apply: method(Resources.prototype.apply, api.v1.ApplyRequest, api.v1.WriteResponse),
  patch: method(Resources.prototype.patch, api.v1.PatchRequest, api.v1.WriteResponse),
  delete: method(Resources.prototype.delete, api.v1.DeleteRequest, api.v1.DeleteResponse),
  deleteCollection: method(
    Resources.prototype.deleteCollection,
    api.v1.DeleteCollectionRequest,
    api.v1.DeleteCollectionResponse,
  ),
  evict: method(Resources.prototype.evict, api.v1.EvictRequest, api.v1.DeleteResponse),
  explain: method(Resources.prototype.explain, api.v1.ExplainRequest, api.v1.ExplainResponse),
  scale: method(Resources.prototype.scale, api.v1.ScaleRequest, api.v1.WriteResponse),
  history: method(Resources.prototype.history, api.v1.HistoryRequest, api.v1.HistoryResponse),
  undo: method(Resources.prototype.undo, api.v1.UndoRequest, api.v1.WriteResponse),
  revisionAt: method(Resources.prototype.revisionAt, api.v1.RevisionAtRequest, api.v1.RevisionAtResponse),
  kinds: method(Resources.prototype.kinds, api.v1.KindsRequest, api.v1.KindsResponse),
  table: method(Resources.prototype.table, api.v1.TableRequest, api.v1.TableResponse),
  logs: method(Pods.prototype.logs, api.v1.LogsRequest, api.v1.LogsChunk),
  exec: method(Pods.prototype.exec, api.v1.ExecInput, api.v1.ExecOutput),
  attach: method(Pods.prototype.attach, api.v1.ExecInput, api.v1.ExecOutput),
  portForward: method(Pods.prototype.portForward, api.v1.PortForwardInput, api.v1.PortForwardOutput),
  readArchive: method(Pods.prototype.readArchive, api.v1.ReadArchiveRequest, api.v1.ArchiveChunk),
  writeArchive: method(Pods.prototype.writeArchive, api.v1.WriteArchiveInput, api.v1.WriteArchiveResponse),
  podStats: method(Pods.prototype.stats, api.v1.PodStatsRequest, api.v1.PodStatsResponse),
  nodeStats: method(Nodes.prototype.stats, api.v1.NodeStatsRequest, api.v1.NodeStatsResponse),
  loadImages: method(Images.prototype.load, api.v1.LoadImagesInput, api.v1.LoadImagesResponse),
  listImages: method(Images.prototype.list, api.v1.ListImagesRequest, api.v1.ListImagesResponse),
  clusterStatus: method(Cluster.prototype.status, api.v1.ClusterStatusRequest, api.v1.ClusterStatusResponse),
  transferLeadership: method(
    Cluster.prototype.transferLeadership,
    api.v1.TransferLeadershipRequest,
    api.v1.TransferLeadershipResponse,
  ),
  changeMembers: method(Cluster.prototype.changeMembers, api.v1.ChangeMembersRequest, api.v1.ChangeMembersResponse),
  backup: method(Cluster.prototype.backup, api.v1.BackupRequest, api.v1.BackupChunk),
} as const;

/**
 * Request header: an earlier try of the same request, by its client and sequence, may still be under way at another server. A refusal is then
 * written down first, so that the other try can't do what the caller was told was not done.
 */
export const repeatHeader = "ikada-repeat";

/** Response header of every API call: the API address of the leader, when one is known. */
export const leaderHeader = "ikada-leader";
