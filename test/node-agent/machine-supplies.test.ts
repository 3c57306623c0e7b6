import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { roomyMachine } from "../../node-agent/core/fake-engine.js";
import type { MachineSupplies } from "../../node-agent/core/pressure/signals.js";
import { hardDefaults, parseThresholds } from "../../node-agent/core/pressure/thresholds.js";
import { HostSupplies } from "../../node-agent/machine-supplies.js";
import { nodeResources } from "../../node-agent/node-resources.js";
import type { DiskSpace } from "../../node-agent/core/runtime.js";

const thresholds = parseThresholds(
  { hard: hardDefaults, soft: {}, softGraceSeconds: {}, minimumReclaim: {} },
  "eviction",
);

describe("what a machine has left", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-supplies-"));
    write("meminfo", "MemTotal:       16384000 kB\nMemFree:         4096000 kB\nInactive(file):  1024000 kB\n");
    write("loadavg", "0.10 0.20 0.30 2/345 6789\n");
    write("sys/kernel/pid_max", "32768\n");
    write("sys/kernel/threads-max", "100000\n");
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const mount = (type: string, options: string): string =>
    `30 22 0:27 / ${join(folder, "cg")} rw,relatime shared:4 - ${type} ${type} rw,${options}`;
  const read = (imageDisk: DiskSpace | Error = new Error("no engine"), data = folder): Promise<MachineSupplies> => {
    const runtime = {
      imageDisk: (done: (error: Error | null, disk: DiskSpace) => void) =>
        imageDisk instanceof Error ? done(imageDisk, { capacityBytes: 0, availableBytes: 0 }) : done(null, imageDisk),
    };
    const supplies = new HostSupplies({ dataFolder: data, runtime, procFolder: folder });
    return new Promise((resolve, reject) =>
      supplies.read((error, result) => (error ? reject(error) : resolve(result))),
    );
  };
  const kib = 1024;

  it("is memory without the working set, by the files of control groups of version 1", async () => {
    write("self/mountinfo", mount("cgroup", "memory"));
    write("cg/memory.usage_in_bytes", `${8_000_000 * kib}\n`);
    write("cg/memory.limit_in_bytes", "9223372036854771712\n");
    write("cg/memory.stat", `inactive_file 1\ntotal_inactive_file ${3_000_000 * kib}\n`);
    const { supplies } = await read();
    assert.deepEqual(supplies["memory.available"], { capacity: 16_384_000 * kib, available: 11_384_000 * kib });
  });

  it("of version 2, within a limit of the agent's own", async () => {
    write("self/mountinfo", mount("cgroup2", "nsdelegate"));
    write("cg/memory.current", `${2_000_000 * kib}\n`);
    write("cg/memory.max", `${4_000_000 * kib}\n`);
    write("cg/memory.stat", `anon 5\ninactive_file ${500_000 * kib}\n`);
    const { supplies } = await read();
    assert.deepEqual(supplies["memory.available"], { capacity: 4_000_000 * kib, available: 2_500_000 * kib });
  });

  it("of version 2 at the machine's root, which counts nothing itself, and without control groups", async () => {
    write("self/mountinfo", mount("cgroup2", "nsdelegate"));
    write("cg/memory.stat", `inactive_file ${2_000_000 * kib}\n`);
    const used = 16_384_000 - 4_096_000;
    const left = async () => (await read()).supplies["memory.available"]?.available;
    assert.equal(await left(), (16_384_000 - (used - 2_000_000)) * kib);
    write("self/mountinfo", "");
    assert.equal(await left(), (16_384_000 - (used - 1_024_000)) * kib);
  });

  it("is processes by the smaller of the kernel's two limits", async () => {
    write("self/mountinfo", "");
    assert.deepEqual((await read()).supplies["pid.available"], { capacity: 32_768, available: 32_768 - 345 });
  });

  it("is the disk of the data folder, and that of the engine when it is another one", async () => {
    write("self/mountinfo", "");
    const own = await read();
    const disk = own.supplies["nodefs.available"];
    assert.ok(disk !== undefined && disk.capacity > 0 && disk.available <= disk.capacity);
    assert.deepEqual([own.supplies["imagefs.available"], own.hasImageDisk], [undefined, false]);
    const image = { capacityBytes: 10, availableBytes: 5, inodes: { capacity: 3, available: 2 }, device: -1 };
    const both = await read(image);
    assert.deepEqual(both.supplies["imagefs.available"], { capacity: 10, available: 5 });
    assert.deepEqual([both.supplies["imagefs.inodesFree"], both.hasImageDisk], [{ capacity: 3, available: 2 }, true]);
  });

  it("can't be read of a data folder that is not there", async () => {
    write("self/mountinfo", "");
    await assert.rejects(read(undefined, join(folder, "none")), /ENOENT/);
  });
});

describe("what a node offers", () => {
  const { supplies } = roomyMachine;

  it("is what it has, less what is reserved and what has to be left of memory and disk", () => {
    const reserved = { cpu: "500m", memory: "1Gi", "ephemeral-storage": "10Gi" };
    const { capacity, allocatable } = nodeResources({ capacity: { cpu: "4" }, reserved, thresholds }, supplies);
    assert.deepEqual(capacity, { cpu: "4", memory: "16Gi", pods: "110", "ephemeral-storage": "100Gi" });
    assert.deepEqual(allocatable, { cpu: "3500m", memory: "15260Mi", pods: "110", "ephemeral-storage": "80Gi" });
  });

  it("never less than nothing, and a percentage is one of what the config says it has", () => {
    const given = { memory: "50Mi", "ephemeral-storage": "1000Mi" };
    const { allocatable } = nodeResources({ capacity: given, reserved: { cpu: "100k" }, thresholds }, supplies);
    assert.deepEqual(
      [allocatable["memory"], allocatable["cpu"], allocatable["ephemeral-storage"]],
      ["0", "0", "900Mi"],
    );
  });

  it("of a machine that does not tell has no disk; what is no quantity is refused", () => {
    const settings = { capacity: {}, reserved: {}, thresholds: [] };
    assert.equal(nodeResources(settings, {}).capacity["ephemeral-storage"], undefined);
    const broken = { ...settings, reserved: { memory: "much" } };
    assert.throws(() => nodeResources(broken, {}), { reason: "Invalid", message: /reserved\.memory: "much"/ });
  });
});
