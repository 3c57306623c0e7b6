import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Metadata, type Client as Channel } from "@grpc/grpc-js";
import { joinOthers } from "../../deploy/local/restore.js";
import { apiMethods } from "../../src/host/api-methods.js";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import { callBidi, callUnary, readStream } from "../../src/host/grpc.js";
import { createClient } from "../../src/host/tls.js";
import { Harness, type Run } from "./harness.js";

const namespace = "default";
const ttlSeconds = 3600;
const request = { client: randomBytes(8).toString("hex"), sequence: 1 };

describe("a backup, and a cluster that is restored from it", () => {
  let folder: string;
  let file: string;
  let old: Harness;
  let revision: number;
  let etcdRevision: number;

  before(async function () {
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), "ikada-restore-"));
    file = join(folder, "cluster.backup");
    old = await Harness.start({ servers: 3, agents: 0, runtime: "fake" });
    const { channel, call } = raw(old);
    await old.client.configMaps.create({ metadata: { name: "kept", namespace }, data: { at: "1" } });
    await old.client.configMaps.apply({ metadata: { name: "kept", namespace }, data: { at: "2" } });
    await callUnary(channel, apiMethods.create, createRequest("once"), call());
    const { ID } = await callUnary(channel, etcdMethods.leaseGrant, { TTL: ttlSeconds, ID: 77 }, call());
    assert.equal(ID, 77);
    await callUnary(channel, etcdMethods.put, { key: Buffer.from("a"), value: Buffer.from("1"), lease: 77 }, call());
    channel.close();
  });

  after(async () => {
    await old?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is written with mode 0600, not over a file that is there, and can be looked into", async function () {
    this.timeout(300_000);
    const { code, stdout, stderr } = await old.ikada("cluster", "backup", file);
    assert.equal(code, 0, stderr);
    const told = /revision (\d+), etcd revision (\d+)\nsha256 ([0-9a-f]{64})/.exec(stdout);
    assert(told, stdout);
    [revision, etcdRevision] = [Number(told[1]), Number(told[2])];
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match((await old.ikada("cluster", "backup", file)).stderr, /AlreadyExists.*is there already/);
    assert.equal((await old.ikada("cluster", "backup", file, "--force", "--local")).code, 0);
    assert.deepEqual(readdirSync(folder), ["cluster.backup"], "and nothing half made is left");

    const { stdout: json } = await old.program("backup", "inspect", file, "-o", "json");
    const found = JSON.parse(json) as Inspected;
    assert.equal(found.about.clusterId, old.cluster.clusterId);
    assert.deepEqual(
      found.objects.find(({ kind }) => kind === "configmaps"),
      {
        kind: "configmaps",
        namespace,
        count: 2,
        bytes: found.objects.find(({ kind }) => kind === "configmaps")?.bytes,
      },
    );
    assert.deepEqual([found.etcdKeys, found.leases], [1, 1]);
    assert.match((await old.program("backup", "inspect", file)).stdout, /Revision +\d+, history from/);
  });

  it("is refused when it is damaged, and leaves an empty folder", async function () {
    this.timeout(300_000);
    const bytes = readFileSync(file);
    for (const [name, make] of [
      ["short", () => bytes.subarray(0, bytes.length - 1)],
      ["flipped", () => bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 1 : byte))],
    ] as const) {
      const broken = join(folder, name);
      writeFileSync(broken, make());
      assert.match((await old.program("backup", "inspect", broken)).stderr, /Damaged/);
      const config = configAlone(old, folder, name);
      const { code, stderr } = await restore(old, broken, config);
      assert.equal(code, 1);
      assert.match(stderr, /error \(Damaged\): the backup .* can't be used/);
      assert.deepEqual(readdirSync(join(folder, `${name}-data`)), []);
      assert.equal((await restore(old, file, config)).code, 0, "the folder can be used at once");
      assert.match((await restore(old, file, config)).stderr, /AlreadyExists.*is not empty/);
    }
    const all = join(old.cluster.folder, "server-1.json");
    assert.match(
      (await restore(old, file, all)).stderr,
      /begins a cluster of one server, but server-2, server-3 are listed/,
    );
  });

  it("goes on from it: revisions never go back, old watches begin anew, leases and repeats are known", async function () {
    this.timeout(300_000);
    const restored = await Harness.restored(file, { servers: 3, agents: 0, runtime: "fake" });
    const { channel, call } = raw(restored);
    try {
      const { data } = await restored.client.configMaps.get("kept", { namespace });
      assert.deepEqual(data, { at: "2" });
      const { object: written } = await restored.client.configMaps.create({
        metadata: { name: "new", namespace },
        data: {},
      });
      assert.ok(Number(written.metadata.resourceVersion) > revision + 1_000_000, written.metadata.resourceVersion);

      for (const from of [revision, revision + 10]) {
        const watch = restored.client.configMaps.watch({ namespace, revision: from });
        await assert.rejects(watch.next(), { reason: "Compacted" });
      }
      const repeated = await callUnary(channel, apiMethods.create, createRequest("once"), call());
      assert.ok((repeated.object?.revision ?? Infinity) <= revision, "it is answered as before, and not done again");

      const got = await callUnary(channel, etcdMethods.range, { key: Buffer.from("a") }, call());
      assert.equal(Buffer.from(got.kvs[0]?.value ?? []).toString(), "1");
      assert.ok((got.header?.revision ?? 0) > etcdRevision + 1_000_000);
      assert.equal(await watchCompacted(channel, etcdRevision, call()), true);
      const lease = await callUnary(channel, etcdMethods.leaseTimeToLive, { ID: 77, keys: true }, call());
      assert.equal(lease.grantedTTL, ttlSeconds);
      assert.ok(lease.TTL > ttlSeconds - 300, `${lease.TTL} s are left`);
      assert.deepEqual(
        lease.keys.map((key) => Buffer.from(key).toString()),
        ["a"],
      );

      await joinOthers(restored.cluster, restored.client);
      const members = await restored.client.cluster.members();
      assert.deepEqual(
        members.map(({ name, membership }) => `${name} ${membership}`),
        ["server-1 Voter", "server-2 Voter", "server-3 Voter"],
      );
      await restored.kill("server-1");
      const { object: after } = await restored.client.configMaps.create(
        { metadata: { name: "after", namespace }, data: {} },
        { deadlineMs: 60_000 },
      );
      assert.ok(Number(after.metadata.resourceVersion) > Number(written.metadata.resourceVersion));
    } catch (caught) {
      process.stderr.write(restored.logs());
      throw caught;
    } finally {
      channel.close();
      await restored.close();
    }
  });

  it("is not started from a folder in which a restore was broken off", async function () {
    this.timeout(300_000);
    const config = configAlone(old, folder, "half");
    assert.equal((await restore(old, file, config)).code, 0);
    writeFileSync(join(folder, "half-data", "restore.unfinished"), "");
    const { code, stderr } = await old.program("server", "--config", config);
    assert.equal(code, 1);
    assert.match(stderr, /Damaged.*a restore was begun and has not come to its end/);
    assert.equal(existsSync(join(folder, "half-data", "log")), false);
  });
});

interface Inspected {
  readonly about: { readonly clusterId: string };
  readonly objects: readonly {
    readonly kind: string;
    readonly namespace: string;
    readonly count: number;
    readonly bytes: number;
  }[];
  readonly etcdKeys: number;
  readonly leases: number;
}

/** A configuration of server 1 of a cluster that begins with it. */
function configAlone(harness: Harness, folder: string, name: string): string {
  const pki = join(harness.cluster.folder, "pki");
  const read = JSON.parse(readFileSync(join(harness.cluster.folder, "server-1.json"), "utf8")) as {
    readonly members: readonly object[];
    readonly tls: Record<string, string>;
  };
  const tls = Object.fromEntries(Object.entries(read.tls).map(([field, path]) => [field, join(pki, path.slice(4))]));
  const config = { ...read, members: read.members.slice(0, 1), tls, dataFolder: join(folder, `${name}-data`) };
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function restore(harness: Harness, file: string, config: string): Promise<Run> {
  return harness.program("server", "restore", "--from", file, "--config", config);
}

/** Calls below the SDK: etcd's, and one that repeats a write of before. */
function raw(harness: Harness): { readonly channel: Channel; readonly call: () => { readonly metadata: Metadata } } {
  const read = (name: string): string => readFileSync(join(harness.cluster.folder, "pki", name), "utf8").trim();
  const channel = createClient(harness.cluster.servers[0]!.api, { authority: read("ca.pem") });
  const call = () => {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${read("admin.token")}`);
    return { metadata };
  };
  return { channel, call };
}

function createRequest(name: string): object {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data: {} };
  const json = Buffer.from(JSON.stringify(object));
  return { object: { version: "v1", kind: "ConfigMap", namespace, name, json }, options: { request } };
}

async function watchCompacted(channel: Channel, from: number, call: { readonly metadata: Metadata }): Promise<boolean> {
  const stream = callBidi(channel, etcdMethods.watch, call);
  stream.write({ createRequest: { key: Buffer.from("a"), startRevision: from } });
  for await (const answer of readStream(stream)) {
    if (answer.canceled) return answer.compactRevision > from;
    assert.equal(answer.events.length, 0);
  }
  return false;
}
