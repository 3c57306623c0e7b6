import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../../deploy/local/free-ports.js";
import { createAuthority, issueCertificate, type Authority } from "../../src/host/pki.js";
import type { ClientTls, TlsFiles } from "../../src/host/tls.js";
import { Forked } from "../forked.js";
import type { ServerOptions, ServerQuestion, ServerState, Versions } from "./server.js";

const settleMsMax = 30_000;

type Server = Forked<ServerOptions | ServerQuestion, ServerState | Versions>;

/** Three servers of the bench on this machine, with certificates of an authority of their own. */
export class BenchCluster {
  readonly #folder: string;
  readonly #servers: readonly Server[];
  /** For clients. */
  readonly tls: ClientTls;

  private constructor(folder: string, servers: readonly Server[], tls: ClientTls) {
    this.#folder = folder;
    this.#servers = servers;
    this.tls = tls;
  }

  static async start(profileFolder?: string): Promise<BenchCluster> {
    const folder = await mkdtemp(join(tmpdir(), "ikada-bench-raft-"));
    const base = await freePorts(3);
    const authority = await createAuthority("bench");
    const members = [1, 2, 3].map((id) => ({ id, name: `server-${id}`, address: `127.0.0.1:${base + id - 1}` }));
    const servers: Server[] = [];
    const started: Promise<unknown>[] = [];
    for (const { id, name } of members) {
      const tls = await serverFiles(folder, name, authority);
      const server: Server = new Forked("./raft/server.js", profileFolder);
      servers.push(server);
      started.push(server.ask({ id, members, dataFolder: join(folder, name), tls }));
    }
    await Promise.all(started);
    const identity = await issueCertificate(authority, { role: "user", name: "bench", addresses: [], days: 1 });
    return new BenchCluster(folder, servers, { authority: authority.certificate, identity });
  }

  states(): Promise<readonly ServerState[]> {
    return Promise.all(this.#servers.map((server) => server.ask<ServerState>({ type: "state" })));
  }

  /** Address of the leader's service, and the leader's place among `states`. Waits until all agree on one. */
  async leader(): Promise<{ readonly address: string; readonly at: number }> {
    const end = performance.now() + settleMsMax;
    while (performance.now() < end) {
      const states = await this.states();
      const leader = states[0]!.leader;
      if (leader !== 0 && states.every((state) => state.leader === leader))
        return { address: `127.0.0.1:${states[leader - 1]!.port}`, at: leader - 1 };
      await sleep(20);
    }
    throw new Error("the bench's servers found no leader");
  }

  /** Of each server, what it holds under `prefix`, once all have applied the same. @throws Error when their digests differ then */
  async settledVersions(prefix: string): Promise<readonly Versions[]> {
    const end = performance.now() + settleMsMax;
    while (performance.now() < end) {
      const states = await this.states();
      const { appliedIndex, digest } = states[0]!;
      if (states.every((state) => state.appliedIndex === appliedIndex)) {
        if (states.some((state) => state.digest !== digest))
          throw new Error(`replicas differ at index ${appliedIndex}: ${states.map((state) => state.digest).join(" ")}`);
        return Promise.all(this.#servers.map((server) => server.ask<Versions>({ type: "versions", prefix })));
      }
      await sleep(20);
    }
    throw new Error("the replicas did not come to the same applied index");
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function serverFiles(folder: string, name: string, authority: Authority): Promise<TlsFiles> {
  const request = { role: "server", name, addresses: ["127.0.0.1"], days: 1 } as const;
  const identity = await issueCertificate(authority, request);
  const files = {
    certificate: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
    authority: join(folder, "ca.pem"),
  };
  await writeFile(files.authority, authority.certificate);
  await writeFile(files.certificate, identity.certificate);
  await writeFile(files.key, identity.key, { mode: 0o600 });
  return files;
}
