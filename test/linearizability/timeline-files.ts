import { writeFileSync } from "node:fs";
import type { CheckReport } from "./check.js";
import { timeline } from "./timeline.js";

/** More keys say the same. */
const pagesMax = 5;

/** A page for each key without an order, beside the history. Returns where they are. */
export function writeTimelines({ nonLinearizable }: CheckReport, historyFile: string): string[] {
  return nonLinearizable.slice(0, pagesMax).map((found) => {
    const file = `${historyFile}.${found.key}.html`;
    writeFileSync(file, timeline(found));
    return `${found.key} over time: ${file}`;
  });
}
