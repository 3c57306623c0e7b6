import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupFiles, readUsage } from "../../../node-agent/docker/cgroup-files.js";

const id = "0123456789abcdef";

describe("files of control groups", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-cgroup-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const mount = (point: string, type: string, options: string, root = "/"): string =>
    `30 22 0:27 ${root} ${join(folder, point)} rw,relatime shared:4 - ${type} ${type} rw,${options}`;

  it("are found and read of version 2", async () => {
    const files = cgroupFiles(`0::/system.slice/docker-${id}.scope\n`, mount("", "cgroup2", "nsdelegate"));
    write(`system.slice/docker-${id}.scope/pids.current`, "17\n");
    write(`system.slice/docker-${id}.scope/cpu.stat`, "usage_usec 2500000\nuser_usec 1\n");
    write(`system.slice/docker-${id}.scope/memory.current`, "10485760\n");
    write(`system.slice/docker-${id}.scope/memory.stat`, "anon 1\nfile 4194304\ninactive_file 4194304\n");
    assert.ok(files);
    assert.deepEqual(await readUsage(files), { cpuNanos: 2.5e9, memoryBytes: 6 * 2 ** 20, processes: 17 });
  });

  it("are found and read of version 1, with controllers mounted together or alone", async () => {
    const membership = `5:cpu,cpuacct:/docker/${id}\n4:memory:/docker/${id}\n1:name=systemd:/docker/${id}\n0::/\n`;
    const mounts = [
      mount("cpu,cpuacct", "cgroup", "cpu,cpuacct"),
      mount("memory", "cgroup", "memory"),
      mount("unified", "cgroup2", "nsdelegate"),
    ].join("\n");
    write(`cpu,cpuacct/docker/${id}/cpuacct.usage`, "123456789\n");
    write(`memory/docker/${id}/memory.usage_in_bytes`, "8192\n");
    write(`memory/docker/${id}/memory.stat`, "inactive_file 1\ntotal_inactive_file 4096\n");
    const files = cgroupFiles(membership, mounts);
    assert.ok(files);
    assert.deepEqual(await readUsage(files), { cpuNanos: 123_456_789, memoryBytes: 4_096 });
    await assert.rejects(readUsage(cgroupFiles(membership.replaceAll(id, "gone"), mounts)!));
  });

  it("are found where a mount shows a part of the tree, and not where nothing is mounted", () => {
    const membership = `0::/pods/docker/${id}\n`;
    const files = cgroupFiles(membership, mount("cg", "cgroup2", "nsdelegate", "/pods"));
    assert.equal(files?.memory.folder, join(folder, "cg", "docker", id));
    assert.equal(cgroupFiles(membership, "1 1 0:1 / / rw - ext4 /dev/sda rw"), undefined);
  });
});
