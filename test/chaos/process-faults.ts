import { followerOf, leaderOf, NotNow, pidOf, sendSignal, type Fault, type Ongoing, type Site } from "./fault.js";
import type { SeededRandom } from "../sim/random.js";

type Whom = (site: Site, random: SeededRandom) => Promise<string>;

const all = (site: Site): string[] => site.harness.cluster.servers.map(({ name }) => name);
const down = [500, 3_000] as const;
const stopped = [3_000, 7_000] as const;

/** A process dies, ends or stands still. */
export const processFaults = {
  "kill9-leader": fault(down, async (site) => signal(site, [await leaderOf(site)], "SIGKILL")),
  "kill9-follower": fault(down, async (site, random) => signal(site, [await followerOf(site, random)], "SIGKILL")),
  "kill9-all": fault([0, 1_000], (site) => Promise.resolve(signal(site, running(site), "SIGKILL"))),
  "sigterm-leader": fault(down, async (site) => signal(site, [await leaderOf(site)], "SIGTERM")),
  "sigterm-follower": fault(down, async (site, random) => signal(site, [await followerOf(site, random)], "SIGTERM")),
  "sigstop-leader": fault(stopped, (site, random) => stop(site, random, leaderOf)),
  "sigstop-follower": fault(stopped, (site, random) => stop(site, random, followerOf)),
} satisfies Record<string, Fault>;

function fault(lastsMs: Fault["lastsMs"], begin: Fault["begin"]): Fault {
  return { area: "process", lastsMs, begin };
}

/** The supervisor starts again what dies, and, told so at the end, what has ended by itself. */
function signal(site: Site, names: readonly string[], name: "SIGKILL" | "SIGTERM"): Ongoing {
  const { harness } = site;
  const pids = new Map(names.map((server) => [server, pidOf(site, server)]));
  for (const pid of pids.values()) sendSignal(pid, name);
  return {
    what: `${name} to ${names.join(", ")}`,
    end: async () => {
      for (const [server, pid] of pids) await harness.ended(server, pid);
      harness.startStopped();
    },
  };
}

function running(site: Site): string[] {
  const names = all(site).filter((name) => site.harness.pid(name) !== undefined);
  if (names.length === 0) throw new NotNow("no server runs");
  return names;
}

async function stop(site: Site, random: SeededRandom, whom: Whom): Promise<Ongoing> {
  const name = await whom(site, random);
  const pid = pidOf(site, name);
  sendSignal(pid, "SIGSTOP");
  const goOn = (): void => {
    // It may have been ended for good meanwhile, as a server that was removed.
    if (site.harness.pid(name) === pid) sendSignal(pid, "SIGCONT");
  };
  return { what: `SIGSTOP of ${name}`, end: () => Promise.resolve(goOn()) };
}
