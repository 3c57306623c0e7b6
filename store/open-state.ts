import type { SnapshotPoint } from "../raft/log/log-point.js";
import { clusterHash } from "../raft/log/format.js";
import { cleanAtStart, type CompleteFile, listComplete } from "../raft/snapshot/files.js";
import { readSnapshotEnd } from "../raft/snapshot/file-reader.js";
import type { Done, Env } from "../src/base/env.js";
import { IkadaError } from "../src/base/errors.js";
import { decodeMeta } from "./codec.js";
import type { KeyValue } from "./key-value.js";
import { installKey, metaKey } from "./layout.js";
import { loadState } from "./load.js";
import { installSnapshot, SnapshotDamaged } from "./snapshot-install.js";
import type { StateMachine } from "./state-machine.js";

export interface OpenedState {
  readonly state: StateMachine;
  /** The newest snapshot here that the state contains: a log that does not reach it is reset to it. */
  readonly snapshot: SnapshotPoint | undefined;
}

/**
 * The state as it is on disk, after what a crash left undone: a complete snapshot that is newer than the state is
 * installed, and so is one whose installation had begun; half made files are removed.
 */
export function openState(
  env: Pick<Env, "disk" | "log">,
  keyValue: KeyValue,
  clusterId: string,
  done: Done<OpenedState>,
): void {
  const fail = (error: Error): void => done(error, undefined as never);
  const cluster = clusterHash(clusterId);
  cleanAtStart(env.disk, (cleanError) => {
    if (cleanError) return fail(cleanError);
    return listComplete(env.disk, (listError, complete) => {
      if (listError) return fail(listError);
      return positionOf(keyValue, (error, position) => {
        if (error) return fail(error);
        return reach(env, keyValue, cluster, position, complete, (reachError) => {
          if (reachError) return fail(reachError);
          return load(env, keyValue, cluster, done);
        });
      });
    });
  });
}

interface Position {
  readonly appliedIndex: number;
  /** Rows are those of neither state: a snapshot was being installed. */
  readonly isTorn: boolean;
}

function positionOf(keyValue: KeyValue, done: Done<Position>): void {
  keyValue.get(installKey(), (installError, installing) => {
    if (installError) return done(installError, undefined as never);
    return keyValue.get(metaKey(), (error, meta) => {
      if (error) return done(error, undefined as never);
      const isTorn = installing !== undefined;
      return done(null, { appliedIndex: meta && !isTorn ? decodeMeta(meta).appliedIndex : 0, isTorn });
    });
  });
}

/** Installs the newest file that is ahead of the state; one that turns out to be damaged is removed and the next one tried. */
function reach(
  env: Pick<Env, "disk" | "log">,
  keyValue: KeyValue,
  cluster: number,
  { appliedIndex, isTorn }: Position,
  [newest, ...others]: readonly CompleteFile[],
  done: (error: Error | null) => void,
): void {
  if (!newest || newest.index <= appliedIndex) return done(isTorn ? tornState() : null);
  const { path, index } = newest;
  env.log.info("installing a snapshot that is newer than the state", { index });
  return installSnapshot(env.disk, keyValue, { path, cluster, index }, (error) => {
    if (!(error instanceof SnapshotDamaged)) return done(error);
    env.log.warn("removed a damaged snapshot", { error: error.message });
    return env.disk.remove(path, (removeError) => {
      if (removeError) return done(removeError);
      return reach(env, keyValue, cluster, { appliedIndex, isTorn }, others, done);
    });
  });
}

function load(env: Pick<Env, "disk" | "log">, keyValue: KeyValue, cluster: number, done: Done<OpenedState>): void {
  loadState(keyValue, (error, state) => {
    if (error) return done(error, undefined as never);
    return listComplete(env.disk, (listError, complete) => {
      if (listError) return done(listError, undefined as never);
      return newestPoint(env, cluster, complete, state.appliedIndex, (pointError, snapshot) =>
        done(pointError, { state, snapshot }),
      );
    });
  });
}

function newestPoint(
  env: Pick<Env, "disk" | "log">,
  cluster: number,
  [newest, ...others]: readonly CompleteFile[],
  appliedIndex: number,
  done: Done<SnapshotPoint | undefined>,
): void {
  if (!newest) return done(null, undefined);
  if (newest.index > appliedIndex) return newestPoint(env, cluster, others, appliedIndex, done);
  return readSnapshotEnd(env.disk, newest.path, cluster, (error, point) => {
    if (error) return done(error, undefined);
    return point ? done(null, point) : newestPoint(env, cluster, others, appliedIndex, done);
  });
}

function tornState(): IkadaError {
  return new IkadaError(
    "Internal",
    "the state of this server was being replaced by a snapshot that is gone or damaged",
    {
      hint: 'Check the disk. The others serve without this server; docs/operations.md, "A server that has lost its data", says how it comes back.',
    },
  );
}
