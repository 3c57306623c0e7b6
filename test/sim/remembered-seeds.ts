import { readFileSync } from "node:fs";

/** Seeds of a world that once found a mistake, from seeds.txt: world, seed and reason in each line. */
export function rememberedSeeds(world: string): number[] {
  const text = readFileSync(new URL("../../../test/sim/seeds.txt", import.meta.url), "utf8");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return lines.map((line) => line.split(/\s+/)).flatMap(([name, seed]) => (name === world ? [Number(seed)] : []));
}
