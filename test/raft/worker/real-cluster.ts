import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { silentLog } from "../../../src/host/log.js";
import { createAuthority, issueCertificate, type Authority, type CertificateRequest } from "../../../src/host/pki.js";
import type { TlsFiles } from "../../../src/host/tls.js";
import type { ConsensusStatus } from "../../../raft/consensus.js";
import type { Entry, NodeId } from "../../../raft/core/types.js";
import { ConsensusHandle } from "../../../raft/worker/handle.js";
import type { ConsensusWorkerOptions } from "../../../raft/worker/port-messages.js";

/** Members as threads of this process, with real files, certificates and sockets. */
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
    await Promise.all(started.map((member) => member.handle.started));
    return started;
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class RealMember {
  readonly id: NodeId;
  readonly handle: ConsensusHandle;
  readonly committed: Entry[] = [];
  readonly reads = new Map<number, number>();
  readonly refused: { readonly tag: number; readonly reason: string }[] = [];
  readonly fatal: Error[] = [];
  status: ConsensusStatus | undefined;
  readonly #worker: Worker;

  constructor(options: ConsensusWorkerOptions) {
    this.id = options.id;
    this.#worker = new Worker(new URL("../../../raft/worker/main.js", import.meta.url), { workerData: options });
    this.handle = new ConsensusHandle(
      this.#worker,
      {
        onCommitted: (entries) => {
          for (const entry of entries) this.committed.push({ ...entry, data: entry.data.slice() });
          this.handle.applied(entries.at(-1)?.index ?? 0, 0);
        },
        onReadIndex: (tag, index) => void this.reads.set(tag, index),
        onRefused: (tag, reason) => void this.refused.push({ tag, reason }),
        onStatus: (status) => (this.status = status),
        onFatal: (error) => void this.fatal.push(error),
      },
      silentLog,
    );
  }

  get texts(): string[] {
    return this.committed.map(({ data }) => Buffer.from(data).toString()).filter((text) => text !== "");
  }

  propose(text: string): void {
    this.handle.propose(0, Buffer.from(text));
  }

  /** Ends the thread at once: its sockets close, nothing is written any more. */
  async kill(): Promise<void> {
    await this.#worker.terminate();
  }
}

export async function eventually(what: string, holds: () => boolean, limitMs = 8000): Promise<void> {
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

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve) => {
          server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
