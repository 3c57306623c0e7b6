import type { Done } from "../src/base/env.js";
import { IkadaError, invariant } from "../src/base/errors.js";
import { decodeConfChange, decodeConfState, encodeConfState } from "./conf-change.js";
import type { ConfigurationFrom } from "./configurations.js";
import { applyChange } from "./core/configuration.js";
import { MemoryStorage } from "./core/memory-storage.js";
import type { InitialState } from "./core/state.js";
import type { ConfState, Index, NodeId } from "./core/types.js";
import type { SnapshotPoint } from "./log/log-point.js";
import type { OpenedLog, RaftLogOptions } from "./log/raft-log.js";
import { RaftLog } from "./log/raft-log.js";
import type { LogContent } from "./log/replay.js";
import type { LogEnv } from "./log/segment-writer.js";
import type { MembershipMark } from "./membership-mark.js";
import { membershipMarkPath, readMembershipMark, writeMembershipMark } from "./membership-mark.js";

export interface OpenReplicaOptions extends Omit<RaftLogOptions, "isRepairable"> {
  /** Voters of a new cluster, the same on each of them; none for a member that joins one. Ignored when the log has a configuration. */
  readonly initialMembers: readonly NodeId[];
  /** What the state machine holds durably. */
  readonly appliedIndex: Index;
  /** The newest snapshot that the state machine was made from, if any: a log that does not reach it is reset to it. */
  readonly snapshot?: SnapshotPoint | undefined;
  /** Where `Env.disk` is on this machine, for error messages. */
  readonly dataFolder?: string;
}

/** What a member begins with. */
export interface Replica {
  readonly log: RaftLog;
  readonly storage: MemoryStorage;
  /** As of each index from the log's first place on to `initial.applied`. */
  readonly configurations: readonly ConfigurationFrom[];
  readonly initial: InitialState;
}

/**
 * Opens the log and puts the member's state together, unless the data folder is another member's or has lost its
 * log. The configuration is data in the log: its first record
 * is the initial one, which holds from index 0, and every committed change is an entry behind it. So all
 * members of a new cluster begin with equal logs, without entries, and the first leader's no-op is entry 1.
 */
export function openReplica(
  options: OpenReplicaOptions,
  env: LogEnv,
  onFatal: (error: Error) => void,
  done: Done<Replica>,
): void {
  const fail = (error: Error): void => done(error, undefined as never);
  readMembershipMark(env.disk, (markError, mark) => {
    if (markError) return fail(markError);
    const stranger = mark && notThisMember(mark, options);
    if (stranger) return fail(stranger);
    return env.disk.list("log", (listError, names) => {
      if (listError) return fail(listError);
      if (mark && names.length === 0) return fail(missingLog(options));
      return openLog(options, mark, env, onFatal, done);
    });
  });
}

/** The mark is durable before the member can vote: afterwards it never again starts as one that has no past. */
function openLog(
  options: OpenReplicaOptions,
  mark: MembershipMark | undefined,
  env: LogEnv,
  onFatal: (error: Error) => void,
  done: Done<Replica>,
): void {
  const isRepairable = (content: LogContent): boolean => !isAlone(options, content);
  RaftLog.open({ ...options, isRepairable }, env, onFatal, (error, opened) => {
    if (error) return done(error, undefined as never);
    const { log, content, recoverTo } = opened;
    // The mark was written when the log had its first record.
    if (mark && !content.configuration && recoverTo === 0) return done(missingLog(options), undefined as never);
    const next = (configuration: Uint8Array): void =>
      reachSnapshot(options, { log, recoverTo, content: { ...content, configuration } }, done);
    const finish = mark
      ? next
      : (configuration: Uint8Array): void =>
          writeMembershipMark(env.disk, options, (writeError) =>
            writeError ? done(writeError, undefined as never) : next(configuration),
          );
    return content.configuration ? finish(content.configuration) : bootstrap(options, log, done, finish);
  });
}

/** Nobody else has what the log of the only voter lost. */
function isAlone(options: OpenReplicaOptions, content: LogContent): boolean {
  const lastIndex = content.before.index + content.entries.length;
  try {
    const voters = content.configuration
      ? configurationsUpTo(content, lastIndex).at(-1)!.configuration.voters
      : options.initialMembers;
    return voters.length <= 1;
  } catch {
    return true; // Nothing is known of others.
  }
}

function bootstrap(
  options: OpenReplicaOptions,
  log: RaftLog,
  done: Done<Replica>,
  next: (configuration: Uint8Array) => void,
): void {
  const { initialMembers } = options;
  if (initialMembers.length > 0 && !initialMembers.includes(options.node))
    return done(
      new IkadaError("BadRequest", `member ${options.node} is not among the first members of the cluster`, {
        hint: "List this server itself in its members.",
      }),
      undefined as never,
    );
  const voters = [...initialMembers].sort((left, right) => left - right);
  const configuration = encodeConfState({ voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false });
  const point = { index: 0, term: 0, configuration };
  log.append({ configuration: point, entries: [], mustSync: true }, () => next(configuration));
  log.flush();
}

/** A snapshot is installed before the log follows it: a crash between the two is made good here. */
function reachSnapshot(options: OpenReplicaOptions, opened: OpenedLog, done: Done<Replica>): void {
  const { snapshot } = options;
  const { log, recoverTo, content } = opened;
  const { before, entries, hardState } = content;
  if (!snapshot || snapshot.index <= before.index) return assemble(options, opened, done);
  const { index, term, configuration } = snapshot;
  if (entries[index - before.index - 1]?.term === term) return assemble(options, opened, done);
  // A member that was sent it has had the leader's term since before. A state that was restored from a backup brings its own, and no term is
  // below that of the last entry.
  const vote = term > hardState.term ? { term, vote: 0 } : hardState;
  const reached = { ...vote, commit: Math.max(hardState.commit, index) };
  const reset = { before: { index, term }, hardState: reached, entries: [], configuration, configurationIndex: index };
  return log.reset(snapshot, () => assemble(options, { log, recoverTo, content: reset }, done), reached);
}

function assemble(options: OpenReplicaOptions, { log, recoverTo, content }: OpenedLog, done: Done<Replica>): void {
  const { before, entries, hardState } = content;
  const lastIndex = before.index + entries.length;
  const firstPossible = Math.max(before.index, content.configurationIndex);
  // A log that lost its end is behind the state machine, until the others have repaired it. Behind its commit index may stand entries
  // whose replacements were lost: those are not what was applied.
  const applied =
    recoverTo > 0 ? Math.min(options.appliedIndex, Math.max(hardState.commit, firstPossible)) : options.appliedIndex;
  if (applied > lastIndex) return done(lostLog(applied, lastIndex), undefined as never);
  if (applied < firstPossible) return done(lostState(applied, firstPossible), undefined as never);
  const storage = new MemoryStorage(before);
  storage.append(entries);
  let configurations: ConfigurationFrom[];
  try {
    configurations = configurationsUpTo(content, applied);
  } catch (error) {
    return done(error as Error, undefined as never);
  }
  const configuration = configurations.at(-1)?.configuration as ConfState;
  const recovering = recoverTo && Math.max(recoverTo, options.appliedIndex);
  return done(null, {
    log,
    storage,
    configurations,
    initial: { hardState, applied, configuration, recoverTo: recovering },
  });
}

/** The log's configuration, and those that the changes behind it made, up to `applied`. */
function configurationsUpTo({ before, entries, ...content }: LogContent, applied: Index): ConfigurationFrom[] {
  invariant(content.configuration !== undefined, "the log has a configuration");
  let configuration = decodeConfState(content.configuration);
  const configurations = [{ index: content.configurationIndex, configuration }];
  const applicable = entries.slice(content.configurationIndex - before.index, applied - before.index);
  for (const { index, type, data } of applicable) {
    if (type !== "ConfChange") continue;
    const result = applyChange(configuration, decodeConfChange(data));
    if ("error" in result) throw new IkadaError("Internal", `configuration change in entry ${index}: ${result.error}`);
    ({ configuration } = result);
    configurations.push({ index, configuration });
  }
  return configurations;
}

/** Only durable entries are applied, so a log behind its state machine has been lost or replaced. */
function lostLog(applied: Index, lastIndex: Index): IkadaError {
  return new IkadaError(
    "Internal",
    `the state machine has applied entry ${applied}, but the Raft log ends at ${lastIndex}`,
    {
      hint: "The log of this replica was lost or is an older copy. Leave the replica stopped: the others serve without it while they are a majority.",
    },
  );
}

/** The log is cut only up to where the state machine is durable, so a state machine in front of it has been lost or replaced. */
function lostState(applied: Index, first: Index): IkadaError {
  return new IkadaError(
    "Internal",
    `the state machine has applied entry ${applied}, but the Raft log begins behind ${first}`,
    {
      hint: "The state of this replica was lost or is an older copy. Leave the replica stopped: the others serve without it while they are a majority.",
    },
  );
}

function notThisMember(mark: MembershipMark, { clusterId, node, dataFolder }: OpenReplicaOptions): Error | undefined {
  if (mark.clusterId === clusterId && mark.node === node) return undefined;
  const [kept, configured] = [mark, { clusterId, node }].map((one) => `member ${one.node} of cluster ${one.clusterId}`);
  return new IkadaError("Invalid", `${folderName(dataFolder)} belongs to ${kept}, this server is ${configured}`, {
    hint: "Correct id, clusterId or dataFolder in the configuration. A data folder is never used by another member.",
  });
}

function missingLog({ node, dataFolder }: OpenReplicaOptions): Error {
  const folder = folderName(dataFolder);
  return new IkadaError(
    "Internal",
    `the Raft log of member ${node} is gone: ${folder} has ${membershipMarkPath}, but nothing in log/`,
    {
      hint:
        "Put log/ back as it was when this server last ran, or leave the server stopped: the others serve without it while they are a majority. " +
        "On an emptied folder it would start without the votes and entries that it has acknowledged, which can lose writes: " +
        'docs/operations.md, "A server that has lost its data", says when that may be done.',
    },
  );
}

function folderName(dataFolder: string | undefined): string {
  return dataFolder === undefined ? "the data folder" : `the data folder ${dataFolder}`;
}
