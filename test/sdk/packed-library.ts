import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { tokens, type TestCluster } from "../server/harness.js";

/** The folder of a program that has installed the packed library, and nothing else. Tests run in the root of the checkout. */
export class PackedLibrary {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async install(): Promise<PackedLibrary> {
    const library = new PackedLibrary(mkdtempSync(join(tmpdir(), "ikada-packed-")));
    const { folder } = library;
    const tarball = await library.run(process.execPath, resolve("sdk/pack.mjs"), folder);
    library.write("package.json", JSON.stringify({ name: "user", version: "1.0.0", private: true, type: "module" }));
    await library.run(
      "npm",
      "install",
      "--silent",
      "--prefer-offline",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      tarball,
    );
    return library;
  }

  /** What `npm run up` leaves for programs in its checkout, of this cluster. */
  use(cluster: TestCluster): void {
    mkdirSync(join(this.folder, ".ikada", "pki"), { recursive: true });
    this.write(".ikada/admin.json", JSON.stringify({ endpoints: cluster.addresses.map(({ api }) => api) }));
    this.write(".ikada/pki/ca.pem", cluster.authority.certificate);
    this.write(".ikada/pki/admin.token", `${tokens.admin}\n`);
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  /** Compiles all TypeScript in the folder, strictly, as somebody else's compiler would. */
  compile(): Promise<string> {
    const compilerOptions = {
      target: "es2023",
      module: "nodenext",
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [resolve("node_modules/@types")],
    };
    this.write("tsconfig.json", JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    return this.run(process.execPath, resolve("node_modules/typescript/bin/tsc"), "-p", this.folder);
  }

  /** Asynchronous, because the server that a program speaks to runs in this process. Gives what it prints. */
  run(command: string, ...args: string[]): Promise<string> {
    return new Promise((done, failed) => {
      const child = spawn(command, args, { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
      let text = "";
      let errors = "";
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
      child.once("error", failed);
      child.once("close", (code) => {
        if (code === 0) done(text.trim());
        else failed(new Error(`${command} ${args.join(" ")} ended with ${String(code)}: ${errors}${text}`));
      });
    });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
