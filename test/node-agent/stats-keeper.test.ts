import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/host/log.js";
import type { ContainerUsage } from "../../node-agent/core/access.js";
import { StatsKeeper } from "../../node-agent/stats-keeper.js";

describe("what a node uses", () => {
  let procFolder: string;
  let keeper: StatsKeeper | undefined;
  beforeEach(() => {
    procFolder = mkdtempSync(join(tmpdir(), "ikada-proc-"));
    writeFileSync(join(procFolder, "meminfo"), "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:  400 kB\n");
  });
  afterEach(() => {
    keeper?.close();
    rmSync(procFolder, { recursive: true });
  });
  const ticks = (busy: number, idle: number): void => {
    const lines = [`cpu  ${busy} 0 0 ${idle} 0 0 0 0 0 0`, "cpu0 1 0 0 1", "cpu1 1 0 0 1", "intr 1"];
    writeFileSync(join(procFolder, "stat"), `${lines.join("\n")}\n`);
  };

  it("is the mean of the last interval, and not known before there is one", async () => {
    let usages = new Map<string, ContainerUsage>();
    const info = (id: string) => ({ id, podUid: `pod-${id}`, containerName: "main" }) as never;
    const options = {
      agent: { runningContainers: () => [info("a"), info("b"), info("c")] },
      runtime: { usage: (_ids: unknown, done: (error: null, result: typeof usages) => void) => done(null, usages) },
      log: silentLog,
      intervalMs: 3_600_000,
      procFolder,
    };
    ticks(100, 100);
    usages = new Map([["a", { cpuNanos: 1e9, memoryBytes: 10, atMs: 1_000 }]]);
    keeper = new StatsKeeper(options);
    while (keeper.latest().timeMs === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(keeper.latest().cpuCores, -1);
    assert.equal(keeper.latest().memoryBytes, 600 * 1024);
    assert.deepEqual(keeper.latest().containers, [
      { podUid: "pod-a", container: "main", cpuCores: -1, memoryBytes: 10 },
    ]);
    ticks(130, 170);
    usages = new Map([
      ["a", { cpuNanos: 1.5e9, memoryBytes: 20, atMs: 3_000 }],
      ["b", { cpuNanos: 7e9, memoryBytes: 30, atMs: 3_000 }],
    ]);
    await keeper.measure();
    // 30 of 100 ticks of two processors; half a second in two.
    assert.equal(keeper.latest().cpuCores, 0.6);
    assert.deepEqual(
      keeper.latest().containers?.map(({ cpuCores }) => cpuCores),
      [0.25, -1],
    );
  });
});
