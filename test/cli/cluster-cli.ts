import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Client } from "../../sdk/index.js";
import { TestCluster, tokens } from "../server/harness.js";

export interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Tests run in the root of the checkout. */
const launcher = resolve("bin", "ikada");

/** The `ikada` command as its own process, against a server in this one, and a folder for its files. */
export class ClusterCli {
  readonly cluster: TestCluster;
  readonly client: Client;
  readonly folder: string;

  private constructor(cluster: TestCluster, client: Client, folder: string) {
    this.cluster = cluster;
    this.client = client;
    this.folder = folder;
  }

  static async start(): Promise<ClusterCli> {
    const cluster = await TestCluster.start(1);
    const endpoints = cluster.addresses.map(({ api }) => api);
    const ca = cluster.authority.certificate;
    const folder = mkdtempSync(join(tmpdir(), "ikada-cli-"));
    writeFileSync(join(folder, "context.json"), JSON.stringify({ endpoints, ca, token: tokens.admin }));
    return new ClusterCli(cluster, await Client.connect({ endpoints, ca, token: tokens.admin }), folder);
  }

  /** Runs it to its end; `words` are split at spaces when they are one text. */
  run(words: string | readonly string[], { input = "", env = {} }: RunOptions = {}): Promise<Run> {
    return this.begin(words, { input, env }).ended;
  }

  /** Starts it, so that something can be done while it runs. */
  begin(words: string | readonly string[], { input = "", env = {} }: RunOptions = {}) {
    const list = typeof words === "string" ? words.split(" ") : words;
    const own = {
      PATH: process.env["PATH"],
      HOME: this.folder,
      NO_COLOR: "1",
      IKADA_CONFIG: join(this.folder, "context.json"),
    };
    let child!: ReturnType<typeof execFile>;
    const ended = new Promise<Run>((done) => {
      child = execFile(
        process.execPath,
        [launcher, ...list],
        { env: { ...own, ...env }, cwd: this.folder },
        (error, out, err) => done({ code: error === null ? 0 : Number(error.code), out, err }),
      );
      child.stdin!.end(input);
    });
    return { child, ended };
  }

  write(name: string, text: string): string {
    const file = join(this.folder, name);
    writeFileSync(file, text);
    return file;
  }

  async close(): Promise<void> {
    await this.client.close();
    await this.cluster.close();
    rmSync(this.folder, { recursive: true });
  }
}
