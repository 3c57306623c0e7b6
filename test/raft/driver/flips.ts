import { allFlips, runWithFlip, stoppedCluster } from "./flipped-bits.js";

/** `npm run flips [-- STEP [OFFSET]]`: every (STEP-th, from OFFSET on) bit of one member's log flipped in turn. */
const step = Number(process.argv[2] ?? 1);
const offset = Number(process.argv[3] ?? 0);
let [runs, repaired, failed] = [0, 0, 0];
for (const idleMs of [0, 500]) {
  const stopped = stoppedCluster(idleMs);
  let place = 0;
  for (const flip of allFlips(stopped)) {
    if (place++ % step !== offset) continue;
    runs++;
    try {
      if (runWithFlip(stopped, flip, runs % 2 === 0)) repaired++;
    } catch (error) {
      failed++;
      console.log(`${idleMs} ms idle, ${flip.path} at ${flip.at}, bit ${flip.bit}: ${String(error)}`);
    }
    if (runs % 5000 === 0) console.log(`${runs} flips, ${repaired} repaired, ${failed} failed`);
  }
}
console.log(
  `${runs} flips, ${repaired} repaired by the others, ${runs - repaired - failed} of no effect, ${failed} failed`,
);
process.exitCode = failed > 0 ? 1 : 0;
