import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { IkadaError } from "../../sdk/index.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { nodeName, type World } from "./world.js";

/** What a round did, as far as its outcome has to show it. */
export interface Round {
  /** By Pod: how often its container really ended. */
  readonly died: ReadonlyMap<string, number>;
  /** How long it took until what was broken ran again, where a drill measures it. */
  readonly repairedMs?: number;
}

export interface Drill {
  /** What `npm run drills` does without `--times`. */
  readonly times: number;
  /** How long what is taken away stays away, without `--away-seconds`. */
  readonly awayMs: number;
  /** Whether the engine keeps containers while dockerd is away. */
  readonly liveRestore: boolean;
  /** Every container of the engine ends in a round. */
  readonly endsAll?: boolean;
  /** The fault, until it is over. The world is whole before, and checked afterwards. */
  run(world: World, round: number, awayMs: number): Promise<Round>;
}

/** By the names that `--drill` takes, in the order in which they run. */
export const drills: Readonly<Record<string, Drill>> = {
  agent: { times: 20, awayMs: 0, liveRestore: true, run: killAgent },
  remove: { times: 20, awayMs: 0, liveRestore: true, run: removeByHand },
  servers: { times: 5, awayMs: 120_000, liveRestore: true, run: killServers },
  disk: { times: 5, awayMs: 20_000, liveRestore: true, run: fillDisks },
  hang: { times: 5, awayMs: 60_000, liveRestore: true, run: hangEngine },
  "engine-live": { times: 10, awayMs: 5_000, liveRestore: true, run: restartEngine },
  engine: { times: 10, awayMs: 5_000, liveRestore: false, endsAll: true, run: restartEngine },
};

/** @throws IkadaError BadRequest */
export function drillNamed(name: string): Drill {
  const drill = Object.hasOwn(drills, name) ? drills[name] : undefined;
  if (drill !== undefined) return drill;
  const hint = `there are ${Object.keys(drills).join(", ")}`;
  throw new IkadaError("BadRequest", `--drill: there is no drill "${name}"`, { hint });
}

const nobody: Round = { died: new Map() };

/** Every second time a container ends while nobody looks. */
async function killAgent(world: World, round: number): Promise<Round> {
  const pod = await podOf(world, round);
  const container = await world.containerOf(pod);
  const pid = world.cluster.pid(nodeName);
  await world.cluster.kill(nodeName);
  if (round % 2 === 1) await container.kill();
  await world.cluster.eventually("a new agent", () => {
    const now = world.cluster.pid(nodeName);
    return Promise.resolve(now !== undefined && now !== pid);
  });
  return round % 2 === 1 ? { died: once(pod) } : nobody;
}

/** The container, every second time the sandbox, without which the container ends too. */
async function removeByHand(world: World, round: number): Promise<Round> {
  const pod = await podOf(world, round);
  const victim = await world.containerOf(pod, round % 2 === 0 ? "container" : "sandbox");
  const main = await world.containerOf(pod);
  await victim.remove({ force: true });
  const removedAt = performance.now();
  await world.cluster.eventually(`another container of ${pod.metadata.name}`, async () => {
    const found = await world.containers("container", pod);
    return found.length > 0 && found.every(({ Id }) => Id !== main.id);
  });
  return { died: once(pod), repairedMs: performance.now() - removedAt };
}

/** Containers end twice meanwhile, and run again each time without a control plane. */
async function killServers(world: World, round: number, awayMs: number): Promise<Round> {
  const pods = await world.pods();
  const names = world.cluster.cluster.servers.map(({ name }) => name);
  const over = new AbortController();
  const keptDown = keepKilling(world, names, over.signal);
  const begunAt = performance.now();
  const died = new Map<string, number>();
  try {
    for (const half of [0, 1]) {
      const victims = pods.filter((_pod, at) => at % 2 === (half + round) % 2);
      for (const pod of victims) {
        await (await world.containerOf(pod)).kill();
        died.set(pod.metadata.name, 1);
      }
      await world.cluster.eventually("all containers, without servers", async () => {
        return (await world.containers("container")).length === pods.length;
      });
    }
    await sleep(Math.max(0, awayMs - (performance.now() - begunAt)));
  } finally {
    over.abort();
    await keptDown;
  }
  return { died };
}

/** The supervisor starts again what is killed, so it is killed again. */
async function keepKilling(world: World, names: readonly string[], signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const name of names) {
      const pid = world.cluster.pid(name);
      if (pid !== undefined) killQuietly(pid);
    }
    await sleep(50);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (caught) {
    // The one before is dead, and its successor not there yet.
    if ((caught as NodeJS.ErrnoException).code !== "ESRCH") throw caught;
  }
}

/** Of the engine and of the agent, to the last byte. A container is removed meanwhile, and has to come back when there is room. */
async function fillDisks(world: World, round: number, awayMs: number): Promise<Round> {
  const pod = await podOf(world, round);
  const container = await world.containerOf(pod);
  const ballasts = [world.engine.diskFolder, world.cluster.dataFolder(nodeName)].map((at) => join(at, "ballast"));
  try {
    for (const ballast of ballasts) fill(ballast);
    await container.remove({ force: true });
    const until = performance.now() + awayMs;
    // What the removal gave back is taken too.
    for (; performance.now() < until; await sleep(200)) for (const ballast of ballasts) fill(ballast);
  } finally {
    for (const ballast of ballasts) rmSync(ballast, { force: true });
  }
  return { died: once(pod) };
}

function fill(file: string): void {
  for (let bytes = 2 ** 20; bytes >= 1; bytes = Math.floor(bytes / 16)) {
    try {
      for (;;) appendFileSync(file, Buffer.alloc(bytes));
    } catch (caught) {
      if ((caught as NodeJS.ErrnoException).code !== "ENOSPC") throw caught;
    }
  }
}

/** Its socket takes connections and answers nothing. */
async function hangEngine(world: World, _round: number, awayMs: number): Promise<Round> {
  const begunAt = performance.now();
  world.engine.freeze();
  try {
    await saysEngineDown(world);
    await sleep(Math.max(0, awayMs - (performance.now() - begunAt)));
  } finally {
    world.engine.thaw();
  }
  return nobody;
}

/** Killed and asked to end in turn. */
async function restartEngine(world: World, round: number, awayMs: number): Promise<Round> {
  const agentPid = world.cluster.pid(nodeName);
  const pods = await world.pods();
  if (round % 2 === 0) await world.engine.kill();
  else await world.engine.stop();
  await saysEngineDown(world);
  await sleep(awayMs);
  await world.engine.run();
  if (world.cluster.pid(nodeName) !== agentPid) throw new Error("the agent ended because its engine was away");
  return world.liveRestore ? nobody : { died: new Map(pods.map(({ metadata }) => [metadata.name, 1])) };
}

async function saysEngineDown(world: World): Promise<void> {
  await world.cluster.eventually("a node that is not ready since its engine is away", async () => {
    const ready = await world.nodeReady();
    return ready?.status === "False" && ready.reason === "ContainerRuntimeDown";
  });
}

/** Another one in each round. */
async function podOf(world: World, round: number): Promise<Pod> {
  const pods = await world.pods();
  return pods[round % pods.length]!;
}

function once({ metadata }: Pod): ReadonlyMap<string, number> {
  return new Map([[metadata.name, 1]]);
}
