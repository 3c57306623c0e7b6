import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Docker from "dockerode";

export interface OwnEngineOptions {
  /** Containers run on while no dockerd does; otherwise it ends them at its next start. */
  readonly liveRestore: boolean;
  /** Images and containers lie on a disk of their own in memory, of this size. @default the machine's disk */
  readonly diskMebibytes?: number;
}

/**
 * A Docker engine of a test's own, beside any other on this machine: its dockerd, containerd, folders and bridge. It
 * changes no firewall rule and no kernel setting, so its containers reach each other and this machine only.
 */
export class OwnEngine {
  /** Path of its Unix socket. */
  readonly socket: string;
  readonly docker: Docker;
  readonly #folder: string;
  readonly #bridge: string;
  readonly #liveRestore: boolean;
  #containerd: ChildProcess | undefined;
  #dockerd: ChildProcess | undefined;

  private constructor(folder: string, options: OwnEngineOptions) {
    this.#folder = folder;
    this.#liveRestore = options.liveRestore;
    this.#bridge = `ik${process.pid.toString(36)}${Math.floor(Math.random() * 36 ** 3).toString(36)}`;
    this.socket = join(folder, "docker.sock");
    this.docker = new Docker({ socketPath: this.socket });
  }

  /** Why this machine can't run one; undefined when it can. */
  static whatIsMissing(): string | undefined {
    return process.getuid?.() === 0 ? undefined : "an own Docker engine can be started by root only";
  }

  static async start(options: OwnEngineOptions): Promise<OwnEngine> {
    const engine = new OwnEngine(mkdtempSync(join(tmpdir(), "ikada-engine-")), options);
    try {
      mkdirSync(engine.diskFolder);
      const { diskMebibytes } = options;
      if (diskMebibytes !== undefined) {
        const size = `size=${diskMebibytes}m,mode=711`;
        execFileSync("mount", ["-t", "tmpfs", "-o", size, "ikada-engine", engine.diskFolder]);
      }
      engine.#writeContainerdConfig();
      engine.#addBridge();
      await engine.run();
    } catch (caught) {
      process.stderr.write(engine.logs());
      await engine.close();
      throw caught;
    }
    return engine;
  }

  /** Of the two processes that are the engine. */
  get pids(): readonly number[] {
    return [this.#dockerd, this.#containerd].flatMap((child) => (isRunning(child) ? [child.pid!] : []));
  }

  /** Where images and containers lie. */
  get diskFolder(): string {
    return join(this.#folder, "disk");
  }

  /** Starts the two processes on the same folders as before, and waits until the engine answers. */
  async run(): Promise<void> {
    const at = (name: string): string => join(this.#folder, name);
    // A killed process leaves its files behind, and its number may be in use again.
    for (const name of ["dockerd.pid", "docker.sock", "containerd.sock", "containerd.sock.ttrpc"])
      rmSync(at(name), { force: true });
    this.#containerd = this.#spawn("containerd", ["--config", at("containerd.toml")]);
    await this.#until("containerd", this.#containerd, () => Promise.resolve(existsSync(at("containerd.sock"))));
    const folders = [
      "--data-root",
      join(this.diskFolder, "data"),
      "--exec-root",
      at("exec"),
      "--pidfile",
      at("dockerd.pid"),
    ];
    const network = ["--bridge", this.#bridge, "--iptables=false", "--ip-masq=false", "--ip-forward=false"];
    const sockets = ["--host", `unix://${this.socket}`, "--containerd", at("containerd.sock")];
    const keep = this.#liveRestore ? ["--live-restore"] : [];
    this.#dockerd = this.#spawn("dockerd", [...folders, ...network, ...sockets, ...keep]);
    await this.#until("dockerd", this.#dockerd, async () => {
      await this.docker.ping();
      return true;
    });
  }

  /** kill -9 of both processes. Shims and containers are left running, as after a crash. */
  async kill(): Promise<void> {
    await Promise.all([end(this.#dockerd, "SIGKILL"), end(this.#containerd, "SIGKILL")]);
  }

  /** Asks both processes to end, as a restart of the service does. */
  async stop(): Promise<void> {
    await end(this.#dockerd, "SIGTERM");
    await end(this.#containerd, "SIGTERM");
  }

  /** dockerd stands still until `thaw`: its socket takes connections, and nobody answers. */
  freeze(): void {
    this.#dockerd?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#dockerd?.kill("SIGCONT");
  }

  /** Ends everything that this engine started, whatever state it is in, and removes what it left. */
  async close(): Promise<void> {
    this.thaw();
    await this.stop();
    await this.#endProcesses();
    for (const mount of this.#mounts()) runQuietly("umount", "--lazy", mount);
    runQuietly("ip", "link", "delete", this.#bridge);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The ends of the two logs, for a failed test. */
  logs(): string {
    return ["containerd", "dockerd"]
      .map((name) => {
        const file = join(this.#folder, `${name}.log`);
        const text = existsSync(file) ? readFileSync(file, "utf8").trimEnd() : "never started";
        return `--- ${name}\n${text.split("\n").slice(-15).join("\n")}\n`;
      })
      .join("");
  }

  /** One of our own, since dockerd would take a containerd of the system where one runs. */
  #writeContainerdConfig(): void {
    const at = (name: string): string => JSON.stringify(join(this.#folder, name));
    mkdirSync(join(this.#folder, "temporary"));
    writeFileSync(
      join(this.#folder, "containerd.toml"),
      `version = 2
root = ${at("disk/containerd")}
state = ${at("containerd-state")}
temp = ${at("temporary")}
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = ${at("containerd.sock")}
[plugins."io.containerd.internal.v1.opt"]
path = ${at("opt")}
`,
    );
  }

  #addBridge(): void {
    const subnet = freeSubnet();
    execFileSync("ip", ["link", "add", "name", this.#bridge, "type", "bridge"]);
    execFileSync("ip", ["address", "add", `${subnet}.1/24`, "dev", this.#bridge]);
    execFileSync("ip", ["link", "set", this.#bridge, "up"]);
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.#folder, `${program}.log`), "a");
    // A group of its own: a Ctrl-C of the tests is not for the engine, which `close` ends in its order.
    const child = spawn(program, args, { stdio: ["ignore", log, log], detached: true });
    // A program that is not there has no exit; `#until` sees it by its missing pid.
    child.on("error", (error) => process.stderr.write(`${program}: ${error.message}\n`));
    closeSync(log);
    return child;
  }

  async #until(what: string, child: ChildProcess, look: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + startMsMax;
    let last: unknown;
    while (performance.now() < deadline) {
      if (!isRunning(child)) throw new Error(`${what} has ended:\n${this.logs()}`);
      try {
        if (await look()) return;
      } catch (caught) {
        last = caught;
      }
      await sleep(25);
    }
    throw new Error(`${what} did not answer within ${startMsMax} ms`, { cause: last });
  }

  /** Shims name the folder in their command lines, and containers are their descendants. */
  async #endProcesses(): Promise<void> {
    const deadline = performance.now() + endMsMax;
    for (let left = this.#processes(); left.length > 0 && performance.now() < deadline; left = this.#processes()) {
      for (const pid of left) killQuietly(pid);
      await sleep(25);
    }
  }

  #processes(): number[] {
    const all = processTable();
    const ours = new Set(all.filter(({ command }) => command.includes(`${this.#folder}/`)).map(({ pid }) => pid));
    ours.delete(process.pid);
    for (let before = -1; before !== ours.size;) {
      before = ours.size;
      for (const { pid, parent } of all) if (ours.has(parent)) ours.add(pid);
    }
    return [...ours];
  }

  /** The innermost first. */
  #mounts(): string[] {
    const lines = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const points = lines.map((line) => line.split(" ")[1] ?? "");
    return points.filter((point) => point.startsWith(`${this.#folder}/`)).reverse();
  }
}

const startMsMax = 30_000;
const endMsMax = 15_000;

/** The first three numbers of a /24 that no route but the default one has anything to do with. */
function freeSubnet(): string {
  for (let tries = 0; tries < 100; tries += 1) {
    const subnet = `10.${128 + Math.floor(Math.random() * 127)}.${Math.floor(Math.random() * 256)}`;
    const routes = ["match", "root"].map((how) =>
      execFileSync("ip", ["-4", "route", "show", how, `${subnet}.0/24`], { encoding: "utf8" }),
    );
    const lines = routes.join("").split("\n");
    if (lines.every((line) => line === "" || line.startsWith("default"))) return subnet;
  }
  throw new Error("no free /24 of 10.128.0.0/9 was found for the bridge of an own engine");
}

function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

async function end(child: ChildProcess | undefined, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (!isRunning(child)) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), endMsMax);
  await ended;
  clearTimeout(timer);
}

interface ListedProcess {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processTable(): ListedProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // The program's name stands in brackets and may hold any character.
        const fields = readFileSync(`/proc/${name}/stat`, "utf8")
          .replace(/^.*\) /s, "")
          .split(" ");
        const command = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        return [{ pid: Number(name), parent: Number(fields[1]), command }];
      } catch {
        return []; // It ended meanwhile.
      }
    });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (caught) {
    if ((caught as NodeJS.ErrnoException).code !== "ESRCH") throw caught;
  }
}

/** For what may be gone already. */
function runQuietly(program: string, ...args: string[]): void {
  try {
    execFileSync(program, args, { stdio: "ignore" });
  } catch (caught) {
    if ((caught as { status?: number | null }).status === undefined) throw caught;
  }
}
