import { override, type Overrides } from "../overrides.js";
import { SeededRandom } from "../random.js";
import { drawSwarm, type Swarm } from "../swarm.js";

/** What the chaos of one world may do to nodes, each with the mean time between two; 0 for never. */
export interface NodeChaosRates {
  /** An agent's process ends and comes back. */
  readonly agentCrashMs: number;
  readonly agentPauseMs: number;
  /** The way between a node and some or all servers is cut, in one direction or both. */
  readonly cutMs: number;
  /** A machine loses power and comes back. */
  readonly rebootMs: number;
  /** A machine is lost for good; an operator deletes its Node some time later. */
  readonly lossMs: number;
  /** A new machine joins. */
  readonly joinMs: number;
  readonly engineHangMs: number;
  readonly engineDownMs: number;
  /** A container's main process ends: by itself, or killed for its memory. */
  readonly containerDeathMs: number;
  /** A Pod's sandbox ends. */
  readonly sandboxDeathMs: number;
  /** What runs on a machine answers no probes for a while. */
  readonly sickMs: number;
  readonly clockJumpMs: number;
  /** An operator marks a node as unschedulable, and later as schedulable again. */
  readonly cordonMs: number;
  /** The leader's process is killed after some entry of the log. */
  readonly leaderKillMs: number;
  /** Probability that passing one of an agent's failpoints ends its process. */
  readonly failpointRate: number;
}

export interface ClusterPart {
  readonly nodes: number;
  /** Machines beside the first ones. */
  readonly spareNodes: number;
  /** The operator deletes the Nodes of machines that are lost; else what ran there is replaced all the same. */
  readonly deletesNodes: boolean;
  /** Workloads of each client. */
  readonly workloads: number;
  /** What a machine offers. */
  readonly nodeCpuMilli: number;
  readonly nodePods: number;
  /** Between an agent and a server: time of a message, uniform, and how many may be under way before the way is full. */
  readonly delayUsMax: number;
  readonly windowMessages: number;
  /** A broken connection is noticed at once, as its sockets are closed. */
  readonly hints: boolean;
  /** How much slower than Docker was measured the engines are. */
  readonly engineSlowness: number;
  readonly pullMsMax: number;
  readonly pullErrorRate: number;
  /** Share of engine calls that fail; of half of them the answer alone is lost. */
  readonly engineErrorRate: number;
  /** Share of wishes for an image that no registry has. */
  readonly badImageRate: number;
  readonly chaos: NodeChaosRates;
}

/** Everything about a world of a whole cluster that its seed draws before it begins. */
export interface ClusterSwarm extends Swarm {
  readonly cluster: ClusterPart;
}

/** Numbers of its own beside those of the `raft` world of the same seed. */
const ownSeeds = 2 ** 42;
/** Of the faults of the `raft` world, whose times are in ticks: a cluster of Pods needs longer between two. */
const faultTickMs = 150;

export function drawClusterSwarm(seed: number, random: SeededRandom, overrides: Overrides = {}): ClusterSwarm {
  const own = new SeededRandom(seed + ownSeeds);
  const profile = own.chance(0.1) ? "disk" : "general";
  const swarm = { ...scaled(drawSwarm(seed, random, { profile }), own), cluster: drawCluster(own) };
  override(swarm, overrides);
  return swarm;
}

/** The raft world's draw with the times of a cluster: production's ticks, and phases of many seconds. */
function scaled(base: Swarm, own: SeededRandom): Swarm {
  const tickMs = own.pick([50, 50, 100]);
  const times = tickMs / base.tickMs;
  const faults = faultTickMs / base.tickMs;
  const { chaos, network, snapshots, disk } = base;
  const rates = Object.entries(chaos).map(([name, value]) => [
    name,
    name === "failpointRate" ? (value as number) / 10 : Math.round((value as number) * faults),
  ]);
  return {
    ...base,
    replicas: base.replicas === 1 ? 1 : own.chance(0.1) ? 5 : 3,
    oldLogShare: 0,
    watches: 0,
    clients: own.between(1, 3),
    thinkMs: own.pick([300, 1000, 3000]),
    clientTimeoutMs: own.between(1000, 3000),
    tickMs,
    flushIntervalMs: own.pick([200, 1000, 5000]),
    recentEventsMax: own.pick([1, 20, 1000]),
    compactMs: own.chance(0.2) ? own.pick([500, 5000]) : 0,
    safetyMs: own.between(8, own.pick([15, 25, 40])) * 1000,
    downMsMax: own.pick([300, 2000, 8000]),
    useCodec: false,
    network: {
      ...network,
      lossRate: Math.min(network.lossRate, 0.2),
      lateUsMax: Math.round(network.lateUsMax * times),
      delayUsMax: Math.min(Math.round(network.delayUsMax * times), 40_000),
    },
    segmentBytes: Math.max(base.segmentBytes, 65_536),
    growBytes: Math.max(base.growBytes, 4096),
    markerBytes: Math.max(base.markerBytes, 8192),
    appendEntriesMax: Math.max(base.appendEntriesMax, 8),
    inflightMessagesMax: Math.max(base.inflightMessagesMax, 8),
    compaction: base.compaction && {
      keptEntries: own.pick([16, 100]),
      keptBytes: own.pick([20_000, 200_000]),
      heldBytesMax: 1_000_000,
    },
    snapshots: {
      ...snapshots,
      chunkBytes: Math.max(snapshots.chunkBytes, 4096),
      messageBytes: Math.max(snapshots.messageBytes, 4096),
      windowBytes: 65_536,
      bytesPerSecond: 10_000_000,
      retryMs: Math.round(snapshots.retryMs * times),
      silentMsMax: Math.round(snapshots.silentMsMax * times),
    },
    disk: { ...disk, syncUsMax: Math.min(disk.syncUsMax, 20_000), capacityBytes: Infinity },
    chaos: { ...(Object.fromEntries(rates) as unknown as Swarm["chaos"]), diskFullMs: 0 },
    clockRateSpread: Math.min(base.clockRateSpread, 0.01),
  };
}

function drawCluster(own: SeededRandom): ClusterPart {
  const some = (probability: number, lowMs: number, highMs: number): number =>
    own.chance(probability) ? own.between(lowMs, highMs) : 0;
  return {
    nodes: own.between(3, own.pick([3, 4, 6])),
    spareNodes: own.between(0, 2),
    deletesNodes: own.chance(0.6),
    workloads: own.between(1, 2),
    nodeCpuMilli: own.pick([700, 2000, 4000]),
    nodePods: own.pick([8, 20, 110]),
    delayUsMax: own.pick([300, 3000, 60_000]),
    windowMessages: own.pick([1, 4, 1000]),
    hints: own.chance(0.7),
    engineSlowness: own.pick([0.2, 1, 1, 5]),
    pullMsMax: own.pick([100, 1500, 8000]),
    pullErrorRate: own.chance(0.3) ? own.pick([0.1, 0.5]) : 0,
    engineErrorRate: own.chance(0.3) ? own.pick([0.01, 0.1]) : 0,
    badImageRate: own.chance(0.4) ? 0.2 : 0,
    chaos: {
      agentCrashMs: some(0.6, 1500, 12_000),
      agentPauseMs: some(0.3, 2000, 12_000),
      cutMs: some(0.5, 2000, 15_000),
      rebootMs: some(0.3, 6000, 25_000),
      lossMs: some(0.3, 8000, 30_000),
      joinMs: some(0.4, 5000, 20_000),
      engineHangMs: some(0.2, 5000, 20_000),
      engineDownMs: some(0.2, 5000, 20_000),
      containerDeathMs: some(0.5, 500, 8000),
      sandboxDeathMs: some(0.2, 4000, 15_000),
      sickMs: some(0.3, 3000, 12_000),
      clockJumpMs: some(0.2, 4000, 20_000),
      cordonMs: some(0.3, 3000, 12_000),
      leaderKillMs: some(0.4, 2000, 10_000),
      failpointRate: own.chance(0.2) ? own.pick([0.005, 0.03]) : 0,
    },
  };
}
