import { plantedFaults } from "./all.js";
import { corners } from "./corners.js";
import { hunt, type HuntOptions } from "./hunt.js";

/** Looks for planted faults, those of the world when none is named, and prints a row for each, and which corners have none. */
export async function huntAll(
  wanted: string | undefined,
  options: HuntOptions,
  print: (line: string) => void,
): Promise<{ readonly missed: number; readonly chosen: number }> {
  const chosen = plantedFaults.filter(({ name, corner, world = "raft" }) =>
    wanted === undefined ? world === options.world : name === wanted || String(corner) === wanted,
  );
  let missed = 0;
  print(row("corner", "planted fault", "seeds", "seconds", "rule violated"));
  for (const fault of chosen) {
    const { seeds, seconds, violation } = await hunt(fault, options);
    if (!violation) missed++;
    const rule = violation?.rule ?? "NOT FOUND";
    print(row(String(fault.corner ?? ""), fault.name, String(seeds), seconds.toFixed(1), rule));
  }
  print(`${chosen.length - missed} of ${chosen.length} planted faults found`);
  if (wanted !== undefined || options.world !== "raft") return { missed, chosen: chosen.length };
  for (const { number, title, without } of corners) {
    if (without !== undefined) print(`corner ${number} (${title}) has no planted fault: ${without}`);
  }
  return { missed, chosen: chosen.length };
}

function row(corner: string, name: string, seeds: string, seconds: string, rule: string): string {
  return `${corner.padStart(6)}  ${name.padEnd(48)} ${seeds.padStart(7)} ${seconds.padStart(8)}  ${rule}`;
}
