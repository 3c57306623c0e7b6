import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Option, type Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
import type { Identity } from "../../src/host/tls.js";
import { parseDays } from "../flags.js";
import { readText } from "../read-text.js";

/** `ikada certificate authority | issue`, `ikada token`: what a cluster set up by hand needs (docs/operations.md). */
export function addCertificate(program: Command): void {
  const certificate = program.command("certificate").description("the cluster's certificate authority");

  certificate
    .command("authority")
    .description("make a new authority: ca.pem, and ca.key to be kept safe")
    .requiredOption("--out <folder>", "where to write")
    .action(async ({ out }: { out: string }) => {
      const { createAuthority } = await import("../../src/host/pki.js");
      writePair(out, "ca", await createAuthority("ikada"), false);
    });

  certificate
    .command("issue")
    .description("make a key and a certificate for a server, a node or a user")
    .requiredOption("--authority <folder>", "with ca.pem and ca.key")
    .addOption(new Option("--role <role>", "what it may do").choices(["server", "node", "user"]).makeOptionMandatory())
    .requiredOption("--name <name>", "its name in the configuration")
    .option("--address <address...>", "where it is reached: a server always, a node for its metrics", [])
    .option("--days <days>", "how long it is valid", parseDays, 30)
    .requiredOption("--out <folder>", "where to write NAME.pem and NAME.key")
    .option("--replace", "overwrite both, to renew")
    .action(
      async (options: {
        authority: string;
        role: "server" | "node" | "user";
        name: string;
        address: string[];
        days: number;
        out: string;
        replace?: boolean;
      }) => {
        const authority = {
          certificate: readText(join(options.authority, "ca.pem")),
          key: readText(join(options.authority, "ca.key")),
        };
        const { issueCertificate } = await import("../../src/host/pki.js");
        const issued = await issueCertificate(authority, {
          role: options.role,
          name: options.name,
          addresses: options.address,
          days: options.days,
        });
        writePair(options.out, options.name, issued, options.replace ?? false);
      },
    );

  program
    .command("token")
    .description("make a token for a user, and its SHA-256 for the servers' configuration")
    .action(() => {
      const token = randomBytes(32).toString("base64url");
      process.stdout.write(`token:  ${token}\nsha256: ${createHash("sha256").update(token).digest("hex")}\n`);
    });
}

/** Writes NAME.pem and NAME.key, both or none. */
function writePair(folder: string, name: string, { certificate, key }: Identity, replace: boolean): void {
  mkdirSync(folder, { recursive: true });
  const files = [
    { file: join(folder, `${name}.pem`), text: certificate, mode: 0o644 },
    { file: join(folder, `${name}.key`), text: key, mode: 0o600 },
  ];
  const there = files.find(({ file }) => !replace && existsSync(file));
  if (there) throw new IkadaError("AlreadyExists", `${there.file} is there already and is not overwritten`);
  for (const { file, text, mode } of files) {
    // Renamed into place, so that a process that starts just now reads no half of a file.
    writeFileSync(`${file}.new`, text, { mode });
    renameSync(`${file}.new`, file);
    process.stdout.write(`${file} written\n`);
  }
}
