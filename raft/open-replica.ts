import type { Done } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { decodeConfChange, decodeConfState, encodeConfState } from "./conf-change.js";
import { applyChange } from "./core/configuration.js";
import { MemoryStorage } from "./core/memory-storage.js";
import type { ConfState, Entry, HardState, Index, NodeId } from "./core/types.js";
import type { RaftLogOptions } from "./log/raft-log.js";
import { RaftLog } from "./log/raft-log.js";
import type { LogContent } from "./log/replay.js";
import type { LogEnv } from "./log/segment-writer.js";
import type { MembershipMark } from "./membership-mark.js";
import { membershipMarkPath, readMembershipMark, writeMembershipMark } from "./membership-mark.js";

export interface OpenReplicaOptions extends RaftLogOptions {
  /** Voters of a new cluster, the same on each of them. Ignored when the log has a configuration. */
  readonly initialMembers: readonly NodeId[];
  /** What the state machine holds durably. */
  readonly appliedIndex: Index;
  /** Where `Env.disk` is on this machine, for error messages. */
  readonly dataFolder?: string;
}

/** What a member begins with. */
export interface Replica {
  readonly log: RaftLog;
  readonly storage: MemoryStorage;
  readonly initial: { readonly hardState: HardState; readonly configuration: ConfState; readonly applied: Index };
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
  RaftLog.open(options, env, onFatal, (error, opened) => {
    if (error) return done(error, undefined as never);
    const { log, content } = opened;
    const { configuration } = content;
    // The mark was written when the log had its first record.
    if (mark) return configuration ? assemble(options, log, content, configuration, done) : lost();
    const finish = (first: Uint8Array): void =>
      writeMembershipMark(env.disk, options, (writeError) =>
        writeError ? done(writeError, undefined as never) : assemble(options, log, content, first, done),
      );
    return configuration ? finish(configuration) : bootstrap(options, log, done, finish);
  });
  const lost = (): void => done(missingLog(options), undefined as never);
}

function bootstrap(
  options: OpenReplicaOptions,
  log: RaftLog,
  done: Done<Replica>,
  next: (configuration: Uint8Array) => void,
): void {
  if (!options.initialMembers.includes(options.node))
    return done(
      new IkadaError("BadRequest", `member ${options.node} is not among the first members of the cluster`, {
        hint: "List this server itself in its members.",
      }),
      undefined as never,
    );
  const voters = [...options.initialMembers].sort((left, right) => left - right);
  const configuration = encodeConfState({ voters, outgoing: [], learners: [], learnersNext: [], autoLeave: false });
  log.append({ configuration, entries: [], mustSync: true }, () => next(configuration));
  log.flush();
}

function assemble(
  options: OpenReplicaOptions,
  log: RaftLog,
  content: LogContent,
  configuration: Uint8Array,
  done: Done<Replica>,
): void {
  const { entries, hardState } = content;
  const applied = options.appliedIndex;
  if (applied > entries.length) return done(lostLog(applied, entries.length), undefined as never);
  const storage = new MemoryStorage();
  storage.append(entries);
  let initial: Replica["initial"];
  try {
    initial = { hardState, applied, configuration: configurationAt(configuration, entries.slice(0, applied)) };
  } catch (error) {
    return done(error as Error, undefined as never);
  }
  return done(null, { log, storage, initial });
}

/** The initial configuration with the changes among `entries`, all of them applied. */
function configurationAt(initial: Uint8Array, entries: readonly Entry[]): ConfState {
  let configuration = decodeConfState(initial);
  for (const { index, type, data } of entries) {
    if (type !== "ConfChange") continue;
    const result = applyChange(configuration, decodeConfChange(data));
    if ("error" in result) throw new IkadaError("Internal", `configuration change in entry ${index}: ${result.error}`);
    ({ configuration } = result);
  }
  return configuration;
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
