import type { Harness } from "../e2e/harness.js";
import type { MachineNetwork } from "../e2e/machine-network.js";
import type { SeededRandom } from "../sim/random.js";

/** What a fault takes hold of. Two faults of one area would undo each other, so only one of each is under way at a time. */
export type Area = "process" | "network" | "disk" | "members";

/** What faults need to know of the cluster. */
export interface Site {
  readonly harness: Harness;
  readonly network: MachineNetwork;
  /** The server whose disk is small. */
  readonly smallDiskServer: string;
  /** Names of servers that have not joined yet; each is used once. */
  readonly spares: string[];
}

/** A fault that has taken hold. */
export interface Ongoing {
  /** What happens to whom. */
  readonly what: string;
  /** Undoes it. @throws NotNow when it has had no effect, Error when the cluster did not do under it what it has to */
  end(): Promise<void>;
}

export interface Fault {
  readonly area: Area;
  /** Milliseconds for which it lasts: at least, and at most so much more. */
  readonly lastsMs: readonly [least: number, range: number];
  /** @throws NotNow when the cluster is in no state for it */
  begin(site: Site, random: SeededRandom): Promise<Ongoing>;
}

/** A fault that can't happen at this moment; it gets another chance. */
export class NotNow extends Error {
  override readonly name = "NotNow";
}

/** For an election, which other faults may hold up. */
const leaderMsMax = 5_000;

/** @throws NotNow when there is none for a while */
export async function leaderOf({ harness }: Site): Promise<string> {
  let name: string | undefined;
  try {
    await harness.eventually("a leader", async () => (name = await harness.leaderName()) !== undefined, leaderMsMax);
  } catch (caught) {
    throw new NotNow("there is no leader", { cause: caught });
  }
  return name!;
}

/** One of the servers that the cluster began with, and that does not lead. @throws NotNow */
export async function followerOf(site: Site, random: SeededRandom): Promise<string> {
  const leader = await leaderOf(site);
  return pick(
    site.harness.cluster.servers.map(({ name }) => name).filter((name) => name !== leader),
    random,
  );
}

/** @throws NotNow when it does not run */
export function pidOf({ harness }: Site, name: string): number {
  const pid = harness.pid(name);
  if (pid === undefined) throw new NotNow(`${name} does not run`);
  return pid;
}

/** @throws NotNow when the process has ended meanwhile */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code !== "ESRCH") throw caught;
    throw new NotNow(`process ${pid} has ended`);
  }
}

export function pick<T>(from: readonly T[], random: SeededRandom): T {
  return from[random.int(from.length)]!;
}

export function shuffled<T>(from: readonly T[], random: SeededRandom): T[] {
  const left = [...from];
  const drawn: T[] = [];
  while (left.length > 0) drawn.push(...left.splice(random.int(left.length), 1));
  return drawn;
}
