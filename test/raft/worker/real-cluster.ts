import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { createAuthority, issueCertificate, type Authority, type CertificateRequest } from "../../../src/host/pki.js";
import type { TlsFiles } from "../../../src/host/tls.js";
import type { ConsensusStatus } from "../../../raft/consensus.js";
import type { ConfChange } from "../../../raft/core/configuration.js";
import type { ConfState, Entry, NodeId } from "../../../raft/core/types.js";
import type { KnownMembers } from "../../../raft/worker/known-members.js";
import type { ConsensusWorkerOptions } from "../../../raft/worker/port-messages.js";

/** Members as processes of their own, with real files, certificates and sockets. */
export class RealCluster {
  readonly folder = mkdtempSync(path.join(tmpdir(), "ikada-raft-"));
  readonly members: RealMember[] = [];
  #authority: Authority | undefined;
  #options: ConsensusWorkerOptions[] = [];

  static async create(size: number): Promise<RealCluster> {
    const cluster = new RealCluster();
    cluster.#authority = await createAuthority("test");
    const ports = await freePorts(size);
    const members = ports.map((port, at) => ({ id: at + 1, name: `server-${at + 1}`, address: `127.0.0.1:${port}` }));
    for (const { id, name, address } of members) {
      const tls = await cluster.issue({ role: "server", name, addresses: ["127.0.0.1"], days: 1 });
      const dataFolder = path.join(cluster.folder, `data-${id}`);
      const options = { id, clusterId: "real", members, listen: address, dataFolder, tls, appliedIndex: 0 };
      cluster.#options.push(options);
    }
    return cluster;
  }

  /** Options of a further member, which knows nobody and waits to be added. */
  async another(): Promise<ConsensusWorkerOptions> {
    const [port] = await freePorts(1);
    const id = this.#options.length + 1;
    const own = { id, name: `server-${id}`, address: `127.0.0.1:${port}` };
    const tls = await this.issue({ role: "server", name: own.name, addresses: ["127.0.0.1"], days: 1 });
    const dataFolder = path.join(this.folder, `data-${id}`);
    const common = { clusterId: "real", dataFolder, tls, appliedIndex: 0 };
    const options = { ...common, id, members: [own], join: true, listen: own.address };
    this.#options.push(options);
    return options;
  }

  options(id: NodeId): ConsensusWorkerOptions {
    const options = this.#options[id - 1];
    assert(options);
    return options;
  }

  async issue(request: CertificateRequest, authority = this.#authority): Promise<TlsFiles> {
    assert(authority);
    const identity = await issueCertificate(authority, request);
    const file = (suffix: string, text: string): string => {
      const name = path.join(this.folder, `${request.role}-${request.name}-${authority === this.#authority}.${suffix}`);
      writeFileSync(name, text, { mode: 0o600 });
      return name;
    };
    return {
      certificate: file("crt", identity.certificate),
      key: file("key", identity.key),
      authority: file("ca", this.#authority?.certificate ?? ""),
    };
  }

  async start(...ids: NodeId[]): Promise<RealMember[]> {
    const started = ids.map((id) => new RealMember(this.options(id)));
    this.members.push(...started);
    await Promise.all(started.map((member) => member.started));
    return started;
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface ToMember {
  readonly propose?: Uint8Array;
  readonly tag?: number;
  readonly read?: number;
  readonly change?: ConfChange;
  readonly members?: KnownMembers;
  readonly transferTo?: NodeId;
  readonly stop?: boolean;
}

export interface FromMember {
  readonly type: "started" | "failed" | "committed" | "read" | "refused" | "status" | "fatal" | "changed";
  readonly entries?: readonly Entry[];
  readonly tag?: number;
  readonly index?: number;
  readonly reason?: string;
  readonly status?: ConsensusStatus;
  readonly error?: string;
  readonly configuration?: ConfState;
}

export class RealMember {
  readonly id: NodeId;
  readonly committed: Entry[] = [];
  readonly reads = new Map<number, number>();
  readonly refused: { readonly tag: number; readonly reason: string }[] = [];
  readonly changed = new Map<number, ConfState>();
  readonly fatal: string[] = [];
  status: ConsensusStatus | undefined;
  readonly started: Promise<void>;
  readonly #process: ChildProcess;
  readonly #exited: Promise<number | null>;

  constructor(options: ConsensusWorkerOptions) {
    this.id = options.id;
    const file = fileURLToPath(new URL("./member-process.js", import.meta.url));
    this.#process = fork(file, { serialization: "advanced" });
    this.#exited = new Promise((resolve) => this.#process.once("exit", resolve));
    this.started = new Promise((resolve, reject) => {
      this.#process.on("message", (message: FromMember) => {
        if (message.type === "started") resolve();
        else if (message.type === "failed") reject(new Error(message.error));
        else this.#take(message);
      });
      this.#process.once("exit", () => reject(new Error(`member ${options.id} ended`)));
    });
    this.#process.send(options);
  }

  get texts(): string[] {
    const written = this.committed.filter(({ type, data }) => type === "Normal" && data.length > 0);
    return written.map(({ data }) => Buffer.from(data).toString());
  }

  propose(data: string | Uint8Array, tag = 0): void {
    this.#send({ propose: typeof data === "string" ? Buffer.from(data) : data, tag });
  }

  read(tag: number): void {
    this.#send({ read: tag });
  }

  change(tag: number, change: ConfChange): void {
    this.#send({ change, tag });
  }

  setMembers(members: KnownMembers): void {
    this.#send({ members });
  }

  transfer(to: NodeId): void {
    this.#send({ transferTo: to });
  }

  /** Ends the member in order; the exit code of its process. */
  async stop(): Promise<number | null> {
    this.#send({ stop: true });
    return await this.#exited;
  }

  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  #send(message: ToMember): void {
    this.#process.send(message);
  }

  #take({ type, entries, tag = 0, index = 0, reason = "", status, error, configuration }: FromMember): void {
    if (type === "changed" && configuration) this.changed.set(tag, configuration);
    if (type === "committed") this.committed.push(...(entries ?? []));
    if (type === "read") this.reads.set(tag, index);
    if (type === "refused") this.refused.push({ tag, reason });
    if (type === "status") this.status = status;
    if (type === "fatal" && error !== undefined) this.fatal.push(error);
  }
}

/** The bound is for broken code, not for slow machines. */
export async function eventually(what: string, holds: () => boolean, limitMs = 30_000): Promise<void> {
  const endMs = performance.now() + limitMs;
  while (!holds()) {
    if (performance.now() > endMs) assert.fail(`not within ${limitMs} ms: ${what}`);
    await sleep(5);
  }
}

export function leaderOf(members: readonly RealMember[]): RealMember | undefined {
  return members.find(
    ({ status, id }) => status?.role === "Leader" && members.every((each) => each.status?.leader === id),
  );
}

/** Below the range that connections take their own ports from: there a port found free may be taken a moment later. */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true));
    });
    if (isFree) await new Promise((resolve) => server.close(resolve));
    if (isFree && !ports.includes(port)) ports.push(port);
  }
  return ports;
}
