import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client as Channel, ClientDuplexStream } from "@grpc/grpc-js";
import { createAuthority, issueCertificate } from "../src/host/pki.js";
import { createClient } from "../src/host/tls.js";
import type { BenchClient, Contestant } from "./contestant.js";
import {
  putRequest,
  rangeRequest,
  readLeads,
  readToken,
  readWatchResponse,
  textsRequest,
  watchRequest,
} from "./etcd-messages.js";
import { freePorts } from "../deploy/local/free-ports.js";

const settleMsMax = 30_000;
/** One try of a write while a leader is looked for. */
const tryMsMax = 500;
const pauseMs = 10;

const root = "root";
/** Calls that let nobody in without a token: etcd wants a user and a role of this name first. */
const usersAndRoles = [
  ["/etcdserverpb.Auth/UserAdd", root, root],
  ["/etcdserverpb.Auth/RoleAdd", root],
  ["/etcdserverpb.Auth/UserGrantRole", root, root],
  ["/etcdserverpb.Auth/AuthEnable"],
] as const;

/** The version of the etcd on this machine; undefined when there is none. */
export function etcdVersion(): string | undefined {
  const { status, stdout } = spawnSync("etcd", ["--version"], { encoding: "utf8" });
  return status === 0 ? /etcd Version: (\S+)/.exec(stdout)?.[1] : undefined;
}

export interface EtcdOptions {
  /** Nobody without a token, as with Ikada; `endpoint` asks for one. @default false */
  readonly authenticates?: boolean;
}

/** Three members with etcd's default timers, TLS for clients and peers as Ikada has it, and fsync on. */
export async function startEtcd({ authenticates = false }: EtcdOptions = {}): Promise<Contestant> {
  const folder = await mkdtemp(join(tmpdir(), "ikada-bench-etcd-"));
  const base = await freePorts(6);
  const authority = await createAuthority("bench");
  const request = { role: "server", name: "etcd", addresses: ["127.0.0.1"], days: 1 } as const;
  const { certificate, key } = await issueCertificate(authority, request);
  const files = { ca: join(folder, "ca.pem"), certificate: join(folder, "etcd.pem"), key: join(folder, "etcd.key") };
  await writeFile(files.ca, authority.certificate);
  await writeFile(files.certificate, certificate);
  await writeFile(files.key, key, { mode: 0o600 });

  const members = [0, 1, 2].map((at) => ({
    name: `e${at}`,
    api: `127.0.0.1:${base + at}`,
    peer: `127.0.0.1:${base + 3 + at}`,
  }));
  const cluster = members.map(({ name, peer }) => `${name}=https://${peer}`).join(",");
  const children: (ChildProcess | undefined)[] = [];
  let closing = false;
  const start = (at: number): void => {
    const { name, api, peer } = members[at]!;
    const log = openSync(join(folder, `${name}.log`), "a");
    const flags = {
      name,
      "data-dir": join(folder, name),
      logger: "zap",
      "log-level": "warn",
      "listen-client-urls": `https://${api}`,
      "advertise-client-urls": `https://${api}`,
      "listen-peer-urls": `https://${peer}`,
      "initial-advertise-peer-urls": `https://${peer}`,
      "initial-cluster": cluster,
      "initial-cluster-state": "new",
      "cert-file": files.certificate,
      "key-file": files.key,
      "peer-cert-file": files.certificate,
      "peer-key-file": files.key,
      "peer-trusted-ca-file": files.ca,
      "peer-client-cert-auth": "true",
    };
    const words = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const child = spawn("etcd", words, { stdio: ["ignore", log, log] });
    closeSync(log);
    children[at] = child;
    child.once("exit", () => {
      children[at] = undefined;
      if (!closing) setTimeout(() => !closing && start(at), 200);
    });
  };
  for (const at of members.keys()) start(at);

  const channels = members.map(({ api }) => createClient(api, { authority: authority.certificate }));
  const status = async (at: number): Promise<boolean> =>
    readLeads(await unary(channels[at]!, "/etcdserverpb.Maintenance/Status", Buffer.alloc(0)));
  /** Position of the leader while all members answer; -1 otherwise. */
  const leader = async (): Promise<number> => {
    const leads = await Promise.allSettled(channels.map((_, at) => status(at)));
    if (leads.some((answer) => answer.status === "rejected")) return -1;
    return leads.findIndex((answer) => answer.status === "fulfilled" && answer.value);
  };
  const settled = async (): Promise<void> => {
    const end = performance.now() + settleMsMax;
    while (performance.now() < end) {
      if ((await leader()) >= 0) return;
      await sleep(50);
    }
    throw new Error(`etcd did not come up; its logs are in ${folder}`);
  };
  if (authenticates) {
    await settled();
    for (const [path, ...texts] of usersAndRoles) await unary(channels[0]!, path, textsRequest(...texts));
  }
  return {
    name: "etcd",
    async endpoint() {
      const at = await leader();
      if (at < 0) throw new Error("not all members answer, or there is no leader");
      const login = textsRequest(root, root);
      const token = authenticates
        ? readToken(await unary(channels[at]!, "/etcdserverpb.Auth/Authenticate", login))
        : "";
      const { certificate: pem } = authority;
      return { address: members[at]!.api, all: members.map(({ api }) => api), authority: pem, token };
    },
    pids: () => children.map((child) => child?.pid).filter((pid) => pid !== undefined),
    connect: async () =>
      new EtcdClient(
        members.map(({ api }) => createClient(api, { authority: authority.certificate })),
        Math.max(0, await leader()),
      ),
    async killLeader() {
      const child = children[await leader()];
      if (!child) throw new Error("there is no leader to kill");
      child.kill("SIGKILL");
    },
    settle: settled,
    async close() {
      closing = true;
      for (const channel of channels) channel.close();
      await Promise.all(
        children.map(
          (child) =>
            new Promise<void>((resolve) => {
              if (!child) return resolve();
              child.once("exit", () => resolve());
              child.kill("SIGKILL");
            }),
        ),
      );
      await rm(folder, { recursive: true, force: true });
    },
  };
}

class EtcdClient implements BenchClient {
  readonly #channels: readonly Channel[];
  readonly #watches: ClientDuplexStream<Buffer, Buffer>[] = [];
  #current: number;

  constructor(channels: readonly Channel[], current: number) {
    this.#channels = channels;
    this.#current = current;
  }

  async put(key: string, value: string): Promise<void> {
    const request = putRequest(key, value);
    const end = performance.now() + settleMsMax;
    for (;;) {
      const current = this.#current;
      try {
        await unary(this.#channels[current]!, "/etcdserverpb.KV/Put", request, tryMsMax);
        return;
      } catch (caught) {
        if (performance.now() > end) throw caught;
        if (this.#current === current) this.#current = (current + 1) % this.#channels.length;
        await sleep(pauseMs);
      }
    }
  }

  async get(key: string): Promise<void> {
    await unary(this.#channels[this.#current]!, "/etcdserverpb.KV/Range", rangeRequest(key));
  }

  watch(onChange: (key: string) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const channel = this.#channels[this.#current]!;
      const stream = channel.makeBidiStreamRequest("/etcdserverpb.Watch/Watch", same, same);
      this.#watches.push(stream);
      stream.on("error", reject);
      stream.on("data", (bytes: Buffer) => {
        const { created, keys } = readWatchResponse(bytes);
        if (created) resolve();
        for (const key of keys) onChange(key);
      });
      stream.write(watchRequest());
    });
  }

  close(): Promise<void> {
    for (const stream of this.#watches) stream.cancel();
    for (const channel of this.#channels) channel.close();
    return Promise.resolve();
  }
}

function unary(channel: Channel, path: string, request: Buffer, deadlineMs = 5_000): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    channel.makeUnaryRequest(path, same, same, request, { deadline: Date.now() + deadlineMs }, (error, answer) => {
      if (error) reject(error);
      else resolve(answer!);
    });
  });
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
