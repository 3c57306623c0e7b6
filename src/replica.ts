import { join } from "node:path";
import { startConsensus } from "../raft/worker/handle.js";
import { removedError, type KnownMembers } from "../raft/worker/known-members.js";
import type { ConsensusStatus } from "../raft/consensus.js";
import { type OpenedState, openState } from "../store/open-state.js";
import { Replica } from "../store/replica.js";
import { RocksKeyValue } from "../store/rocks/rocks-key-value.js";
import type { HostEnv } from "./host/env.js";
import type { Scope } from "./base/lifecycle.js";
import type { ServerConfig } from "./config.js";
import { checkFinished } from "./backup/unfinished.js";
import { AddressBook } from "./server/members/address-book.js";
import { OwnEntry } from "./server/members/own-entry.js";
import type { MemberAddresses, ReplicaControl } from "./server/replica-status.js";

export interface OpenedReplica {
  readonly store: Replica;
  readonly control: ReplicaControl;
  readonly book: AddressBook;
}

/**
 * Opens this replica's part of the store: state machine on RocksDB in this thread, consensus in its own. What is opened
 * belongs to `scope`; closing hands leadership over first.
 * @throws IkadaError when log or state are damaged, with what to do
 */
export async function openReplica(
  config: ServerConfig,
  env: HostEnv,
  scope: Scope,
  onStatus: (status: ConsensusStatus) => void,
  onFatal: (error: Error) => void,
): Promise<OpenedReplica> {
  await new Promise<void>((resolve, reject) => {
    checkFinished(env.disk, config.dataFolder, (error) => (error ? reject(error) : resolve()));
  });
  const keyValue = scope.use(await RocksKeyValue.open(join(config.dataFolder, "state")));
  const { state, snapshot } = await new Promise<OpenedState>((resolve, reject) => {
    openState(env, keyValue, config.clusterId, (error, opened) => (error ? reject(error) : resolve(opened)));
  });
  const store = scope.use(
    new Replica({
      env,
      keyValue,
      state,
      onFatal,
      onStatus,
      quotaBytes: config.store.quotaMegabytes * 2 ** 20,
      etcdQuotaBytes: config.store.etcdQuotaMegabytes * 2 ** 20,
    }),
  );
  const book = scope.use(new AddressBook(store, config.members, env.log));
  if (book.isRemoved(config.id)) throw removedError(config.id);
  const own = config.members.find(({ id }) => id === config.id)!;
  const consensus = await startConsensus(
    {
      id: config.id,
      clusterId: config.clusterId,
      ...knownMembers(book, own),
      join: config.join,
      listen: config.listen.raft,
      dataFolder: config.dataFolder,
      tls: { certificate: config.tls.certificate, key: config.tls.key, authority: config.tls.ca },
      appliedIndex: state.appliedIndex,
      snapshot,
      tickMs: config.tickMs,
      failpoints: process.env["IKADA_FAILPOINTS"] ?? "",
    },
    store,
    env.log,
  );
  scope.defer(() => consensus.stop());
  store.connect(consensus);
  book.onChange(() => {
    if (book.isRemoved(config.id)) onFatal(removedError(config.id));
    else consensus.setMembers(knownMembers(book, own));
  });
  scope.use(new OwnEntry(book, own, env.log));
  return {
    store,
    book,
    control: {
      status: () => statusOf(config.id, store),
      transferLeadership: (to) => consensus.transferLeadership(to),
      changeMembers: async (steps, asOf, wait) =>
        void (await store.changeMembers({ transition: "Auto", steps, ...(asOf !== undefined && { asOf }) }, wait)),
    },
  };
}

/** Of itself this server knows best. */
function knownMembers(book: AddressBook, own: MemberAddresses): KnownMembers {
  const members = book.members.map((member) => (member.id === own.id ? own : member));
  return {
    members: members.map(({ id, name, raft }) => ({ id, name, address: raft })),
    removed: book.removed.map(({ id }) => id),
  };
}

function statusOf(id: number, store: Replica): ReturnType<ReplicaControl["status"]> {
  const { role, term, leader, commit, lastIndex, progress, configuration } = store.status() ?? starting;
  return {
    id,
    role,
    term,
    leader,
    commit,
    applied: store.appliedIndex(),
    lastIndex,
    revision: store.revision(),
    compactRevision: store.compactRevision(),
    ...store.usage(),
    digests: store.digests(),
    voters: [...new Set([...configuration.voters, ...configuration.outgoing])],
    learners: configuration.learners,
    progress,
  };
}

/** Before consensus has told anything. */
const starting = {
  role: "Follower",
  term: 0,
  leader: 0,
  commit: 0,
  lastIndex: 0,
  progress: [],
  configuration: { voters: [], outgoing: [], learners: [] },
} as const;
