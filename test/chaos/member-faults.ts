import { IkadaError, type Reason } from "../../sdk/index.js";
import { followerOf, leaderOf, NotNow, pick, type Fault, type Ongoing, type Site } from "./fault.js";

/** For one change: it has to wait for the end of the faults beside it. */
const changeMsMax = 120_000;
const lastsMs = [2_000, 5_000] as const;

/** What a change of the members may be told under faults, and has to try again after: each may be repeated. */
const passing: ReadonlySet<Reason> = new Set<Reason>([
  "Deadline",
  "NotReady",
  "Conflict",
  "NoLeader",
  "Unavailable",
  "Overloaded",
  "Cancelled",
]);

/**
 * Changes of the members, which go on while other faults come and go. In the end the members are those of the beginning; a server that
 * was removed never comes back.
 */
export const memberFaults = {
  /** A server joins as a learner, votes, and is removed, sometimes while it leads. */
  "member-add": fault((site, random) => {
    const [added = ""] = takeSpares(site, 1);
    const leads = random.chance(0.5);
    const joined = join(site, added);
    const leave = async (): Promise<void> => {
      if (leads) await transferIfPossible(site, added);
      await remove(site, added);
    };
    return change(`${added} joins`, joined, leave);
  }),
  /** The same, and in between another one takes its place in one step. */
  "member-replace": fault((site, random) => {
    const [old = "", replacement = ""] = takeSpares(site, 2);
    const replaced = joinAndReplace(site, old, replacement, random.chance(0.5));
    return change(`${replacement} replaces ${old}`, replaced, () => remove(site, replacement));
  }),
  /** A voter becomes a learner, and votes again later; every second time the leader. */
  "member-demote": fault(async (site, random) => {
    const ofAll = site.harness.cluster.servers.map(({ name }) => name);
    const leader = await leaderOf(site);
    const name = random.chance(0.5) && ofAll.includes(leader) ? leader : await followerOf(site, random);
    const { cluster } = site.harness.client;
    const demoted = persist(() => cluster.demote(idOf(site, name), { deadlineMs: 10_000 }));
    return change(`${name} is demoted`, demoted, () =>
      persist(() => cluster.promote(idOf(site, name), { deadlineMs: 20_000 })),
    );
  }),
  transfer: {
    area: "members",
    lastsMs: [0, 1_000],
    begin: async (site, random) => {
      const leader = await leaderOf(site);
      const names = site.harness.cluster.servers.map(({ name }) => name).filter((name) => name !== leader);
      const to = pick(names, random);
      try {
        await site.harness.client.cluster.transfer(idOf(site, to), { deadlineMs: 3_000 });
      } catch (caught) {
        throw new NotNow(`${to} did not come to lead`, { cause: caught });
      }
      return { what: `${leader} hands over to ${to}`, end: () => Promise.resolve() };
    },
  },
} satisfies Record<string, Fault>;

function fault(begin: Fault["begin"]): Fault {
  return { area: "members", lastsMs, begin };
}

/** `begun` goes on beside the other faults; what it throws is thrown at the end. */
function change(what: string, begun: Promise<void>, undo: () => Promise<void>): Promise<Ongoing> {
  const outcome = begun.then(
    () => undefined,
    (failure: unknown) => IkadaError.from(failure),
  );
  return Promise.resolve({
    what,
    end: async () => {
      const failure = await outcome;
      if (failure) throw failure;
      await undo();
    },
  });
}

/** @throws NotNow when there are not so many left */
function takeSpares({ spares }: Site, count: number): string[] {
  if (spares.length < count) throw new NotNow("all spare servers were used");
  return spares.splice(0, count);
}

async function join({ harness }: Site, name: string): Promise<void> {
  harness.launch(name);
  const { cluster } = harness.client;
  const server = harness.server(name);
  await persist(() => cluster.add(server, { deadlineMs: 10_000 }));
  await persist(() => cluster.promote(server.id, { deadlineMs: 20_000 }));
}

async function joinAndReplace(site: Site, old: string, replacement: string, leads: boolean): Promise<void> {
  const { harness } = site;
  await join(site, old);
  if (leads) await transferIfPossible(site, old);
  harness.launch(replacement);
  const server = harness.server(replacement);
  await persist(() => harness.client.cluster.replace(idOf(site, old), server, { deadlineMs: 20_000 }));
  harness.forget(old);
}

async function remove(site: Site, name: string): Promise<void> {
  await persist(() => site.harness.client.cluster.remove(idOf(site, name), { deadlineMs: 10_000 }));
  site.harness.forget(name);
}

/** A wish: faults may stand against it. */
async function transferIfPossible(site: Site, name: string): Promise<void> {
  try {
    await site.harness.client.cluster.transfer(idOf(site, name), { deadlineMs: 3_000 });
  } catch (caught) {
    const error = IkadaError.from(caught);
    if (!passing.has(error.reason)) throw error;
  }
}

/** @throws the last IkadaError when the change does not come about, and at once one that no fault explains */
async function persist(attempt: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + changeMsMax;
  for (;;) {
    try {
      return await attempt();
    } catch (caught) {
      const error = IkadaError.from(caught);
      if (!passing.has(error.reason) || performance.now() > deadline) throw error;
    }
  }
}

function idOf({ harness }: Site, name: string): number {
  return harness.server(name).id;
}
