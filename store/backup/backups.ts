import type { Done, Env } from "../../src/base/env.js";
import type { IkadaError } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import type { Index } from "../../raft/core/types.js";
import type { KeyValue } from "../key-value.js";
import type { Backup, BackupRequest, Revision, WaitOptions } from "../store.js";
import { WaitList } from "../wait-list.js";
import type { Waiter } from "../waiter.js";
import { backupPace, BackupTaking } from "./taking.js";

/** What backups need of their replica. */
export interface BackupHost {
  readonly env: Pick<Env, "timers" | "clock">;
  readonly keyValue: KeyValue;
  waiter<T>(wait: WaitOptions | undefined, what: string, done: Done<T>): Waiter<T>;
  barrier(done: Done<Revision>, wait: WaitOptions): void;
  appliedIndex(): Index;
  /** The disk answers reads with everything up to here. */
  writtenIndex(): Index;
}

/** The backups that one replica is making. Callers hear of a write before the disk has it, and a backup is read from disk: so it waits for that first. */
export class ReplicaBackups {
  readonly #host: BackupHost;
  readonly #pace = backupPace();
  readonly #byWritten = new WaitList<void>();
  readonly #open = new Set<BackupTaking>();

  constructor(host: BackupHost) {
    this.#host = host;
  }

  open(request: BackupRequest, done: Done<Backup>, options: WaitOptions = {}): void {
    const { clock } = this.#host.env;
    const deadlineMs = options.deadlineMs ?? limits.requestMsDefault;
    const endMs = clock.monotonic() + deadlineMs;
    const fail = (error: Error): void => done(error, undefined as never);
    const begin = (): void => {
      const wait = { ...options, deadlineMs: endMs - clock.monotonic() };
      this.#written(wait, (error) => (error ? fail(error) : this.#begin(request, done)));
    };
    if (request.isLocal) return begin();
    return this.#host.barrier((error) => (error ? fail(error) : begin()), { ...options, deadlineMs });
  }

  /** To be called when the disk has everything up to here. */
  written(index: Index): void {
    this.#byWritten.advance(index, undefined);
  }

  close(reason: IkadaError): void {
    this.#byWritten.refuseAll(reason);
    for (const backup of this.#open) backup.close(reason);
  }

  #written(wait: WaitOptions, done: (error: Error | null) => void): void {
    const waiter = this.#host.waiter<void>(wait, "the disk of this replica does not have the newest writes yet", done);
    const index = this.#host.appliedIndex();
    if (waiter.finished) return;
    if (index <= this.#host.writtenIndex()) waiter.answer();
    else this.#byWritten.add(index, waiter);
  }

  #begin(request: BackupRequest, done: Done<Backup>): void {
    const { env, keyValue } = this.#host;
    const onClose = (backup: BackupTaking): void => void this.#open.delete(backup);
    BackupTaking.begin(env, keyValue.view(), this.#pace, request, onClose, (error, backup) => {
      if (!error) this.#open.add(backup);
      return done(error, backup);
    });
  }
}
