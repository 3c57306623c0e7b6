/** A process that runs the seeds it is sent and sends back each result; ends when its parent disconnects. */
import type { Assignment } from "./batch.js";
import { worlds } from "./worlds.js";

process.on("message", ({ world, seeds, set }: Assignment) => {
  const run = worlds.get(world);
  if (!run) throw new Error(`there is no world ${world}`);
  for (const seed of seeds) process.send?.(run(seed, { set }));
});
