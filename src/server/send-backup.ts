import { createHash } from "node:crypto";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import type { Log } from "../base/env.js";
import { IkadaError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { writeMessage } from "../host/grpc.js";
import type { Backup, Backups } from "../../store/store.js";
import type { Call } from "./listener.js";
import type { ReplicaControl } from "./replica-status.js";

export interface SendBackupOptions {
  readonly clusterId: string;
  readonly version: string;
  readonly replica: ReplicaControl;
  readonly backups: Backups;
  readonly log: Log;
}

type BackupStream = ServerWritableStream<ikada.api.v1.BackupRequest, ikada.api.v1.IBackupChunk>;

/** One message's worth; a chunk is longer where a row is. */
const messageBytesMax = 1024 * 1024;

/** ikada.api.v1.Cluster/Backup: this replica's whole state, while it goes on. @throws IkadaError NoLeader, Unavailable, Deadline, Cancelled */
export async function sendBackup(options: SendBackupOptions, stream: BackupStream, call: Call): Promise<void> {
  const { clusterId, version, log } = options;
  const isLocal = stream.request.local;
  const by = call.caller.name;
  const backup = await options.backups.openBackup(
    { clusterId, version, isLocal, digest: createHash("sha256") },
    call.wait,
  );
  log.info("sending a backup", { by, revision: backup.about.objects.revision, index: backup.about.appliedIndex });
  try {
    const bytes = await send(options, backup, stream, call);
    log.info("sent a backup", { by, bytes });
  } catch (caught) {
    log.warn("a backup was not sent to its end", { by, error: IkadaError.from(caught).message });
    throw caught;
  } finally {
    backup.close();
  }
}

async function send({ replica }: SendBackupOptions, backup: Backup, stream: BackupStream, call: Call): Promise<number> {
  const { objects, etcd } = backup.about;
  let begin: ikada.api.v1.IBackupBegin | undefined = {
    server: replica.status().id,
    revision: objects.revision,
    etcdRevision: etcd.revision,
  };
  const patience = new Patience(call.signal, backup);
  let sent = 0;
  try {
    for (let bytes = await backup.next(); bytes; bytes = await backup.next()) {
      for (let at = 0; at < bytes.length; at += messageBytesMax) {
        const data = bytes.subarray(at, at + messageBytesMax);
        await writeMessage(stream, { data, ...(begin && { begin }) }, patience.signal);
        begin = undefined;
        sent += data.length;
        patience.renew();
      }
    }
    return sent;
  } catch (caught) {
    throw patience.exhausted ?? caught;
  } finally {
    patience.end();
  }
}

/** Ends a backup whose reader has gone, stands still, or takes too long, also while it waits. */
class Patience {
  readonly #abort = new AbortController();
  readonly #caller: AbortSignal;
  readonly #backup: Backup;
  readonly #gone = (): void => this.#end(undefined);
  readonly #idle: NodeJS.Timeout;
  readonly #whole: NodeJS.Timeout;
  /** Why it was ended from here. */
  exhausted: IkadaError | undefined;

  constructor(caller: AbortSignal, backup: Backup) {
    this.#caller = caller;
    this.#backup = backup;
    const over = (why: string, ms: number) =>
      setTimeout(() => this.#end(new IkadaError("Deadline", `the backup was given up: ${why} ${ms / 1000} s`)), ms);
    this.#idle = over("nothing of it was taken for", limits.backupIdleMsMax);
    this.#whole = over("it took longer than", limits.backupMsMax);
    caller.addEventListener("abort", this.#gone, { once: true });
    if (caller.aborted) this.#gone();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  renew(): void {
    this.#idle.refresh();
  }

  end(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#whole);
    this.#caller.removeEventListener("abort", this.#gone);
  }

  #end(reason: IkadaError | undefined): void {
    this.exhausted = reason;
    this.#backup.close();
    this.#abort.abort();
  }
}
