import type { SimulatedNetwork } from "./network.js";
import type { SeededRandom } from "./random.js";
import type { World } from "./world.js";

/** A directed link. */
export type LinkEnds = readonly [from: number, to: number];

/**
 * The directed links to cut so that `ids` (the interesting one first) are parted: one member or some from the others, both
 * ways or one, a ring, a bridge, or at random.
 */
export function drawPartition(random: SeededRandom, ids: readonly number[]): LinkEnds[] {
  const links: LinkEnds[] = [];
  const kind = random.int(5);
  const border = kind === 0 ? 1 : random.between(1, Math.max(1, ids.length - 1));
  const oneWay = random.chance(0.4) ? random.between(1, 2) : 0;
  ids.forEach((from, fromAt) => {
    ids.forEach((to, toAt) => {
      if (from === to) return;
      const crosses = fromAt < border !== toAt < border;
      const distance = Math.abs(fromAt - toAt);
      const isBridge = fromAt === 0 || toAt === 0;
      const isNeighbour = distance === 1 || distance === ids.length - 1;
      const cut =
        kind <= 1
          ? crosses && (oneWay === 0 || (oneWay === 1) === fromAt < border)
          : kind === 2
            ? !isBridge && crosses
            : kind === 3
              ? ids.length > 3 && !isNeighbour
              : random.chance(0.3);
      if (cut) links.push([from, to]);
    });
  });
  return links;
}

/** Swizzle-clogging (FoundationDB): links stop one by one and work again in another order, with all that they held. */
export function swizzle<M>(
  world: World,
  random: SeededRandom,
  network: SimulatedNetwork<M>,
  ids: readonly number[],
  spanUs: number,
): void {
  const links = ids.flatMap((from) => ids.filter((to) => to !== from).map((to): LinkEnds => [from, to]));
  const chosen = random.shuffle(links).slice(0, random.between(1, Math.max(1, links.length)));
  const back = random.shuffle([...chosen]);
  chosen.forEach(([from, to], at) => {
    world.after((at * spanUs) / chosen.length, () => network.setClogged(from, to, true));
  });
  back.forEach(([from, to], at) => {
    world.after(spanUs + (at * spanUs) / chosen.length, () => network.setClogged(from, to, false));
  });
}
