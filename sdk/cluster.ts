import { IkadaError } from "../src/base/errors.js";
import { limits } from "../src/base/limits.js";
import { apiMethods } from "../src/host/api-methods.js";
import type { ikada } from "#proto/api.js";
import type { Calls } from "./calls.js";
import {
  backup,
  backupToFile,
  type BackupFileOptions,
  type BackupFileResult,
  type BackupOptions,
} from "./cluster-backup.js";
import { Deadline, type CallOptions } from "./deadline.js";

/** A server: id and name (that of its certificate) are who it is, the addresses where its listeners are reached. */
export interface Server {
  /** 1 to 1023; never one that another server had. */
  readonly id: number;
  /** The common name of its certificate. */
  readonly name: string;
  /** `host:port` for users. */
  readonly api: string;
  /** `host:port` for the agents of nodes. */
  readonly agents: string;
  /** `host:port` for the other servers. */
  readonly replicas: string;
  /** `host:port` for Raft among the servers. */
  readonly raft: string;
}

/** A server and its part in the Raft group. */
export interface ClusterMember extends Server {
  /** `None`: in the address book, and not in the Raft group yet. */
  readonly membership: "Voter" | "Learner" | "Removed" | "None";
  /** Whether it is the leader. */
  readonly leads: boolean;
  /** Entries of the log that it is not known to have; undefined without a leader. */
  readonly behind: number | undefined;
}

/** How to change the members. */
export interface ChangeOptions extends CallOptions {
  /** Also when too few of the remaining voters were heard from lately. @default false */
  readonly force?: boolean;
}

const pollMs = 300;

/**
 * The servers of the cluster. Every change may be repeated: what is as wanted already is left as it is. It works through any
 * server, and waits, within its deadline, for what only takes time: a new server that is not caught up, another change under way.
 *
 * @example
 * const [api, agents, replicas, raft] = ["192.0.2.14:7400", "192.0.2.14:7401", "192.0.2.14:7402", "192.0.2.14:7403"];
 * await client.cluster.add({ id: 4, name: "server-4", api, agents, replicas, raft });
 * await client.cluster.promote(4, { deadlineMs: 600_000 });
 * await client.cluster.remove(4);
 */
export class Cluster {
  readonly #calls: Calls;

  /** @internal */
  constructor(calls: Calls) {
    this.#calls = calls;
  }

  /** All servers, those included that were removed. @throws IkadaError Unavailable, Deadline, Cancelled */
  async members(options: CallOptions = {}): Promise<ClusterMember[]> {
    const { members, removed, leader } = await this.#calls.unary(apiMethods.clusterStatus, {}, options);
    const last = members.find(({ id }) => id === leader)?.lastIndex ?? undefined;
    return [...members, ...removed].map((member) => ({
      id: member.id ?? 0,
      name: member.name ?? "",
      api: member.apiAddress ?? "",
      agents: member.agentsAddress ?? "",
      replicas: member.replicasAddress ?? "",
      raft: member.raftAddress ?? "",
      membership: (member.membership || "Voter") as ClusterMember["membership"],
      leads: member.id === leader,
      behind: leader === 0 || last === undefined ? undefined : Math.max(0, last - (member.match ?? 0)),
    }));
  }

  /** Makes it a learner, which receives the log and does not vote; of a server that is there, changes the addresses. @throws IkadaError AlreadyExists for an id or name that is or was another's, Invalid, Unavailable, Deadline, Cancelled */
  async add(server: Server, options: CallOptions = {}): Promise<void> {
    await this.#change({ add: server }, options);
  }

  /** Lets a learner vote as soon as it is caught up. @throws IkadaError NotReady, with how far behind it is, when the deadline comes first; NotFound, Unavailable, Deadline, Cancelled */
  async promote(id: number, options: ChangeOptions = {}): Promise<void> {
    await this.#change({ promote: id }, options);
  }

  /** Makes a voter a learner. A leader hands over first. @throws IkadaError NotReady when too few voters would be left, NotFound, Unavailable, Deadline, Cancelled */
  async demote(id: number, options: ChangeOptions = {}): Promise<void> {
    await this.#change({ demote: id }, options);
  }

  /** Removes it for good. A leader hands over first. @throws IkadaError NotReady when too few voters would be left, NotFound, Unavailable, Deadline, Cancelled */
  async remove(id: number, options: ChangeOptions = {}): Promise<void> {
    await this.#change({ remove: id }, options);
  }

  /**
   * Adds `server`, waits until it is caught up, and lets it vote in the place of `old`, which is removed, in one step.
   * @throws IkadaError AlreadyExists, NotFound, NotReady, Invalid, Unavailable, Deadline, Cancelled
   */
  async replace(old: number, server: Server, options: ChangeOptions = {}): Promise<void> {
    const deadline = new Deadline(options, limits.requestMsDefault);
    await this.#change({ add: server }, { ...options, ...deadline.rest() });
    await this.#change({ replace: { old, replacement: server.id } }, { ...options, ...deadline.rest() });
  }

  /** Resolves when server `to`, or the best other one, leads. @throws IkadaError NotFound, Invalid for a learner, NotReady when it did not come to lead, Unavailable, Deadline, Cancelled */
  async transfer(to?: number, options: CallOptions = {}): Promise<void> {
    await this.#calls.unary(apiMethods.transferLeadership, { to: to ?? 0 }, options);
  }

  /**
   * The bytes of a backup of everything: objects, keys of etcd's services, leases, and who wrote what, as of one moment, while writes go on.
   * Every write that was acknowledged before the call is in it, unless `local`. The bytes are good once the loop has come to its end;
   * leaving it frees what the server holds for it. For admins alone: Secrets are in it.
   *
   * @throws IkadaError NoLeader, Overloaded when the server sends its share of backups already, Unavailable when it breaks off, Damaged when
   * it did not come whole, Deadline, Cancelled by `signal`
   *
   * @example
   * let bytes = 0;
   * for await (const piece of client.cluster.backup()) bytes += piece.length;
   */
  backup(options: BackupOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    return backup(this.#calls, options);
  }

  /**
   * The same into a file of mode 0600. It has its name only once it is whole and durable; otherwise nothing is left.
   *
   * @throws IkadaError AlreadyExists when the file is there and `force` is not given, DiskFull, and as `backup`
   *
   * @example
   * const { revision, sha256 } = await client.cluster.backupTo("ikada.backup", { deadlineMs: 600_000 });
   */
  backupTo(file: string, options: BackupFileOptions = {}): Promise<BackupFileResult> {
    return backupToFile(this.#calls, file, options);
  }

  /** As far as the log is known to be committed: a copy of a change that arrives after another change was made does nothing. */
  async #commit(deadline: Deadline): Promise<number> {
    const { members } = await this.#calls.unary(apiMethods.clusterStatus, {}, deadline.rest());
    return Math.max(...members.map(({ commit }) => commit ?? 0), 0);
  }

  async #change(change: ikada.api.v1.IChangeMembersRequest, options: ChangeOptions): Promise<void> {
    const deadline = new Deadline(options, limits.requestMsDefault);
    for (let last: IkadaError | undefined; ;) {
      if (last !== undefined && deadline.leftMs < pollMs) throw last;
      try {
        const request = { ...change, force: options.force ?? false, asOf: await this.#commit(deadline) };
        await this.#calls.unary(apiMethods.changeMembers, request, deadline.rest());
        return;
      } catch (caught) {
        const error = IkadaError.from(caught);
        if (error.reason === "Deadline" && last !== undefined) throw last;
        if (error.reason !== "NotReady" && error.reason !== "Conflict") throw error;
        last = error;
        if (deadline.leftMs > pollMs) await deadline.pause(pollMs, error);
      }
    }
  }
}
