import type { ikada } from "#proto/api.js";
import { IkadaError } from "../base/errors.js";
import { apiMethods } from "../host/api-methods.js";
import type { Call, Listener } from "./listener.js";
import type { MemberAddresses, ReplicaControl } from "./replica-status.js";
import type { ReplicaLinks } from "./replicas/replica-links.js";

export interface ClusterServiceOptions {
  readonly clusterId: string;
  readonly version: string;
  readonly members: readonly MemberAddresses[];
  readonly replica: ReplicaControl;
  readonly links: ReplicaLinks;
}

/** How long a replica may take to say how it is; then it counts as not reachable. */
const askMs = 1_000;
const transferMs = 10_000;
const pollMs = 20;

/** ikada.api.v1.Cluster. Works on every replica, with and without a leader. */
export function addClusterService(listener: Listener, options: ClusterServiceOptions): void {
  listener.unary(apiMethods.clusterStatus, () => clusterStatus(options));
  listener.unary(apiMethods.transferLeadership, (request, call) => transferLeadership(options, request.to, call));
}

async function clusterStatus(options: ClusterServiceOptions): Promise<ikada.api.v1.IClusterStatusResponse> {
  const own = options.replica.status();
  const asked = await Promise.all(options.members.map((member) => memberStatus(options, member)));
  // The leader of the newest term that anybody knows.
  const best = [own, ...asked.map(({ status }) => status)].reduce((best, status) =>
    status && status.leader !== 0 && (best?.leader === 0 || status.term > (best?.term ?? 0)) ? status : best,
  );
  const progress = asked.find(({ progress }) => progress)?.progress;
  return {
    clusterId: options.clusterId,
    leader: best?.leader ?? 0,
    term: best?.term ?? 0,
    answeredBy: own.id,
    members: asked.map(({ wire }) => ({
      ...wire,
      match: progress?.find(({ id }) => id === wire.id)?.match ?? 0,
    })),
  };
}

type KnownStatus = Pick<ReturnType<ReplicaControl["status"]>, "term" | "leader">;
interface AskedMember {
  readonly wire: ikada.api.v1.IMember;
  readonly status: KnownStatus | undefined;
  /** Only of this replica, and only when it leads. */
  readonly progress: ReturnType<ReplicaControl["status"]>["progress"] | undefined;
}

async function memberStatus(options: ClusterServiceOptions, member: MemberAddresses): Promise<AskedMember> {
  const { id, name, api: apiAddress } = member;
  const own = options.replica.status();
  if (id === own.id) {
    const { role, term, commit, applied, lastIndex, revision } = own;
    const { version } = options;
    const wire = { id, name, apiAddress, reachable: true, role, term, commit, applied, lastIndex, revision, version };
    return { wire, status: own, progress: role === "Leader" ? own.progress : undefined };
  }
  try {
    const answer = await options.links.status(id, askMs);
    const { role, term, commit, applied, lastIndex, revision, version } = answer;
    const wire = { id, name, apiAddress, reachable: true, role, term, commit, applied, lastIndex, revision, version };
    return { wire, status: answer, progress: undefined };
  } catch (caught) {
    if (!(caught instanceof IkadaError)) throw caught;
    return { wire: { id, name, apiAddress, reachable: false, role: "" }, status: undefined, progress: undefined };
  }
}

/** Resolves when `to` leads. @throws IkadaError NotFound for no member, NoLeader, Deadline when it did not come to lead */
async function transferLeadership(
  { members, replica }: ClusterServiceOptions,
  to: number,
  call: Call,
): Promise<ikada.api.v1.ITransferLeadershipResponse> {
  if (!members.some(({ id }) => id === to)) {
    const known = members.map(({ id, name }) => `${id} (${name})`).join(", ");
    throw new IkadaError("NotFound", `there is no member ${to}`, { hint: `members are ${known}` });
  }
  if (replica.status().leader === 0) throw new IkadaError("NoLeader", "there is no leader that could transfer");
  const until = Date.now() + Math.min(transferMs, call.remainingMs());
  if (replica.status().leader !== to) replica.transferLeadership(to);
  while (replica.status().leader !== to) {
    if (call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
    if (Date.now() >= until) {
      throw new IkadaError("Deadline", `member ${to} did not come to lead`, {
        hint: "see whether it is reachable and caught up in the cluster's status",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return {};
}
