import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { eventually, RealCluster, type RealMember } from "./real-cluster.js";

/** Takes all the space that is left. */
function fill(file: string): void {
  const descriptor = openSync(file, "w");
  try {
    for (let bytes = 1 << 20; bytes >= 4096;) {
      try {
        writeSync(descriptor, new Uint8Array(bytes));
      } catch {
        bytes /= 2; // No space for that much.
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

describe("a member on a small file system", () => {
  let cluster: RealCluster;
  let folder: string;

  beforeEach(async () => {
    cluster = await RealCluster.create(3);
    folder = cluster.options(1).dataFolder;
    mkdirSync(folder);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", folder]);
  });

  afterEach(async () => {
    await Promise.all(cluster.members.map((member) => member.kill()));
    execFileSync("umount", [folder]);
    await cluster.close();
  });

  it("refuses writes when it is full, the others go on, and it comes back when there is space", async () => {
    const [full, ...others] = (await cluster.start(1, 2, 3)) as [RealMember, ...RealMember[]];
    const waits = (what: string, holds: () => boolean): Promise<void> => eventually(what, holds, 30_000);
    await waits("a leader", () => (full.status?.leader ?? 0) !== 0);
    full.propose("before");
    await waits("it on all", () => cluster.members.every(({ texts }) => texts.includes("before")));
    fill(path.join(folder, "filler"));
    const isRefused = (): boolean => full.refused.some(({ reason }) => reason === "DiskFull");
    // Some may still fit, and one is lost with the leadership.
    await waits("a refusal", () => {
      if (!isRefused()) full.propose(new Uint8Array(100_000), 9);
      return isRefused();
    });
    const other = others[0] as RealMember;
    await waits("another leader", () => other.status !== undefined && ![0, 1].includes(other.status.leader));
    other.propose("meanwhile");
    await waits("it on the others", () => others.every(({ texts }) => texts.includes("meanwhile")));
    rmSync(path.join(folder, "filler"));
    await waits("all of it here", () => full.texts.includes("meanwhile"));
    let tag = 100;
    await waits("a write here", () => {
      if (tag++ % 100 === 0) full.propose("after");
      return other.texts.includes("after");
    });
    assert.deepEqual(full.fatal, []);
  }).timeout(120_000);
});
