import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";
import { launcher, prepareCluster, type LocalCluster, type LocalOptions } from "./cluster.js";

/** For a new server to catch up with the state of a large backup. */
const promoteMsMax = 10 * 60_000;

/**
 * The files of a cluster that begins with what is in a backup: its first server has the state, the others wait to be added, which `joinOthers`
 * does once it runs. @throws IkadaError AlreadyExists when one of them has data
 */
export async function restoreCluster(options: LocalOptions, file: string): Promise<LocalCluster> {
  const { servers, folder } = options;
  const cluster = await prepareCluster({ ...options, servers: 1, joining: servers - 1 });
  const [first] = cluster.servers;
  for (const { name } of cluster.joining) checkEmpty(join(folder, "data", name));
  await run("server", "restore", "--from", file, "--config", join(folder, `${first!.name}.json`));
  return cluster;
}

/** Adds the waiting servers, one after the other, and lets them vote. */
export async function joinOthers(cluster: LocalCluster, client: Client): Promise<void> {
  for (const { id, name, api, agents, replicas, raft } of cluster.joining) {
    await client.cluster.add({ id, name, api, agents, replicas, raft }, { deadlineMs: 60_000 });
    await client.cluster.promote(id, { deadlineMs: promoteMsMax });
  }
}

function checkEmpty(folder: string): void {
  if (!existsSync(folder) || readdirSync(folder).length === 0) return;
  throw new IkadaError("AlreadyExists", `${folder} is not empty`, {
    hint: "forget what was there before: npm run down -- --data",
  });
}

function run(...words: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [launcher, ...words], (error, stdout, stderr) => {
      process.stderr.write(stdout);
      if (error) reject(new IkadaError("Invalid", `ikada ${words[0]} ${words[1]}: ${stderr.trim()}`, {}, error));
      else resolve();
    });
  });
}
