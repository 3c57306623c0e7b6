import { parentPort } from "node:worker_threads";
import { walk } from "./disk-walk.js";
import type { MeterAnswer, MeterQuestion } from "./disk-meter.js";

/** A turn of counting, and the pause after it when there is time: a fifth of one processor. */
const busyMs = 10;
const pauseMs = 40;
const walkMsMax = { gently: 60_000, fast: 2_000 } as const;
/** Folders that hold more are not counted to their end. */
const entriesMax = 1_000_000;
const depthMax = 500;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

parentPort?.on("message", ({ id, folder, prefix, pace }: MeterQuestion) => {
  const endAt = performance.now() + walkMsMax[pace];
  let turnEndsAt = performance.now() + busyMs;
  const goOn = (): boolean => {
    const now = performance.now();
    if (now >= endAt) return false;
    if (pace === "gently" && now >= turnEndsAt) {
      Atomics.wait(sleeper, 0, 0, pauseMs);
      turnEndsAt = performance.now() + busyMs;
    }
    return true;
  };
  let answer: MeterAnswer;
  try {
    answer = { id, usage: walk(folder, { entriesMax, depthMax, prefix, goOn }), error: undefined };
  } catch (error) {
    answer = { id, usage: undefined, error: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answer, []);
});
