import { encodeConfState, encodeConfChange } from "../../raft/conf-change.js";
import type { Entry, Index, NodeId } from "../../raft/core/types.js";
import { writeU16, writeU32, writeU64 } from "../../raft/log/bytes.js";
import { crc32c } from "../../raft/log/crc32c.js";
import type { LogRecord } from "../../raft/log/format.js";
import {
  clusterHash,
  encodeHeader,
  encodeRecord,
  headerBytes,
  recordBytes,
  recordKinds,
  segmentPath,
} from "../../raft/log/format.js";
import { markerPath } from "../../raft/log/marker.js";
import { encodeCommand } from "../../store/codec.js";
import type { SimulatedDisk } from "./disk.js";
import type { SeededRandom } from "./random.js";

/**
 * What an older version left on the disks of some first members, which this version then starts on: segments and marker
 * of version 1, no file for the vote, hard states without the last index, changes of the members of format 1. The
 * members whose data is new have empty disks.
 *
 * The history is that of one leader in term 1, which a quorum at least has voted for; some have more of its log than others.
 */
export interface OldHistory {
  readonly clusterId: string;
  readonly members: readonly NodeId[];
  readonly leader: NodeId;
  readonly entries: readonly Entry[];
}

const entriesMax = 8;

/**
 * `hasChange`: of the members too, one at most, since a second one would prove the first one committed. A member that
 * joins by the log can't begin with one of format 1, which says nothing of the others.
 */
export function drawOldHistory(
  random: SeededRandom,
  clusterId: string,
  members: readonly NodeId[],
  hasChange: boolean,
): OldHistory {
  const count = random.int(entriesMax + 1);
  const changeAt = hasChange ? random.int(2 * entriesMax) : -1;
  const entries = Array.from({ length: count }, (_, at): Entry => {
    const entry = { index: at + 1, term: 1 };
    if (at === changeAt) return { ...entry, type: "ConfChange", data: harmlessChange(random.pick(members)) };
    const isNoOp = at === 0 || random.chance(0.2);
    return { ...entry, type: "Normal", data: isNoOp ? new Uint8Array(0) : oldCommand(random, entry.index) };
  });
  return { clusterId, members, leader: random.pick(members), entries };
}

/** Writes it to the disks of a share of the members, a quorum at least. Returns whose. */
export function placeOldHistory(
  random: SeededRandom,
  history: OldHistory,
  share: number,
  diskOf: (node: NodeId) => SimulatedDisk,
): NodeId[] {
  const { members, leader, entries } = history;
  const quorum = Math.floor(members.length / 2) + 1;
  const count = Math.max(quorum, Math.round(share * members.length));
  const others = random.shuffle(members.filter((node) => node !== leader)).slice(0, count - 1);
  const lengths = new Map(
    [leader, ...others].map((node) => [node, node === leader ? entries.length : random.int(entries.length + 1)]),
  );
  const byLength = [...lengths.values()].sort((left, right) => right - left);
  const committed = byLength[quorum - 1] ?? 0;
  for (const [node, length] of lengths) {
    const commit = random.int(Math.min(length, committed) + 1);
    placeOldLog(random, diskOf(node), node, { ...history, entries: entries.slice(0, length) }, commit);
  }
  return [...lengths.keys()];
}

function placeOldLog(
  random: SeededRandom,
  disk: SimulatedDisk,
  node: NodeId,
  history: OldHistory,
  commit: Index,
): void {
  const { clusterId, members, leader, entries } = history;
  const configuration = { voters: [...members], outgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const records: LogRecord[] = [
    { kind: recordKinds.configuration, index: 0, term: 0, payload: encodeConfState(configuration) },
    oldHardState(leader, 0),
    ...entries.map(({ index, term, type, data }) => {
      const kind = type === "Normal" ? recordKinds.entry : recordKinds.confChangeEntry;
      return { kind, index, term, payload: data };
    }),
    ...(commit > 0 ? [oldHardState(leader, commit)] : []),
  ];
  const size = records.reduce((sum, { payload }) => sum + recordBytes(payload.length), headerBytes);
  const bytes = new Uint8Array(size + random.pick([0, 256]));
  const cluster = clusterHash(clusterId);
  bytes.set(encodeHeader({ keyId: 0, cluster, node, sequence: 1, firstIndex: 1, previousCrc: 0 }));
  writeU16(bytes, 8, 1);
  writeU32(bytes, 60, crc32c(bytes, 0, 0, 60));
  let [at, batchOffset, crc] = [headerBytes, headerBytes, 0];
  let marked = { offset: headerBytes, crc };
  for (const record of records) {
    if (random.chance(0.5)) {
      batchOffset = at;
      if (random.chance(0.5)) marked = { offset: at, crc };
    }
    crc = encodeRecord(bytes, at, record, crc, batchOffset);
    at += recordBytes(record.payload.length);
  }
  disk.place(segmentPath(1), bytes);
  disk.place(markerPath, oldMarker(marked));
}

/** Version 1 had no last index in it. */
function oldHardState(vote: NodeId, commit: Index): LogRecord {
  const payload = new Uint8Array(8);
  writeU64(payload, 0, vote);
  return { kind: recordKinds.hardState, index: commit, term: 1, payload };
}

/** In the second slot: that of the first generation. */
function oldMarker({ offset, crc }: { readonly offset: number; readonly crc: number }): Uint8Array {
  const slotAt = 4096;
  const bytes = new Uint8Array(slotAt + 44);
  bytes.set(new TextEncoder().encode("IKADAMRK"), slotAt);
  writeU16(bytes, slotAt + 8, 1);
  writeU64(bytes, slotAt + 12, 1);
  writeU64(bytes, slotAt + 20, 1);
  writeU64(bytes, slotAt + 28, offset);
  writeU32(bytes, slotAt + 36, crc);
  writeU32(bytes, slotAt + 40, crc32c(bytes, 0, slotAt, slotAt + 40));
  return bytes;
}

/** Format 1: without the configuration that it makes. */
function harmlessChange(node: NodeId): Uint8Array {
  return encodeConfChange({ transition: "Auto", steps: [{ type: "Update", node }] });
}

function oldCommand(random: SeededRandom, index: Index): Uint8Array {
  const value = new TextEncoder().encode(`old:${index}`);
  return encodeCommand(random.uint32(), {
    txns: [{ compares: [], success: [{ type: "put", key: `old-${index}`, value, revisionAt: -1 }], failure: [] }],
    client: { id: "old-client", sequence: index },
    origin: "simulation",
  });
}
