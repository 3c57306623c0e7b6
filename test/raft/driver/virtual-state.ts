import assert from "node:assert/strict";
import type { ReceivedSnapshot, SnapshotRequest } from "../../../raft/consensus.js";
import type { Entry } from "../../../raft/core/types.js";
import { clusterHash } from "../../../raft/log/format.js";
import type { SnapshotPoint } from "../../../raft/log/log-point.js";
import { examineSnapshot } from "../../../raft/snapshot/file-reader.js";
import { cleanAtStart, listComplete } from "../../../raft/snapshot/files.js";
import { SnapshotWriter, type WrittenSnapshot } from "../../../raft/snapshot/file-writer.js";
import type { Disk } from "../../../src/base/env.js";

/** A state machine that holds every entry it was given; its snapshots hold the same, an entry a row. */

export function writeEntries(
  disk: Disk,
  { cluster, chunkBytes }: SnapshotRequest,
  entries: readonly Entry[],
  done: (written: WrittenSnapshot | undefined) => void,
): void {
  const last = entries.at(-1);
  if (!last) return done(undefined);
  const writer = new SnapshotWriter(disk, { cluster, index: last.index, term: last.term });
  const rows = entries.map(({ term, index, type, data }) => JSON.stringify([term, index, type, [...data]]));
  const next = (from: number): void => {
    if (from === rows.length) return done(writer.written);
    let to = from;
    for (let bytes = 0; to < rows.length && bytes < chunkBytes; to += 1) bytes += (rows[to] ?? "").length;
    return writer.add(new TextEncoder().encode(rows.slice(from, to).join("\n")), (error) =>
      error ? done(undefined) : next(to),
    );
  };
  writer.open((error) => (error ? done(undefined) : next(0)));
}

export function installEntries(
  disk: Disk,
  { path, cluster }: Pick<ReceivedSnapshot, "path" | "cluster">,
  done: (entries: Entry[], point: SnapshotPoint) => void,
): void {
  const entries: Entry[] = [];
  examineSnapshot(
    disk,
    path,
    cluster,
    (payload, next) => {
      for (const row of new TextDecoder().decode(payload).split("\n")) {
        const [term, index, type, data] = JSON.parse(row) as [number, number, Entry["type"], number[]];
        entries.push({ term, index, type, data: Uint8Array.from(data) });
      }
      next(null);
    },
    (error, { file, fault }) => {
      assert(!error && file, `${path}: ${fault}`);
      done(entries, file);
    },
  );
}

/** What store/open-state.ts does for the real one. */
export function installAtStart(
  disk: Disk,
  member: { committed: Entry[]; appliedIndex: number; installed: number[] },
  done: (point: SnapshotPoint | undefined) => void,
): void {
  cleanAtStart(disk, (cleanError) => {
    assert.equal(cleanError, null);
    listComplete(disk, (error, [newest]) => {
      assert.equal(error, null);
      if (!newest) return done(undefined);
      return installEntries(disk, { path: newest.path, cluster: clusterHash("virtual") }, (entries, point) => {
        if (newest.index > member.appliedIndex) {
          member.committed = entries;
          member.appliedIndex = newest.index;
          member.installed.push(newest.index);
        }
        return done(point);
      });
    });
  });
}
