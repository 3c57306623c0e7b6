import type { Command } from "commander";
import colors from "picocolors";
import { timeoutOption } from "../flags.js";
import { withSession } from "../session.js";

interface BackupFlags {
  readonly force?: boolean;
  readonly local?: boolean;
  readonly timeout: number;
}

/** Between two words on how far it is, on a terminal. */
const progressMs = 250;

/** `ikada cluster backup FILE` */
export function addClusterBackup(cluster: Command): void {
  cluster
    .command("backup")
    .description("save everything the cluster knows in a file, while it goes on; Secrets are in it")
    .argument("<file>", "made with mode 0600, and only once it is whole")
    .option("--force", "replace the file if it is there")
    .option("--local", "as the server that answers has it, without asking the leader: also where there is none")
    .addOption(timeoutOption("1h"))
    .action((file: string, { force = false, local = false, timeout }: BackupFlags, command: Command) =>
      withSession(command, async ({ client, signal }) => {
        const progress = new Progress();
        try {
          const { bytes, revision, etcdRevision, server, sha256 } = await client.cluster.backupTo(file, {
            force,
            local,
            deadlineMs: timeout,
            signal,
            onProgress: (soFar) => progress.show(soFar),
          });
          progress.clear();
          process.stdout.write(
            `${file}: ${megabytes(bytes)} of server ${server}, revision ${revision}, etcd revision ${etcdRevision}\nsha256 ${sha256}\n`,
          );
        } finally {
          progress.clear();
        }
      }),
    );
}

/** One line on a terminal's stderr; nothing elsewhere. */
class Progress {
  readonly #startedMs = performance.now();
  #shownMs = 0;

  show(bytes: number): void {
    const nowMs = performance.now();
    if (!process.stderr.isTTY || nowMs - this.#shownMs < progressMs) return;
    this.#shownMs = nowMs;
    const rate = megabytes((bytes * 1000) / Math.max(1, nowMs - this.#startedMs));
    process.stderr.write(`\r\u001b[K${colors.dim(`${megabytes(bytes)}, ${rate}/s`)}`);
  }

  clear(): void {
    if (this.#shownMs > 0) process.stderr.write("\r\u001b[K");
    this.#shownMs = 0;
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
