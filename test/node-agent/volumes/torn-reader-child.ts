import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

// Reads a volume over and over, as a program does that wants a consistent set: it resolves `..data` once and reads all files there. Each single
// file is read by its own name too and has to be of one version. Says what it found when it is told to stop.

const folder = process.argv[2] as string;
const torn: string[] = [];
const versions = new Set<string>();
let [reads, stopped] = [0, false];

/** The one version that a text is of. */
function versionOf(text: string, what: string): string {
  const lines = new Set(text.split("\n").slice(0, -1));
  if (lines.size !== 1) torn.push(`${what}: ${[...lines].join(" and ") || "nothing"}`);
  return [...lines][0] ?? "";
}

function look(): void {
  for (const name of ["one", "two", "sub/three"]) versionOf(readFileSync(join(folder, name), "utf8"), name);
  const content = join(folder, readlinkSync(join(folder, "..data")));
  const found = ["one", "two", "sub/three"].map((name) => versionOf(readFileSync(join(content, name), "utf8"), name));
  if (new Set(found).size !== 1) torn.push(`versions ${found.join(", ")} beside each other`);
  versions.add(found[0] as string);
  reads++;
}

function loop(): void {
  if (stopped) {
    process.send?.({ reads, versions: versions.size, torn: torn.slice(0, 5) });
    process.disconnect();
    return;
  }
  try {
    look();
  } catch (error) {
    // What was replaced meanwhile is removed: no mixture, but a reason to begin anew.
    if ((error as { code?: unknown }).code !== "ENOENT") torn.push(String(error));
  }
  setImmediate(loop);
}

process.on("message", () => (stopped = true));
process.send?.("reading");
loop();
