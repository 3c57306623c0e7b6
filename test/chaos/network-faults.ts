import { followerOf, leaderOf, pick, shuffled, type Fault, type Ongoing, type Site } from "./fault.js";

const lastsMs = [2_000, 5_000] as const;

/** Links break, in one direction or in both. The clients reach all machines, except isolated ones. */
export const networkFaults = {
  "blackhole-leader": fault(async (site) => blackhole(site, await leaderOf(site))),
  "blackhole-follower": fault(async (site, random) => blackhole(site, await followerOf(site, random))),
  /** The leader is heard and hears nothing. */
  "one-way-in": fault(async (site) => {
    const leader = await leaderOf(site);
    const cuts = others(site, [leader]).map((other): Cut => [other, leader]);
    return cut(site, `${leader} hears no server`, cuts);
  }),
  /** The leader hears and is not heard. */
  "one-way-out": fault(async (site) => {
    const leader = await leaderOf(site);
    const cuts = others(site, [leader]).map((other): Cut => [leader, other]);
    return cut(site, `no server hears ${leader}`, cuts);
  }),
  /** The leader and one follower alone don't reach each other. */
  "leader-link": fault(async (site, random) => {
    const leader = await leaderOf(site);
    const follower = pick(others(site, [leader]), random);
    return cut(site, `${leader} and ${follower} are apart`, bothWays([leader], [follower]));
  }),
  halves: fault((site, random) => {
    const names = shuffled(others(site, []), random);
    const minority = names.slice(0, Math.floor(names.length / 2));
    const majority = others(site, minority);
    return Promise.resolve(cut(site, `${minority.join()} | ${majority.join()}`, bothWays(minority, majority)));
  }),
  /** Two groups that meet in one server alone. */
  bridge: fault((site, random) => {
    const [bridge = "", ...rest] = shuffled(others(site, []), random);
    const left = rest.slice(0, Math.floor(rest.length / 2));
    const right = rest.slice(left.length);
    return Promise.resolve(cut(site, `${left.join()} - ${bridge} - ${right.join()}`, bothWays(left, right)));
  }),
  loss: fault((site, random) => {
    const names = shuffled(others(site, []), random).slice(0, 1 + random.int(site.harness.cluster.servers.length));
    const percent = 10 + random.int(30);
    for (const name of names) site.network.lose(machineOf(site, name), percent);
    return Promise.resolve(ongoing(site, `${percent}% of the packets to ${names.join(", ")} are lost`, names));
  }),
} satisfies Record<string, Fault>;

/** What the first sends does not reach the second. */
type Cut = readonly [from: string, to: string];

function fault(begin: Fault["begin"]): Fault {
  return { area: "network", lastsMs, begin };
}

/** Packets are dropped where they arrive, so that these servers alone have something to heal. */
function ongoing(site: Site, what: string, dropping: readonly string[]): Ongoing {
  const heal = (): void => {
    for (const name of new Set(dropping)) site.network.heal(machineOf(site, name));
  };
  return { what, end: () => Promise.resolve(heal()) };
}

function blackhole(site: Site, name: string): Ongoing {
  site.network.isolate(machineOf(site, name));
  return ongoing(site, `${name} reaches nobody`, [name]);
}

function cut(site: Site, what: string, cuts: readonly Cut[]): Ongoing {
  for (const [from, to] of cuts) site.network.cut(machineOf(site, from), machineOf(site, to));
  const dropping = cuts.map(([, to]) => to);
  return ongoing(site, what, dropping);
}

function bothWays(left: readonly string[], right: readonly string[]): Cut[] {
  return left.flatMap((one) =>
    right.flatMap((other): Cut[] => [
      [one, other],
      [other, one],
    ]),
  );
}

/** All servers that the cluster began with, but these. */
function others({ harness }: Site, names: readonly string[]): string[] {
  return harness.cluster.servers.map(({ name }) => name).filter((name) => !names.includes(name));
}

/** Servers run on the machine of their number. */
function machineOf({ harness }: Site, name: string): number {
  return harness.server(name).id;
}
