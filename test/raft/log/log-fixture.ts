import assert from "node:assert/strict";
import type { Log } from "../../../src/base/env.js";
import type { Entry } from "../../../raft/core/types.js";
import type { LogWrite } from "../../../raft/log/log-head.js";
import type { SnapshotPoint } from "../../../raft/log/log-point.js";
import { RaftLog, type RaftLogOptions } from "../../../raft/log/raft-log.js";
import type { LogContent } from "../../../raft/log/replay.js";
import type { LogEnv } from "../../../raft/log/segment-writer.js";
import type { MemoryDisk } from "../memory-disk.js";

export const quietLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  with: () => quietLog,
};

/** Small pieces, so that a test's few records cross all borders. */
export const smallLog: RaftLogOptions = {
  clusterId: "test-cluster",
  node: 1,
  segmentBytes: 1024,
  growBytes: 256,
  markerBytes: 1_000_000,
  reserveBytes: 0,
};

export function logEnv(disk: MemoryDisk): LogEnv {
  return {
    disk: disk.disk,
    clock: { now: () => disk.nowMs, monotonic: () => disk.nowMs },
    timers: { after: (_, run) => disk.later(run) },
    log: quietLog,
    failpoint: () => undefined,
  };
}

export interface OpenedLog {
  readonly log: RaftLog;
  readonly content: LogContent;
  readonly recoverTo: number;
  readonly fatal: Error[];
}

export function openLog(disk: MemoryDisk, options: Partial<RaftLogOptions> = {}): OpenedLog {
  const fatal: Error[] = [];
  let opened: OpenedLog | undefined;
  let failure: Error | undefined;
  RaftLog.open(
    { ...smallLog, ...options },
    logEnv(disk),
    (error) => fatal.push(error),
    (error, result) => {
      if (error) failure = error;
      else opened = { ...result, fatal };
    },
  );
  disk.run();
  if (failure) throw failure;
  assert(opened, "open must call back");
  return opened;
}

export function entry(index: number, term: number, text = `${term}/${index}`): Entry {
  return { index, term, type: "Normal", data: new TextEncoder().encode(text) };
}

export function point(index: number, term: number, ...configuration: number[]): SnapshotPoint {
  return { index, term, configuration: Uint8Array.from(configuration) };
}

export function entries(...list: Entry[]): LogWrite {
  return { entries: list, mustSync: true };
}

/** One durable write of its own. */
export function write(disk: MemoryDisk, log: RaftLog, ...writes: LogWrite[]): void {
  let completed = 0;
  for (const each of writes) log.append(each, () => completed++);
  log.flush();
  disk.run();
  assert.equal(completed, writes.length, "writes must be completed");
}

export function close(disk: MemoryDisk, log: RaftLog): void {
  let closed = false;
  log.close((error) => {
    assert.equal(error, null);
    closed = true;
  });
  disk.run();
  assert(closed, "close must call back");
}

/** Content in a form that deepEqual shows well. */
export function summary(content: LogContent): unknown {
  return {
    before: content.before,
    hardState: content.hardState,
    configurationIndex: content.configurationIndex,
    configuration: content.configuration && [...content.configuration],
    entries: content.entries.map(
      ({ index, term, type, data }) => `${index} ${term} ${type} ${new TextDecoder().decode(data)}`,
    ),
  };
}
