import { renameSync, symlinkSync } from "node:fs";
import { join } from "node:path";

// Swaps the folder `d` of a volume with a link out of it, without an end: the attack on a check that comes before the use.

const [root = "", outside = ""] = process.argv.slice(2);
symlinkSync(outside, join(root, "link"));
process.send?.("swapping");
for (;;) {
  renameSync(join(root, "d"), join(root, "kept"));
  renameSync(join(root, "link"), join(root, "d"));
  renameSync(join(root, "d"), join(root, "link"));
  renameSync(join(root, "kept"), join(root, "d"));
}
