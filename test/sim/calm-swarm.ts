import { limits } from "../../src/base/limits.js";
import { defaultSnapshotTuning } from "../../raft/snapshot/tuning.js";
import type { Swarm } from "./swarm.js";

/** What `general` is when nothing fails: production's settings, on machines that other processes keep busy. */
export function calmSwarm(general: Swarm): Swarm {
  const never = Object.fromEntries(Object.keys(general.chaos).map((name) => [name, 0])) as unknown as Swarm["chaos"];
  return {
    ...general,
    members: { ...general.members, changeMs: 0, spares: 0 },
    replicas: 3,
    clients: 1,
    keys: 5,
    thinkMs: 1000,
    readShare: 0.2,
    valueBytesMax: 64,
    clientTimeoutMs: 2000,
    watches: 1,
    tickMs: limits.tickMs,
    electionTicks: limits.electionTicks,
    electionJitterTicks: limits.electionJitterTicks,
    segmentBytes: 256 * 1024,
    growBytes: 16 * 1024,
    markerBytes: 64 * 1024,
    flushIntervalMs: 5000,
    recentEventsMax: 1000,
    compaction: { keptEntries: 500, keptBytes: 256 * 1024, heldBytesMax: 1024 * 1024 },
    snapshots: defaultSnapshotTuning,
    appendEntriesMax: limits.appendEntriesMax,
    inflightMessagesMax: limits.inflightMessagesMax,
    safetyMs: 3_600_000,
    // A pause is at most half as long again: 200 ms, as when others have the processor.
    downMsMax: 133,
    useCodec: false,
    network: {
      lossRate: 0,
      duplicateRate: 0,
      lateRate: 0.001,
      lateUsMax: 50_000,
      delayUsMin: 50,
      delayUsMax: 2000,
      ordered: true,
      hints: true,
      survivesRestart: false,
    },
    disk: {
      latencyUsMin: 20,
      latencyUsMax: 300,
      syncUsMin: 500,
      syncUsMax: 8000,
      stallRate: 0.0005,
      stallUsMax: 200_000,
      syncErrorRate: 0,
      writeErrorRate: 0,
      readErrorRate: 0,
      capacityBytes: Infinity,
    },
    keyValue: { latencyUsMin: 20, latencyUsMax: 1000, flushUsMin: 500, flushUsMax: 20_000, errorRate: 0 },
    oldLogShare: 0,
    // Each second one of the members gets no processor for a while.
    chaos: { ...never, pauseMs: 1000 },
    clockRateSpread: 0.0005,
  };
}
