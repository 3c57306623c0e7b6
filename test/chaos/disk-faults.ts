import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { IkadaError } from "../../sdk/index.js";
import { DiskHang } from "../e2e/disk-hang.js";
import type { SeededRandom } from "../sim/random.js";
import { leaderOf, NotNow, pick, pidOf, type Fault, type Ongoing, type Site } from "./fault.js";
import { namespace } from "./recording-client.js";

const slowestMs = 60;
const probeMsMax = 1_000;
/** Files that have room left are filled with pieces of this size, for so long. */
const pieceBytes = 60_000;
const useUpMsMax = 8_000;

/** Disks that hang, are slow or full. */
export const diskFaults = {
  "disk-hang": {
    area: "disk",
    lastsMs: [2_000, 4_000],
    begin: async (site, random) => {
      // A disk in memory can't be seen to be written to.
      if ((await leaderOf(site)) === site.smallDiskServer) await transferTo(site, pick(othersOnDisks(site), random));
      const leader = await leaderOf(site);
      return { what: `the disk of ${leader} hangs`, ...(await delayed(site, leader)) };
    },
  },
  "disk-slow": {
    area: "disk",
    lastsMs: [2_000, 4_000],
    begin: async (site, random) => {
      const name = pick(othersOnDisks(site), random);
      const delayMs = 5 + random.int(slowestMs);
      return { what: `${name} writes ${delayMs} ms late`, ...(await delayed(site, name, delayMs)) };
    },
  },
  "disk-full": { area: "disk", lastsMs: [2_000, 4_000], begin: fill },
} satisfies Record<string, Fault>;

function othersOnDisks({ harness, smallDiskServer }: Site): string[] {
  return harness.cluster.servers.map(({ name }) => name).filter((name) => name !== smallDiskServer);
}

async function delayed(site: Site, name: string, delayMs?: number): Promise<Pick<Ongoing, "end">> {
  try {
    const hang = await DiskHang.begin(pidOf(site, name), delayMs);
    return { end: () => hang.end() };
  } catch (caught) {
    throw new NotNow(`${name} does not write`, { cause: caught });
  }
}

/** Every second time the leader's disk. */
async function fill(site: Site, random: SeededRandom): Promise<Ongoing> {
  const { harness, smallDiskServer: name } = site;
  if (random.chance(0.5)) await transferTo(site, name);
  const role = (await leaderOf(site)) === name ? "leader" : "follower";
  const ballast = join(harness.dataFolder(name), "ballast");
  const seenBefore = fullness(site);
  writeUntilFull(ballast);
  const noticed = useUpRoom(site, seenBefore).then(
    (what) => ({ what }),
    (failure: unknown) => ({ failure: IkadaError.from(failure) }),
  );
  return {
    what: `the disk of ${name}, a ${role}, is full`,
    end: async () => {
      const outcome = await noticed;
      rmSync(ballast, { force: true });
      harness.startStopped();
      if ("failure" in outcome) throw outcome.failure;
      if (outcome.what === undefined) throw new NotNow(`${name} had no use for space`);
    },
  };
}

interface Fullness {
  readonly refuses: number;
  readonly isWell: number;
  readonly ends: number;
  readonly pid: number | undefined;
}

/** What the server has said of its disk so far. */
function fullness({ harness, smallDiskServer: name }: Site): Fullness {
  return {
    refuses: harness.logMentions(name, "the disk is full: this server takes no writes"),
    isWell: harness.logMentions(name, "the disk has space again"),
    ends: harness.logMentions(name, "No space left on device"),
    pid: harness.pid(name),
  };
}

/**
 * Writes until the server has used up what its files have room for. It refuses writes then, or ends; undefined when neither comes, as
 * when other faults keep writes from it. @throws Error when a server that says it refuses writes takes one
 */
async function useUpRoom(site: Site, before: Fullness): Promise<"refuses" | "ends" | undefined> {
  const { harness } = site;
  const deadline = performance.now() + useUpMsMax;
  for (let count = 0; performance.now() < deadline; count += 1) {
    const now = fullness(site);
    if (now.ends > before.ends) return "ends";
    if (now.refuses > before.refuses) {
      await assertRefuses(site, now);
      return "refuses";
    }
    const data = { [`${count}`]: "x".repeat(pieceBytes) };
    try {
      await harness.client.configMaps.create(
        { metadata: { generateName: "full-", namespace }, data },
        { deadlineMs: 2_000 },
      );
    } catch (caught) {
      const error = IkadaError.from(caught);
      if (error.reason !== "Deadline") throw error;
    }
  }
  return undefined;
}

async function assertRefuses(site: Site, before: Fullness): Promise<void> {
  const { harness, smallDiskServer: name } = site;
  const client = await harness.clientOf(name);
  try {
    await client.configMaps.create({ metadata: { generateName: "full-", namespace } }, { deadlineMs: probeMsMax });
  } catch (caught) {
    const error = IkadaError.from(caught);
    if (error.reason !== "Deadline") throw error;
    return;
  } finally {
    await client.close();
  }
  const after = fullness(site);
  if (after.pid === before.pid && after.isWell === before.isWell)
    throw new IkadaError("Internal", `${name} took a write while it said that its disk is full`);
}

async function transferTo({ harness }: Site, name: string): Promise<void> {
  try {
    await harness.client.cluster.transfer(harness.server(name).id, { deadlineMs: 3_000 });
  } catch (caught) {
    throw new NotNow(`${name} did not come to lead`, { cause: caught });
  }
}

function writeUntilFull(file: string): void {
  const descriptor = openSync(file, "w");
  try {
    // Smaller and smaller pieces, so that not a page is left.
    for (let bytes = 1024 * 1024; bytes >= 4096;) {
      try {
        writeSync(descriptor, Buffer.alloc(bytes));
      } catch (caught) {
        if ((caught as NodeJS.ErrnoException).code !== "ENOSPC") throw caught;
        bytes /= 4;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
