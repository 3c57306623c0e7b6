import { etcdserverpb as pb } from "#proto/etcd.js";
import { method } from "./grpc.js";

const { KV, Lease, Cluster, Maintenance, Auth, Watch } = pb;

/** The methods of proto/etcd.proto. */
export const etcdMethods = {
  range: method(KV.prototype.range, pb.RangeRequest, pb.RangeResponse),
  put: method(KV.prototype.put, pb.PutRequest, pb.PutResponse),
  deleteRange: method(KV.prototype.deleteRange, pb.DeleteRangeRequest, pb.DeleteRangeResponse),
  txn: method(KV.prototype.txn, pb.TxnRequest, pb.TxnResponse),
  compact: method(KV.prototype.compact, pb.CompactionRequest, pb.CompactionResponse),
  watch: method(Watch.prototype.watch, pb.WatchRequest, pb.WatchResponse),
  leaseGrant: method(Lease.prototype.leaseGrant, pb.LeaseGrantRequest, pb.LeaseGrantResponse),
  leaseRevoke: method(Lease.prototype.leaseRevoke, pb.LeaseRevokeRequest, pb.LeaseRevokeResponse),
  leaseKeepAlive: method(Lease.prototype.leaseKeepAlive, pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse),
  leaseTimeToLive: method(Lease.prototype.leaseTimeToLive, pb.LeaseTimeToLiveRequest, pb.LeaseTimeToLiveResponse),
  leaseLeases: method(Lease.prototype.leaseLeases, pb.LeaseLeasesRequest, pb.LeaseLeasesResponse),
  memberList: method(Cluster.prototype.memberList, pb.MemberListRequest, pb.MemberListResponse),
  alarm: method(Maintenance.prototype.alarm, pb.AlarmRequest, pb.AlarmResponse),
  status: method(Maintenance.prototype.status, pb.StatusRequest, pb.StatusResponse),
  defragment: method(Maintenance.prototype.defragment, pb.DefragmentRequest, pb.DefragmentResponse),
  hash: method(Maintenance.prototype.hash, pb.HashRequest, pb.HashResponse),
  hashKv: method(Maintenance.prototype.hashKV, pb.HashKVRequest, pb.HashKVResponse),
  authenticate: method(Auth.prototype.authenticate, pb.AuthenticateRequest, pb.AuthenticateResponse),
} as const;
