import { parseArgs } from "node:util";
import { IkadaError } from "../base/errors.js";
import { readServerConfig } from "../config.js";
import { hostDisk } from "../host/disk.js";
import { restoreBackup, revisionBumpDefault } from "./restore.js";

const usage = "usage: ikada server restore --from FILE --config FILE [--bump-revision NUMBER]";
/** Far enough from the largest number that is exact, for many restores one after the other. */
const revisionBumpMax = 1_000_000_000_000;

/** `ikada server restore`. @throws IkadaError */
export async function restore(args: readonly string[]): Promise<void> {
  const values = parse(args);
  const { from: file, config: configFile } = values;
  if (file === undefined || configFile === undefined) throw new IkadaError("BadRequest", usage);
  const revisionBump = bumpOf(values["bump-revision"]);
  const config = readServerConfig(configFile);
  const disk = hostDisk(config.dataFolder);
  try {
    const { about, revision, etcdRevision, term, rows } = await restoreBackup(disk, { file, config, revisionBump });
    const lines = [
      `restored ${file} of cluster ${about.clusterId}, as it was on ${new Date(about.timeMs).toISOString()}, into ${config.dataFolder}`,
      `${rows} rows; revision ${about.objects.revision} is now ${revision}, etcd revision ${about.etcd.revision} is ${etcdRevision}, term ${about.appliedTerm} is ${term}`,
      `start ${config.name}: it is the only server of cluster ${config.clusterId}; add the others with 'ikada cluster add' and 'promote'`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    await disk.close();
  }
}

function parse(args: readonly string[]) {
  const options = {
    from: { type: "string" },
    config: { type: "string" },
    "bump-revision": { type: "string" },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (caught) {
    throw new IkadaError("BadRequest", `${(caught as Error).message}; ${usage}`);
  }
}

function bumpOf(text: string | undefined): number {
  if (text === undefined) return revisionBumpDefault;
  const bump = Number(text);
  if (/^\d{1,13}$/.test(text) && bump >= 1 && bump <= revisionBumpMax) return bump;
  throw new IkadaError(
    "BadRequest",
    `--bump-revision: a number from 1 to ${revisionBumpMax} is expected, not "${text}"`,
    {
      hint: `it has to exceed all writes that the old cluster took after the backup; ${revisionBumpDefault} when absent`,
    },
  );
}
