import type { ikada } from "#proto/api.js";
import { IkadaError } from "../base/errors.js";
import { apiMethods } from "../host/api-methods.js";
import type { Log } from "../base/env.js";
import type { Backups } from "../../store/store.js";
import { sendBackup } from "./send-backup.js";
import type { Call, Listener } from "./listener.js";
import type { AddressBook } from "./members/address-book.js";
import { changeMembers } from "./members/change-members.js";
import type { MemberOperations } from "./members/member-operations.js";
import type { MemberAddresses, ReplicaControl, ReplicaStatus } from "./replica-status.js";
import type { ReplicaLinks } from "./replicas/replica-links.js";

export interface ClusterServiceOptions {
  readonly clusterId: string;
  readonly version: string;
  readonly members: AddressBook;
  readonly replica: ReplicaControl;
  readonly links: ReplicaLinks;
  readonly operations: MemberOperations;
  readonly backups: Backups;
  readonly log: Log;
}

/** How long a replica may take to say how it is; then it counts as not reachable. */
const askMs = 1_000;
/** The leader gives up after an election timeout, which load may stretch to a second. */
const transferMs = 4_000;
const pollMs = 20;

/** ikada.api.v1.Cluster. Works on every replica, with and without a leader. */
export function addClusterService(listener: Listener, options: ClusterServiceOptions): void {
  listener.unary(apiMethods.clusterStatus, () => clusterStatus(options));
  listener.unary(apiMethods.transferLeadership, async ({ to }, call) =>
    transferLeadership(options, to === 0 ? await bestSuccessor(options, call) : to, call),
  );
  listener.unary(apiMethods.changeMembers, (request, call) => changeMembers(options, request, call));
  listener.stream(apiMethods.backup, (stream, call) => sendBackup(options, stream, call));
}

async function clusterStatus(options: ClusterServiceOptions): Promise<ikada.api.v1.IClusterStatusResponse> {
  const own = options.replica.status();
  const asked = await Promise.all(options.members.members.map((member) => memberStatus(options, member)));
  const statuses = asked.flatMap(({ status }) => status ?? []);
  // What the newest term says that anybody knows a leader of.
  const { leader, term } = statuses
    .filter((status) => status.leader !== 0)
    .reduce((best, status) => (status.term > best.term ? status : best), { leader: 0, term: 0 });
  const leading = statuses.find(({ id }) => id === leader);
  const progress = leading?.progress ?? [];
  const { voters, learners } = leading ?? own;
  return {
    clusterId: options.clusterId,
    leader,
    term: leader === 0 ? own.term : term,
    answeredBy: own.id,
    members: asked.map(({ member, status }) => {
      const match = progress.find(({ id }) => id === member.id)?.match ?? 0;
      const membership = voters.includes(member.id) ? "Voter" : learners.includes(member.id) ? "Learner" : "None";
      return toWire(member, membership, status, match);
    }),
    removed: options.members.removed.map((member) => toWire(member, "Removed", undefined, 0)),
  };
}

function toWire(
  member: MemberAddresses,
  membership: string,
  status: KnownStatus | undefined,
  match: number,
): ikada.api.v1.IMember {
  const { id, name, api, agents, replicas, raft } = member;
  const addresses = { apiAddress: api, agentsAddress: agents, replicasAddress: replicas, raftAddress: raft };
  const common = { id, name, ...addresses, membership, match };
  if (!status) return { ...common, reachable: false, role: "" };
  const { role, term, commit, applied, lastIndex, revision, version } = status;
  return { ...common, reachable: true, role, term, commit, applied, lastIndex, revision, version };
}

interface AskedMember {
  readonly member: MemberAddresses;
  /** Undefined: it did not answer. */
  readonly status: KnownStatus | undefined;
}

interface KnownStatus extends Omit<
  ReplicaStatus,
  "role" | "progress" | "compactRevision" | "liveBytes" | "rowBytes" | "digests"
> {
  readonly role: string;
  readonly version: string;
  readonly progress: readonly { readonly id?: number | null; readonly match?: number | null }[];
}

async function memberStatus(options: ClusterServiceOptions, member: MemberAddresses): Promise<AskedMember> {
  const own = options.replica.status();
  if (member.id === own.id) return { member, status: { ...own, version: options.version } };
  try {
    return { member, status: await options.links.status(member.id, askMs) };
  } catch (caught) {
    if (!(caught instanceof IkadaError)) throw caught;
    return { member, status: undefined };
  }
}

/** Asked again for a while: a channel that was refused a moment ago does not dial at once. @throws IkadaError NotReady when no other voter answers */
async function bestSuccessor(options: ClusterServiceOptions, call: Call): Promise<number> {
  const until = Date.now() + Math.min(transferMs, call.remainingMs() / 2);
  for (;;) {
    const { leader, members } = await clusterStatus(options);
    const others = members?.filter((each) => each.membership === "Voter" && each.reachable && each.id !== leader) ?? [];
    const best = others.sort((left, right) => (right.lastIndex ?? 0) - (left.lastIndex ?? 0))[0]?.id;
    if (best) return best;
    if (call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
    if (Date.now() >= until)
      throw new IkadaError("NotReady", "no other voting server answers that could lead", {
        hint: "'ikada cluster status' shows who is reachable",
      });
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** As the leader says, when it answers. */
async function votes(options: ClusterServiceOptions, id: number): Promise<boolean> {
  const { members } = await clusterStatus(options);
  return members?.some((member) => member.id === id && member.membership === "Voter") ?? false;
}

/** Resolves when `to` leads. @throws IkadaError NotFound for no member, NoLeader, Invalid for a learner, NotReady when it did not come to lead */
async function transferLeadership(
  options: ClusterServiceOptions,
  to: number,
  call: Call,
): Promise<ikada.api.v1.ITransferLeadershipResponse> {
  const { members, replica } = options;
  if (!members.member(to)) {
    const known = members.members.map(({ id, name }) => `${id} (${name})`).join(", ");
    throw new IkadaError("NotFound", `there is no member ${to}`, { hint: `members are ${known}` });
  }
  // This replica may be behind; the leader knows.
  if (!replica.status().voters.includes(to) && !(await votes(options, to)))
    throw new IkadaError("Invalid", `server ${to} does not vote, so it can't lead`, {
      hint: "promote it first: 'ikada cluster promote'",
    });
  if (replica.status().leader === 0) throw new IkadaError("NoLeader", "there is no leader that could transfer");
  const until = Date.now() + Math.min(transferMs, call.remainingMs());
  if (replica.status().leader !== to) replica.transferLeadership(to);
  while (replica.status().leader !== to) {
    if (call.signal.aborted) throw new IkadaError("Cancelled", "the call was cancelled");
    if (Date.now() >= until) {
      throw new IkadaError("NotReady", `server ${to} did not come to lead`, {
        hint: "see whether it is reachable and caught up in the cluster's status",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return {};
}
