import { createHash } from "node:crypto";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { Registry } from "prom-client";
import type { AnyObject } from "../../src/api/object.js";
import type { Env, Log } from "../../src/base/env.js";
import { hostClock, hostTimers } from "../../src/host/clock.js";
import { createAuthority, issueCertificate } from "../../src/host/pki.js";
import type { Authority } from "../../src/host/pki.js";
import { hostRandom } from "../../src/host/random.js";
import { createClient } from "../../src/host/tls.js";
import type { Identity } from "../../src/host/tls.js";
import { ObjectCache } from "../../src/objects/cache.js";
import { encodeObject } from "../../src/objects/encode.js";
import { keyOfObject, storeKey } from "../../src/objects/keys.js";
import { podExplainer } from "../../src/scheduler/explain-pod.js";
import { defaultSchedulerSettings } from "../../src/scheduler/scheduler.js";
import { AddressBook } from "../../src/server/members/address-book.js";
import type { MemberStep, ReplicaStatus } from "../../src/server/replica-status.js";
import { startListeners } from "../../src/server/server.js";
import type { RunningServer, ServerOptions } from "../../src/server/server.js";
import { openLocalStore } from "../../store/local-store.js";
import type { Replica } from "../../store/replica.js";
import type { Store, TxnResult, WriteRequest } from "../../store/store.js";

export const tokens = { admin: "admin-token", view: "view-token" } as const;

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
export const users = [
  { name: "alice", role: "admin" as const, sha256: sha256(tokens.admin) },
  { name: "victor", role: "view" as const, sha256: sha256(tokens.view) },
];

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => silentLog,
};

export const env: Env = {
  clock: hostClock,
  timers: hostTimers,
  random: hostRandom,
  disk: undefined as never,
  log: silentLog,
  failpoint: () => undefined,
};

/** Several servers over one store in this process, as if consensus took no time. Server ids are 1, 2, … */
export class TestCluster {
  readonly authority: Authority;
  readonly store: Replica;
  readonly cache: ObjectCache;
  readonly servers: RunningServer[] = [];
  readonly transfers: number[] = [];
  readonly voters: number[] = [];
  readonly learners: number[] = [];
  /** Members that the leader does not hear, and how many entries others lack. */
  readonly silent = new Set<number>();
  readonly behind = new Map<number, number>();
  readonly addresses: { api: string; agents: string; replicas: string }[];
  leader = 1;
  term = 5;
  readonly #clients: grpc.Client[] = [];
  readonly #identities = new Map<string, Identity>();

  private constructor(authority: Authority, store: Replica, addresses: TestCluster["addresses"]) {
    this.authority = authority;
    this.store = store;
    this.cache = new ObjectCache(store, silentLog);
    this.addresses = addresses;
  }

  /** `storeOf` may wrap the store that one server sees. */
  static async start(
    count: number,
    more: Partial<ServerOptions> & { readonly storeOf?: (store: Store, id: number) => Store } = {},
  ): Promise<TestCluster> {
    const { storeOf = (store) => store, ...options } = more;
    const ports = await freePorts(count * 3);
    const addresses = Array.from({ length: count }, (_, at) => {
      const [api, agents, replicas] = ports.slice(at * 3);
      return { api: `127.0.0.1:${api}`, agents: `127.0.0.1:${agents}`, replicas: `127.0.0.1:${replicas}` };
    });
    const cluster = new TestCluster(await createAuthority("test"), await openLocalStore(env), addresses);
    await cluster.seed({ apiVersion: "v1", kind: "Namespace", metadata: { name: "default", uid: "ns-default" } });
    const members = addresses.map((address, at) =>
      Object.assign({ id: at + 1, name: `server-${at + 1}`, raft: `127.0.0.1:${at + 1}` }, address),
    );
    cluster.voters.push(...members.map(({ id }) => id));
    const book = new AddressBook(cluster.store, members, silentLog);
    for (const member of members) {
      const identity = await cluster.identity("server", member.name);
      cluster.servers.push(
        await startListeners({
          id: member.id,
          clusterId: "test-cluster",
          version: "0.0.0",
          members: book,
          listen: member,
          tls: { ...identity, authority: cluster.authority.certificate },
          users,
          store: storeOf(cluster.store, member.id),
          backups: cluster.store,
          etcd: cluster.store.etcd,
          cache: cluster.cache,
          replica: {
            status: () => cluster.status(member.id),
            transferLeadership: (to) => {
              cluster.transfers.push(to);
              cluster.leader = to;
            },
            changeMembers: (steps) => cluster.changeMembers(steps),
          },
          registry: new Registry(),
          clock: hostClock,
          timers: hostTimers,
          random: hostRandom,
          log: silentLog,
          explainers: { "/Pod": podExplainer(defaultSchedulerSettings) },
          heartbeatMs: 200,
          bookmarkMs: 50,
          ...options,
        }),
      );
    }
    return cluster;
  }

  status(id: number): ReplicaStatus {
    const revision = this.store.revision();
    const role = id === this.leader ? "Leader" : "Follower";
    const progress =
      role === "Leader" ? [...this.voters, ...this.learners].map((member) => this.#progress(member, revision)) : [];
    const { leader, term, voters, learners } = this;
    const log = { commit: revision, applied: revision, lastIndex: revision, revision };
    const sizes = { compactRevision: 0, liveBytes: 0, rowBytes: 0, digests: [] };
    return { id, role, term, leader, ...log, ...sizes, voters: [...voters], learners: [...learners], progress };
  }

  changeMembers(steps: readonly MemberStep[]): Promise<void> {
    for (const { type, node } of steps) {
      for (const list of [this.voters, this.learners]) if (list.includes(node)) list.splice(list.indexOf(node), 1);
      if (type !== "Remove") (type === "AddVoter" ? this.voters : this.learners).push(node);
    }
    return Promise.resolve();
  }

  #progress(id: number, commit: number): ReplicaStatus["progress"][number] {
    return { id, match: commit - (this.behind.get(id) ?? 0), active: !this.silent.has(id) };
  }

  /** Puts an object into the store past the API. */
  async seed(object: AnyObject): Promise<void> {
    const { bytes, revisionAt } = encodeObject(object);
    const put = { type: "put" as const, key: storeKey(keyOfObject(object)), value: bytes, revisionAt };
    await this.store.write({ txns: [{ compares: [], success: [put], failure: [] }], origin: "test" });
  }

  async identity(role: "server" | "node" | "user", name: string): Promise<Identity> {
    const known = this.#identities.get(`${role}/${name}`);
    if (known) return known;
    const addresses = role === "server" ? ["127.0.0.1", "localhost"] : [];
    const made = await issueCertificate(this.authority, { role, name, addresses, days: 1 });
    this.#identities.set(`${role}/${name}`, made);
    return made;
  }

  /** A raw client of one listener of a server. */
  client(listener: "api" | "agents" | "replicas", id = 1, identity?: Identity): grpc.Client {
    const address = this.addresses[id - 1]?.[listener] ?? "";
    const client = createClient(address, { authority: this.authority.certificate, ...(identity && { identity }) });
    this.#clients.push(client);
    return client;
  }

  /** Stops one server as a crash would. */
  async kill(id: number): Promise<void> {
    await this.servers[id - 1]?.close(0);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await Promise.all(this.servers.map((server) => server.close(0)));
    this.cache.close();
  }
}

export function bearer(token: string): grpc.Metadata {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}

export async function eventually<T>(look: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (let tries = 0; tries < 500; tries++) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("it did not happen within five seconds");
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** What to do instead of, or around, calls of a store. */
export interface Wrap {
  readonly barrier?: () => void;
  readonly write?: (
    request: WriteRequest,
    write: (request: WriteRequest) => Promise<readonly TxnResult[]>,
  ) => Promise<readonly TxnResult[]>;
  readonly watch?: () => never;
}

/** The store with some of its calls done otherwise. */
export function wrapped(store: Store, wrap: Wrap): Store {
  return {
    revision: () => store.revision(),
    peek: (key) => store.peek(key),
    peekPrefix: (prefix) => store.peekPrefix(prefix),
    barrier: (options) => {
      wrap.barrier?.();
      return store.barrier(options);
    },
    reached: (revision, options) => store.reached(revision, options),
    range: (query, options) => store.range(query, options),
    write: (request, options) => {
      const write = (again: WriteRequest) => store.write(again, options);
      return wrap.write ? wrap.write(request, write) : write(request);
    },
    answered: (client) => store.answered(client),
    compact: (revision, options) => store.compact(revision, options),
    revisionAt: (timeMs) => store.revisionAt(timeMs),
    changes: (query) => store.changes(query),
    watch: (prefix, from, observer) => (wrap.watch ? wrap.watch() : store.watch(prefix, from, observer)),
  };
}
