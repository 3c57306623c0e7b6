import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { encodeConfState } from "../../raft/conf-change.js";
import { clusterHash } from "../../raft/log/format.js";
import { completeSnapshot, SnapshotWriter } from "../../raft/snapshot/file-writer.js";
import { snapshotFolder } from "../../raft/snapshot/files.js";
import { defaultSnapshotTuning } from "../../raft/snapshot/tuning.js";
import { BackupFile } from "../../store/backup/file.js";
import { restoredRows } from "../../store/backup/restored-rows.js";
import type { KeyValuePair } from "../../store/key-value.js";
import { encodeRows, rowBytes } from "../../store/snapshot-rows.js";
import type { BackupAbout } from "../../store/store.js";
import type { Disk, Finished } from "../base/env.js";
import { IkadaError, InvariantError } from "../base/errors.js";
import type { ServerConfig } from "../config.js";
import { membersPrefix } from "../server/members/book-entry.js";
import { openFileSource } from "./file-source.js";
import { markFinished, markUnfinished } from "./unfinished.js";

/** Beyond all revisions that the old cluster can have handed out after the backup: 1,500 a second for a week. */
export const revisionBumpDefault = 1_000_000_000;
/** Beyond all terms that it can have reached: agents refuse assignments of an older one than they have seen. */
const termBump = 1_000_000;
/** A folder that a file system makes in its root. */
const ignoredNames = new Set(["lost+found"]);

export interface RestoreOptions {
  readonly file: string;
  readonly config: ServerConfig;
  readonly revisionBump: number;
}

export interface Restored {
  /** Of the backup. */
  readonly about: BackupAbout;
  /** Of the new cluster. */
  readonly revision: number;
  readonly etcdRevision: number;
  readonly term: number;
  readonly rows: number;
}

/**
 * Makes the data folder of the first server of a new cluster from a backup. What it makes is a Raft snapshot of which this server is the only
 * voter; the server takes it over when it starts, as it would one from a leader. Nothing of a file that is not whole is left.
 * @throws IkadaError Invalid, Damaged, Unsupported, NotFound, AlreadyExists for a folder that is not empty
 */
export async function restoreBackup(disk: Disk, { file, config, revisionBump }: RestoreOptions): Promise<Restored> {
  checkConfig(config);
  checkEmpty(config.dataFolder);
  const source = openFileSource(file);
  try {
    const backup = new BackupFile(source, createHash("sha256"));
    const { about } = backup;
    const term = about.appliedTerm + termBump;
    const isDropped = (key: string): boolean => key.startsWith(membersPrefix);
    await promised((done) => markUnfinished(disk, done));
    try {
      const rows = restoredRows(backup.rows(), { revisionBump, term, isDropped });
      const count = await writeSnapshot(disk, config, { index: about.appliedIndex, term }, rows);
      await promised((done) => markFinished(disk, done));
      const revision = about.objects.revision + revisionBump;
      return { about, revision, etcdRevision: about.etcd.revision + revisionBump, term, rows: count };
    } catch (caught) {
      // The folder was empty before.
      rmSync(join(config.dataFolder, snapshotFolder), { recursive: true, force: true });
      await promised((done) => markFinished(disk, done));
      throw explained(caught, file);
    }
  } finally {
    source.close();
  }
}

/** Others would have begun a cluster of their own if they were started like this. */
function checkConfig({ id, name, members, join }: ServerConfig): void {
  const hint =
    'the others join it afterwards, with "join": true and an empty data folder: docs/operations.md, "Restore"';
  const others = members.filter((member) => member.id !== id).map((member) => member.name);
  if (others.length > 0)
    throw new IkadaError(
      "Invalid",
      `members: ${name} begins a cluster of one server, but ${others.join(", ")} are listed`,
      {
        hint,
      },
    );
  if (join) throw new IkadaError("Invalid", `join: ${name} begins a cluster, so it joins none`, { hint });
}

function checkEmpty(dataFolder: string): void {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  const first = readdirSync(dataFolder).find((name) => !ignoredNames.has(name));
  if (first === undefined) return;
  throw new IkadaError("AlreadyExists", `the data folder ${dataFolder} is not empty: ${first} is in it`, {
    hint: "name an empty one; what a server had before is never mixed with a backup",
  });
}

async function writeSnapshot(
  disk: Disk,
  config: ServerConfig,
  { index, term }: { readonly index: number; readonly term: number },
  rows: Iterable<KeyValuePair>,
): Promise<number> {
  const writer = new SnapshotWriter(disk, { cluster: clusterHash(config.clusterId), index, term });
  await promised((done) => writer.open(done));
  let [count, bytes] = [0, 0];
  let waiting: KeyValuePair[] = [];
  const flush = async (): Promise<void> => {
    const payload = encodeRows(waiting);
    [waiting, bytes] = [[], 0];
    await promised((done) => writer.add(payload, done));
  };
  for (const row of rows) {
    waiting.push(row);
    bytes += rowBytes(row);
    count += 1;
    if (bytes >= defaultSnapshotTuning.chunkBytes) await flush();
  }
  if (waiting.length > 0) await flush();
  const configuration = { voters: [config.id], outgoing: [], learners: [], learnersNext: [], autoLeave: false };
  await promised((done) => completeSnapshot(disk, writer.written, encodeConfState(configuration), done));
  return count;
}

/** Rows that this version does not know: the file is whole, so a newer one has written them. */
function explained(caught: unknown, file: string): unknown {
  if (!(caught instanceof InvariantError)) return caught;
  return new IkadaError("Unsupported", `${file}: ${caught.message}`, {}, caught);
}

function promised(start: (done: Finished) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}
