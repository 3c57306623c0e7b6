import { appendFileSync, readFileSync } from "node:fs";

const file = new URL("../../../test/sim/seeds.txt", import.meta.url);

/** Seeds of a world that once found a mistake, from seeds.txt: world, seed and reason in each line. */
export function rememberedSeeds(world: string): number[] {
  const text = readFileSync(file, "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => line.split(/\s+/)).flatMap(([name, seed]) => (name === world ? [Number(seed)] : []));
}

/** Adds a seed that violated a rule; whoever mends the mistake says behind it what it was. */
export function remember(world: string, seed: number, reason: string): void {
  if (!rememberedSeeds(world).includes(seed)) appendFileSync(file, `${world} ${seed} ${reason}\n`);
}
