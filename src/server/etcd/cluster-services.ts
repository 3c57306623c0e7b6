import { createHash } from "node:crypto";
import { etcdserverpb as pb } from "#proto/etcd.js";
import { etcdMethods } from "../../host/etcd-methods.js";
import type { Listener } from "../listener.js";
import { etcdError, inEtcdWords } from "./etcd-error.js";
import type { EtcdServices } from "./etcd-services.js";

const { AlarmType } = pb;
type AlarmType = pb.AlarmType;
/** etcd's clients look at the version to know what a server can do. */
const spokenVersion = "3.5.0";

/** etcdserverpb.Cluster, Maintenance and Auth, as far as clients need them; members are changed by Ikada's own means. */
export function addClusterServices(listener: Listener, services: EtcdServices): void {
  listener.unary(etcdMethods.memberList, async ({ linearizable }, call) => {
    if (linearizable) await services.barrier(call.wait);
    return { header: services.header(), members: membersOf(services) };
  });
  listener.unary(etcdMethods.status, () => Promise.resolve(status(services)));
  listener.unary(etcdMethods.alarm, () => Promise.resolve({ header: services.header(), alarms: alarmsOf(services) }));
  // RocksDB gives space back by itself.
  listener.unary(etcdMethods.defragment, () => Promise.resolve({ header: services.header() }));
  listener.unary(etcdMethods.hash, async () => ({ header: services.header(), hash: await services.etcd.hashAt(0) }));
  listener.unary(etcdMethods.hashKv, async ({ revision }) => {
    const { etcd } = services;
    if (revision > etcd.revision()) throw etcdError("FutureRevision");
    const header = services.header();
    const hash = await inEtcdWords(etcd.hashAt(revision));
    return { header, hash, compactRevision: etcd.compactRevision() };
  });
  listener.unary(etcdMethods.authenticate, ({ name, password }) => {
    const sha256 = createHash("sha256").update(password).digest("hex");
    const user = services.users.find((one) => one.sha256 === sha256);
    // The token is the secret; a name that is not its owner's is a mistake that is better told.
    if (!user || (name !== user.name && name !== "token")) throw etcdError("AuthenticationFailed");
    return Promise.resolve({ header: services.header(), token: password });
  });
}

function membersOf({ members, replica }: EtcdServices): pb.IMember[] {
  const { learners } = replica.status();
  return members.members.map(({ id, name, api, raft }) => ({
    ID: id,
    name,
    peerURLs: [`https://${raft}`],
    clientURLs: [`https://${api}`],
    isLearner: learners.includes(id),
  }));
}

function status(services: EtcdServices): pb.IStatusResponse {
  const { id, leader, term, commit, applied, learners } = services.replica.status();
  const { liveBytes, rowBytes } = services.etcd.usage();
  return {
    header: services.header(),
    version: spokenVersion,
    dbSize: rowBytes,
    dbSizeInUse: liveBytes,
    leader,
    raftIndex: commit,
    raftTerm: term,
    raftAppliedIndex: applied,
    isLearner: learners.includes(id),
    errors: alarmsOf(services).map(({ memberID, alarm }) => `memberID:${memberID} alarm:${AlarmType[alarm]} `),
  };
}

/** That there is no space ends by itself; that a state differs does not. */
function alarmsOf({
  etcd,
  replica,
  diverged,
}: EtcdServices): { readonly memberID: number; readonly alarm: AlarmType }[] {
  const corrupt = diverged().map((memberID) => ({ memberID, alarm: AlarmType.CORRUPT }));
  if (etcd.usage().liveBytes <= etcd.quotaBytes) return corrupt;
  return [...corrupt, { memberID: replica.status().id, alarm: AlarmType.NOSPACE }];
}
