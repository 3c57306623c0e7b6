import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { RocksKeyValue } from "../../store/rocks/rocks-key-value.js";
import { SimulatedKeyValue } from "../sim/key-value.js";
import { Process, World } from "../sim/world.js";
import { type Subject, keyValueContract } from "./contract/key-value.js";

keyValueContract("memory", () => {
  const keyValue = new MemoryKeyValue();
  return Promise.resolve({ keyValue, end: () => keyValue.close() });
});

keyValueContract("RocksDB", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ikada-rocks-"));
  const keyValue = await RocksKeyValue.open(folder);
  return {
    keyValue,
    end: async () => {
      await keyValue.close();
      await rm(folder, { recursive: true });
    },
  };
});

const simulated = (): Promise<Subject> => {
  const world = new World({ seed: 7 });
  const process = new Process(1);
  process.start();
  const faults = { latencyUsMin: 1, latencyUsMax: 900, flushUsMin: 1, flushUsMax: 900, errorRate: 0 };
  const keyValue = new SimulatedKeyValue(world, faults).open(process);
  const settle = (): void => {
    world.runUntil(world.timeUs + 1_000_000);
  };
  return Promise.resolve({ keyValue, settle, end: () => Promise.resolve() });
};
keyValueContract("simulated", simulated, true);
