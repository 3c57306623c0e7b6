import type { CompactionTuning } from "../../raft/compaction.js";
import type { SnapshotTuning } from "../../raft/snapshot/tuning.js";
import { calmSwarm } from "./calm-swarm.js";
import type { ClockShape } from "./clock.js";
import type { CrashLoss } from "./disk-file.js";
import type { DiskFaults } from "./disk.js";
import type { KeyValueFaults } from "./key-value.js";
import type { NetworkFaults } from "./network.js";
import { override, type Overrides } from "./overrides.js";
import { SeededRandom } from "./random.js";

/** What the chaos of one world may do, each with the mean time between two; 0 for never. */
export interface ChaosRates {
  readonly crashMs: number;
  /** All members lose power at once. */
  readonly blackoutMs: number;
  readonly partitionMs: number;
  readonly clogMs: number;
  readonly pauseMs: number;
  readonly clockJumpMs: number;
  readonly transferMs: number;
  /** All links stop one by one and work again in another order. */
  readonly swizzleMs: number;
  /** A disk answers nothing for a while. */
  readonly diskHangMs: number;
  /** A bit of a log flips, on the disks of a minority. */
  readonly rotMs: number;
  /** A disk is full for a while. */
  readonly diskFullMs: number;
  /** Probability that passing a failpoint ends the process. */
  readonly failpointRate: number;
}

/** Changes of the members; 0 for never. */
export interface MemberChaos {
  /** Mean time between two wishes; a leader refuses those that make no sense. */
  readonly changeMs: number;
  /** Machines beside the first members. */
  readonly spares: number;
  /** Share of removed members that come back under their id with an empty disk, against all advice. */
  readonly rejoinShare: number;
  /** Share of changes that are refused by nobody although they are unwise: fewer than three voters, learners that lag. */
  readonly unwiseShare: number;
}

/** What a share of the worlds is about; `general` for all others. */
export type Profile = "general" | "membership" | "disk" | "calm";

/** Everything about a world that its seed draws before it begins. */
export interface Swarm {
  readonly profile: Profile;
  /** Another course of the same world: shrinking tries some. */
  readonly salt: number;
  /** Requests that one client makes in the phase with faults. */
  readonly operationsMax: number;
  readonly members: MemberChaos;
  readonly replicas: number;
  readonly clients: number;
  readonly keys: number;
  /** Mean pause of a client between two operations. */
  readonly thinkMs: number;
  readonly readShare: number;
  readonly valueBytesMax: number;
  /** After this long a client asks another replica. */
  readonly clientTimeoutMs: number;
  readonly watches: number;
  readonly tickMs: number;
  readonly electionTicks: number;
  readonly electionJitterTicks: number;
  readonly segmentBytes: number;
  readonly growBytes: number;
  readonly markerBytes: number;
  readonly flushIntervalMs: number;
  readonly recentEventsMax: number;
  /** So little of the log is kept that members which were away need a snapshot; undefined: as in production, which is all of it here. */
  readonly compaction: CompactionTuning | undefined;
  readonly snapshots: SnapshotTuning;
  readonly appendEntriesMax: number;
  readonly inflightMessagesMax: number;
  /** Length of the phase with faults. */
  readonly safetyMs: number;
  readonly downMsMax: number;
  readonly useCodec: boolean;
  readonly network: NetworkFaults;
  readonly disk: DiskFaults;
  readonly keyValue: KeyValueFaults;
  readonly loss: CrashLoss;
  /** Share of crashes that are the end of a process only, not of its machine. */
  readonly processOnlyShare: number;
  readonly chaos: ChaosRates;
  readonly clockRateSpread: number;
  /** Mean time between compactions of the store's history, each through any replica; 0 for none. */
  readonly compactMs: number;
  /** Share of the first members whose log an older version wrote; 0 for none, else a quorum has one at least. */
  readonly oldLogShare: number;
}

interface Size {
  /** Probability of five replicas; else there are three. */
  readonly fiveShare: number;
  readonly clientsMax: number;
  readonly watchesMax: number;
  readonly thinkMs: readonly number[];
  readonly safetyTicks: readonly [number, number];
}

const small: Size = { fiveShare: 0.15, clientsMax: 2, watchesMax: 1, thinkMs: [10, 30, 80], safetyTicks: [30, 90] };
const medium: Size = {
  fiveShare: 0.35,
  clientsMax: 4,
  watchesMax: 2,
  thinkMs: [5, 10, 30, 80],
  safetyTicks: [60, 200],
};
const large: Size = { fiveShare: 0.5, clientsMax: 6, watchesMax: 2, thinkMs: [2, 10, 30], safetyTicks: [150, 400] };

/** Most mistakes need few steps, so most worlds are small: many of them find more in a minute than few large ones. */
function drawSize(random: SeededRandom): Size {
  const draw = random.next();
  return draw < 0.85 ? small : draw < 0.985 ? medium : large;
}

/**
 * Draws a world (swarm testing: Groce et al., ISSTA 2012): each fault is on or off and has its own strength, since mixing
 * all of them at middling rates hides what needs one alone.
 */
export function drawSwarm(seed: number, random: SeededRandom, overrides: Overrides = {}): Swarm {
  const drawn = drawProfile(random);
  const profile = typeof overrides["profile"] === "string" ? (overrides["profile"] as Profile) : drawn;
  const general = { ...drawOf(profile, random), compactMs: drawCompactMs(seed) };
  const swarm = profile === "calm" ? calmSwarm(general) : general;
  override(swarm, overrides);
  return swarm;
}

/** From numbers of its own: what other draws give stays as it was before there was compaction, for the remembered seeds' sake. */
function drawCompactMs(seed: number): number {
  const random = new SeededRandom(seed + 2 ** 40);
  return random.chance(0.3) ? random.pick([20, 100, 400]) : 0;
}

/** A share of all worlds is about what the general ones seldom reach. */
function drawProfile(random: SeededRandom): Profile {
  const draw = random.next();
  return draw < 0.7 ? "general" : draw < 0.88 ? "membership" : "disk";
}

function drawOf(profile: Profile, random: SeededRandom): Omit<Swarm, "compactMs"> {
  const on = (probability: number): boolean => random.chance(probability);
  const someMs = (probability: number, low: number, high: number): number =>
    on(probability) ? random.between(low, high) : 0;
  const size = drawSize(random);
  const tickMs = random.pick([5, 10, 10, 20]);
  const electionTicks = random.between(5, 10);
  const slowDisk = on(0.25);
  const isAboutMembers = profile === "membership";
  const isAboutDisks = profile === "disk";
  return {
    profile,
    salt: 0,
    operationsMax: 1_000_000,
    members: {
      changeMs: isAboutMembers ? random.between(3, 20) * tickMs : 0,
      spares: isAboutMembers ? random.between(1, 4) : 0,
      rejoinShare: 0,
      unwiseShare: random.pick([0, 0, 0.3]),
    },
    replicas: random.chance(0.03) ? 1 : random.chance(size.fiveShare) ? 5 : 3,
    clients: random.between(1, size.clientsMax),
    keys: random.between(1, 5),
    thinkMs: random.pick(size.thinkMs),
    readShare: random.pick([0.1, 0.4, 0.7]),
    valueBytesMax: random.pick([8, 64, 700, 2000]),
    clientTimeoutMs: random.between(20, 60) * tickMs,
    watches: random.int(size.watchesMax + 1),
    tickMs,
    electionTicks,
    electionJitterTicks: random.between(2, electionTicks),
    segmentBytes: random.pick([512, 512, 2048, 8192, 65_536]),
    growBytes: random.pick([256, 1024, 4096]),
    markerBytes: random.pick([256, 1024, 8192]),
    flushIntervalMs: random.pick([20, 100, 1000]),
    recentEventsMax: random.pick([1, 5, 1000]),
    compaction: on(0.4)
      ? {
          keptEntries: random.pick([1, 4, 16]),
          keptBytes: random.pick([200, 2000, 20_000]),
          heldBytesMax: random.pick([20_000, 200_000]),
        }
      : undefined,
    snapshots: {
      chunkBytes: random.pick([64, 500, 4096]),
      messageBytes: random.pick([50, 700, 4096]),
      windowBytes: random.pick([700, 8192]),
      bytesPerSecond: random.pick([100_000, 10_000_000]),
      syncBytes: random.pick([1, 4096]),
      retryMs: random.between(2, 10) * tickMs,
      silentMsMax: random.between(20, 60) * tickMs,
    },
    appendEntriesMax: random.pick([1, 2, 8, 256]),
    inflightMessagesMax: random.pick([1, 2, 8, 64]),
    safetyMs: random.between(size.safetyTicks[0], size.safetyTicks[1]) * tickMs,
    downMsMax: random.pick([2, 20, 60]) * tickMs,
    useCodec: on(0.1),
    network: {
      lossRate: on(0.5) ? random.pick([0.01, 0.05, 0.2, 0.4]) : 0,
      duplicateRate: on(0.4) ? random.pick([0.02, 0.2]) : 0,
      lateRate: on(0.4) ? random.pick([0.02, 0.1]) : 0,
      lateUsMax: random.between(1, 30) * tickMs * 1000,
      delayUsMin: 20,
      delayUsMax: random.pick([100, 500, 2000, 500 * tickMs]),
      ordered: on(0.4),
      hints: on(0.7),
      survivesRestart: on(0.3),
    },
    disk: {
      latencyUsMin: 5,
      latencyUsMax: random.pick([20, 200]),
      syncUsMin: 20,
      syncUsMax: slowDisk ? random.between(1, 4) * tickMs * 1000 : random.pick([50, 500, 2000]),
      stallRate: on(0.2) ? 0.01 : 0,
      stallUsMax: random.between(2, 40) * tickMs * 1000,
      syncErrorRate: on(isAboutDisks ? 0.5 : 0.1) ? random.pick([0.002, 0.02]) : 0,
      writeErrorRate: on(isAboutDisks ? 0.3 : 0.05) ? 0.002 : 0,
      readErrorRate: on(isAboutDisks ? 0.3 : 0.05) ? 0.01 : 0,
      capacityBytes: on(0.05) ? random.between(4_000, 80_000) : Infinity,
    },
    keyValue: {
      latencyUsMin: 5,
      latencyUsMax: random.pick([50, 1000]),
      flushUsMin: 50,
      flushUsMax: random.pick([200, 5000]),
      errorRate: on(isAboutDisks ? 0.2 : 0.03) ? 0.003 : 0,
    },
    loss: {
      processOnly: false,
      keep: random.pick(["nothing", "prefix", "subset", "subset"]),
      tearRate: random.pick([0, 0.3, 0.9]),
      tearBytes: random.pick([1, 512]),
    },
    processOnlyShare: random.pick([0, 0.3, 0.9]),
    chaos: {
      crashMs: someMs(0.7, 8, 60) * tickMs,
      blackoutMs: someMs(0.35, 25, 120) * tickMs,
      partitionMs: someMs(0.6, 8, 60) * tickMs,
      clogMs: someMs(0.3, 8, 60) * tickMs,
      pauseMs: someMs(0.3, 8, 60) * tickMs,
      clockJumpMs: someMs(0.3, 10, 80) * tickMs,
      transferMs: someMs(0.3, 10, 80) * tickMs,
      swizzleMs: someMs(0.1, 20, 80) * tickMs,
      diskHangMs: someMs(isAboutDisks ? 0.7 : 0.1, 15, 80) * tickMs,
      rotMs: isAboutDisks ? someMs(0.5, 8, 60) * tickMs : 0,
      diskFullMs: someMs(isAboutDisks ? 0.4 : 0.03, 15, 80) * tickMs,
      failpointRate: on(0.3) ? random.pick([0.0005, 0.003, 0.01]) : 0,
    },
    clockRateSpread: on(0.3) ? random.pick([0.01, 0.1]) : 0,
    oldLogShare: on(0.12) ? random.pick([0.5, 1]) : 0,
  };
}

export function drawClock(random: SeededRandom, swarm: Swarm): ClockShape {
  return {
    rate: 1 + (2 * random.next() - 1) * swarm.clockRateSpread,
    wallOffsetMs: random.between(-5_000, 5_000),
    monotonicOffsetMs: random.int(1_000_000),
    timerLatenessUsMax: random.pick([0, 50, swarm.tickMs * 300]),
  };
}
