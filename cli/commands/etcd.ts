import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createHash } from "node:crypto";
import type { Command } from "commander";
import { loadContext } from "../config.js";
import type { GlobalOptions } from "../session.js";

/** `ikada etcd env`: how etcd's clients reach this cluster (docs/etcd.md). */
export function addEtcd(program: Command): void {
  program
    .command("etcd")
    .description("etcd's clients with this cluster")
    .command("env")
    .description('print the environment that makes etcdctl talk to this cluster: eval "$(ikada etcd env)"')
    .action((_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { endpoints, ca, token } = loadContext(options, process.env);
      const variables = {
        ETCDCTL_API: "3",
        ETCDCTL_ENDPOINTS: endpoints.map((endpoint) => `https://${endpoint}`).join(","),
        ETCDCTL_CACERT: authorityFile(ca),
        ETCDCTL_USER: `token:${token}`,
      };
      for (const [name, value] of Object.entries(variables)) process.stdout.write(`export ${name}=${quoted(value)}\n`);
    });
}

/** etcdctl reads the authority from a file; its name follows from what is in it, so that two clusters never share one. */
function authorityFile(ca: string): string {
  const folder = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "ikada");
  const file = join(folder, `ca-${createHash("sha256").update(ca).digest("hex").slice(0, 16)}.pem`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, ca);
  return file;
}

/** For a POSIX shell. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
