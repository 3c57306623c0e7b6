import { renameSync, symlinkSync } from "node:fs";

// Swaps the folder `d` of a volume with a link out of it, without an end: the attack on a check that comes before the use. It stands in the
// volume as a container does, wherever that is moved.

const [root = "", outside = ""] = process.argv.slice(2);
process.chdir(root);
symlinkSync(outside, "link");
process.send?.("swapping");
for (;;) {
  renameSync("d", "kept");
  renameSync("link", "d");
  renameSync("d", "link");
  renameSync("kept", "d");
}
