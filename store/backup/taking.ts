import { Pace } from "../../raft/snapshot/pace.js";
import { defaultSnapshotTuning } from "../../raft/snapshot/tuning.js";
import type { Done, Env, Timer } from "../../src/base/env.js";
import { IkadaError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { decodeKeyspace, decodeMeta } from "../codec.js";
import type { KeyValueView } from "../key-value.js";
import { etcdKeyspace, installKey, keyspaceKey, metaKey, objectKeyspace } from "../layout.js";
import { RowChunks } from "../row-chunks.js";
import { encodeRows } from "../snapshot-rows.js";
import type { Backup, BackupAbout, BackupRequest, KeyspaceRevisions } from "../store.js";
import { encodeAbout, encodeBackupEnd, encodeBackupHeader, encodeRowsChunk } from "./format.js";

type TakingEnv = Pick<Env, "timers" | "clock">;

/** All backups of one replica together keep to the rate. */
export function backupPace(): Pace {
  return new Pace(limits.backupBytesPerSecond);
}

/**
 * One backup: the rows as they were on disk when its view was taken, read piece by piece as its reader asks, while writes go on. In memory
 * are one page and one chunk. The view keeps the disk from reclaiming space until `close`.
 */
export class BackupTaking implements Backup {
  readonly about: BackupAbout;
  readonly #env: TakingEnv;
  readonly #view: KeyValueView;
  readonly #pace: Pace;
  readonly #digest: BackupRequest["digest"];
  readonly #chunks: RowChunks;
  readonly #onClose: (taking: BackupTaking) => void;
  #number = 0;
  #rows = 0;
  #rowBytes = 0;
  #state: "Begin" | "Rows" | "Digest" | "End" | "Closed" = "Begin";
  #pause: Timer | undefined;
  #waiting: ((reason: Error) => void) | undefined;

  /** The view is closed by `close`, or here when there is no whole state. @throws through `done` IkadaError Unavailable */
  static begin(
    env: TakingEnv,
    view: KeyValueView,
    pace: Pace,
    request: BackupRequest,
    onClose: (taking: BackupTaking) => void,
    done: Done<BackupTaking>,
  ): void {
    readAbout(view, request, env.clock.now(), (error, about) => {
      if (!error) return done(null, new BackupTaking(env, view, pace, request, about, onClose));
      view.close();
      return done(error, undefined as never);
    });
  }

  private constructor(
    env: TakingEnv,
    view: KeyValueView,
    pace: Pace,
    request: BackupRequest,
    about: BackupAbout,
    onClose: (taking: BackupTaking) => void,
  ) {
    this.about = about;
    this.#env = env;
    this.#view = view;
    this.#pace = pace;
    this.#digest = request.digest;
    this.#chunks = new RowChunks(view, request.chunkBytes ?? defaultSnapshotTuning.chunkBytes);
    this.#onClose = onClose;
  }

  next(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#waiting = reject;
      this.#read((error, bytes) => {
        if (this.#waiting !== reject) return;
        if (error) return reject(error);
        if (!bytes) return resolve(undefined);
        const waitMs = this.#pace.take(bytes.length, this.#env.clock.monotonic());
        this.#pause = this.#env.timers.after(waitMs, () => resolve(bytes));
      });
    });
  }

  close(reason = new IkadaError("Cancelled", "the backup was given up")): void {
    if (this.#state === "Closed") return;
    this.#state = "Closed";
    this.#pause?.cancel();
    this.#view.close();
    this.#waiting?.(reason);
    this.#waiting = undefined;
    this.#onClose(this);
  }

  #read(done: Done<Uint8Array | undefined>): void {
    switch (this.#state) {
      case "Begin":
        this.#state = "Rows";
        return this.#give(joined(encodeBackupHeader(), encodeAbout(this.about)), done);
      case "Rows":
        return this.#chunks.next((error, rows) => {
          if (error) return done(error, undefined);
          this.#number += 1;
          for (const { key, value } of rows) this.#rowBytes += key.length + value.length;
          this.#rows += rows.length;
          if (rows.length > 0) return this.#give(encodeRowsChunk(this.#number, encodeRows(rows)), done);
          this.#state = "Digest";
          const totals = { chunks: this.#number - 1, rows: this.#rows, rowBytes: this.#rowBytes };
          return this.#give(encodeBackupEnd(this.#number, totals), done);
        });
      case "Digest":
        this.#state = "End";
        return done(null, this.#digest.digest());
      case "End":
        return done(null, undefined);
      case "Closed":
        return done(new IkadaError("Cancelled", "the backup was given up"), undefined);
    }
  }

  #give(bytes: Uint8Array, done: Done<Uint8Array | undefined>): void {
    this.#digest.update(bytes);
    done(null, bytes);
  }
}

function readAbout(view: KeyValueView, request: BackupRequest, timeMs: number, done: Done<BackupAbout>): void {
  const fail = (error: Error): void => done(error, undefined as never);
  view.get(installKey(), (installError, installing) => {
    if (installError) return fail(installError);
    if (installing) return fail(notNow("it is taking over a snapshot"));
    return view.get(metaKey(), (metaError, meta) => {
      if (metaError) return fail(metaError);
      if (!meta) return fail(notNow("it has no state yet"));
      const { appliedIndex, appliedTerm } = decodeMeta(meta);
      return readRevisions(view, objectKeyspace, (objectsError, objects) => {
        if (objectsError) return fail(objectsError);
        return readRevisions(view, etcdKeyspace, (error, etcd) => {
          const { clusterId, version } = request;
          return done(error, { clusterId, version, timeMs, appliedIndex, appliedTerm, objects, etcd });
        });
      });
    });
  });
}

/** Rows of before the second keyspace have none for it. */
function readRevisions(view: KeyValueView, keyspace: number, done: Done<KeyspaceRevisions>): void {
  view.get(keyspaceKey(keyspace), (error, row) => {
    if (error) return done(error, undefined as never);
    const { revision, compactRevision } = row ? decodeKeyspace(row) : { revision: 0, compactRevision: 0 };
    return done(null, { revision, compactRevision });
  });
}

function notNow(why: string): IkadaError {
  return new IkadaError("Unavailable", `this replica can't be backed up now: ${why}`, { hint: "ask another server" });
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(left.length + right.length);
  bytes.set(left);
  bytes.set(right, left.length);
  return bytes;
}
