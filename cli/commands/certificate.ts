import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Option, type Command } from "commander";
import { IkadaError } from "../../src/base/errors.js";
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
      const { certificate: pem, key } = await createAuthority("ikada");
      writeNew(out, "ca.pem", pem, 0o644);
      writeNew(out, "ca.key", key, 0o600);
    });

  certificate
    .command("issue")
    .description("make a key and a certificate for a server or a node")
    .requiredOption("--authority <folder>", "with ca.pem and ca.key")
    .addOption(new Option("--role <role>", "what it may do").choices(["server", "node"]).makeOptionMandatory())
    .requiredOption("--name <name>", "its name in the configuration")
    .option("--address <address...>", "IP addresses and host names of a server", [])
    .option("--days <days>", "how long it is valid", parseDays, 30)
    .requiredOption("--out <folder>", "where to write NAME.pem and NAME.key")
    .action(
      async (options: {
        authority: string;
        role: "server" | "node";
        name: string;
        address: string[];
        days: number;
        out: string;
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
        writeNew(options.out, `${options.name}.pem`, issued.certificate, 0o644);
        writeNew(options.out, `${options.name}.key`, issued.key, 0o600);
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

function writeNew(folder: string, name: string, text: string, mode: number): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, name);
  if (existsSync(file)) throw new IkadaError("AlreadyExists", `${file} is there already and is not overwritten`);
  writeFileSync(file, text, { mode, flag: "wx" });
  process.stdout.write(`${file} written\n`);
}
