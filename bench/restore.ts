import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { joinOthers } from "../deploy/local/restore.js";
import type { Client } from "../sdk/index.js";
import { Harness } from "../test/e2e/harness.js";
import { machineLoad } from "./measure.js";
import { RecordedWrites, compareWrites } from "./recorded-writes.js";

const namespace = "default";
/** Of base64 text in one object. */
const fillBytes = 48 * 1024;
const fillAtOnce = 8;
const writers = 4;
/** Writers run so long before the backup begins, and behind its end. */
const calmMs = 1_000;
const cluster = { servers: 3, agents: 0, runtime: "fake" } as const;

/**
 * `npm run bench -- restore`: three servers with so many megabytes of objects, and writers that go on; a backup, the cluster destroyed with kill -9
 * and without its data, another cluster from the backup; then every write that was acknowledged up to the backup's revision is looked for.
 * @throws Error when one is lost, or anything else is not as it has to be
 */
export async function runRestoreDrill(megabytes: number): Promise<void> {
  const loadBefore = machineLoad();
  const folder = mkdtempSync(join(tmpdir(), "ikada-drill-"));
  const file = join(folder, "cluster.backup");
  try {
    const writes = new RecordedWrites();
    const { revision, row } = await backupAndDestroy(file, writes, megabytes);
    const rows = [row, ...(await restored(file, writes, revision))];
    process.stdout.write(`\n${rows.join("\n")}\nbefore: ${loadBefore}; after: ${machineLoad()}\n`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function backupAndDestroy(
  file: string,
  writes: RecordedWrites,
  megabytes: number,
): Promise<{ readonly revision: number; readonly row: string }> {
  const old = await Harness.start(cluster);
  try {
    say(`filling in ${megabytes} MB`);
    await fill(old.client, writes, megabytes);
    for (let writer = 0; writer < writers; writer += 1) writes.keepWriting(await old.anotherClient(), writer);
    await sleep(calmMs);
    const before = writes.acknowledged.length;
    say("backup");
    const startedMs = performance.now();
    const { bytes, revision } = await old.client.cluster.backupTo(file, { deadlineMs: 600_000 });
    const tookMs = performance.now() - startedMs;
    const during = writes.acknowledged.length - before;
    if (during === 0) throw new Error("no write was acknowledged while the backup was taken: writes did not go on");
    const late = writes.acknowledged.slice(0, before).filter((write) => write.revision > revision);
    if (late.length > 0) throw new Error(`${late.length} writes acknowledged before the backup are not in it`);
    await sleep(calmMs);
    return {
      revision,
      row: `backup            ${seconds(tookMs)}   ${mb(bytes)}, ${during} writes acknowledged meanwhile`,
    };
  } finally {
    say("destroying the cluster");
    writes.stop();
    await old.destroy();
    await writes.stopped();
  }
}

async function restored(file: string, writes: RecordedWrites, revision: number): Promise<string[]> {
  const startedMs = performance.now();
  let restoredMs = 0;
  const anew = await Harness.restored(file, cluster, () => (restoredMs = performance.now()));
  try {
    const { object: first } = await anew.client.configMaps.create(
      { metadata: { name: "first-after-restore", namespace }, data: {} },
      { deadlineMs: 60_000 },
    );
    const firstMs = performance.now();
    say("adding the other servers");
    await joinOthers(anew.cluster, anew.client);
    const votersMs = performance.now();
    const members = await anew.client.cluster.members();
    const voting = members.filter(({ membership }) => membership === "Voter").length;
    if (voting !== cluster.servers) throw new Error(`${voting} servers vote`);
    say("comparing");
    const { expected, lost, later, changed } = await compareWrites(anew.client, writes.acknowledged, revision);
    const newest = Math.max(...writes.acknowledged.map((write) => write.revision));
    const firstRevision = Number(first.metadata.resourceVersion);
    const rows = [
      `restore command   ${seconds(restoredMs - startedMs)}`,
      `first write       ${seconds(firstMs - startedMs)}   from the start of the restore`,
      `three voters      ${seconds(votersMs - startedMs)}   from the start of the restore`,
      `revisions         backup ${revision}, last of the old cluster ${newest}, first of the new one ${firstRevision}`,
      `writes            ${expected} acknowledged up to the backup's revision, ${later} later ones`,
      `lost              ${lost.length}`,
    ];
    if (lost.length + changed.length > 0 || firstRevision <= newest) {
      process.stdout.write(`${rows.join("\n")}\n`);
      throw new Error(`lost: ${lost.slice(0, 5).join()}; not as written, or of later: ${changed.slice(0, 5).join()}`);
    }
    return rows;
  } finally {
    await anew.close();
  }
}

async function fill(client: Client, writes: RecordedWrites, megabytes: number): Promise<void> {
  const count = Math.ceil((megabytes * 1e6) / fillBytes);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) {
      const text = randomBytes((fillBytes * 3) / 4).toString("base64");
      await writes.create(client, `fill-${at}`, text);
    }
  };
  await Promise.all(Array.from({ length: fillAtOnce }, work));
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2).padStart(7)} s`;
}

function mb(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
