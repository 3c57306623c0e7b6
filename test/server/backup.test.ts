import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { apiMethods } from "../../src/host/api-methods.js";
import { callServerStream, callUnary, readStream } from "../../src/host/grpc.js";
import { limits } from "../../src/base/limits.js";
import { groupKindOf } from "../../src/api/kind.js";
import { kindNamed } from "../../src/api/registry.js";
import { storeKey } from "../../src/objects/keys.js";
import { BackupFile } from "../../store/backup/file.js";
import { parseVersionKey, rowKind } from "../../store/layout.js";
import type { Backup, Backups } from "../../store/store.js";
import { bearer, eventually, TestCluster, tokens } from "./harness.js";

const configMaps = { groupKind: groupKindOf(kindNamed("configmaps")), namespace: "default" } as const;

describe("Cluster.Backup", () => {
  let cluster: TestCluster;

  afterEach(async () => {
    await cluster.close();
  });

  /** All bytes that one server sends. */
  async function backup(token: string = tokens.admin): Promise<{ bytes: Buffer; revision: number }> {
    const call = callServerStream(cluster.client("api"), apiMethods.backup, {}, { metadata: bearer(token) });
    const pieces: Uint8Array[] = [];
    let revision = 0;
    for await (const { data, begin } of readStream(call)) {
      revision = begin?.revision ?? revision;
      pieces.push(data);
    }
    return { bytes: Buffer.concat(pieces), revision };
  }

  async function create(name: string): Promise<number> {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default" }, data: { name } };
    const json = Buffer.from(JSON.stringify(object));
    const request = { object: { version: "v1", kind: "ConfigMap", namespace: "default", name, json } };
    const answer = await callUnary(cluster.client("api"), apiMethods.create, request, {
      metadata: bearer(tokens.admin),
    });
    return answer.object?.revision ?? 0;
  }

  it("has every write acknowledged before it and none of later, while writes go on", async () => {
    cluster = await TestCluster.start(1);
    const acknowledged = new Map<string, number>();
    const writer = { isOver: false };
    const writing = (async () => {
      for (let at = 0; !writer.isOver; at += 1) acknowledged.set(`c-${at}`, await create(`c-${at}`));
    })();
    try {
      for (let times = 0; times < 5; times += 1) await check(times);
    } finally {
      writer.isOver = true;
      await writing;
    }

    async function check(times: number): Promise<void> {
      await eventually(() => acknowledged.size > 20 * (times + 1));
      const before = [...acknowledged.keys()];
      const { bytes, revision } = await backup();
      const file = new BackupFile(
        { name: "it", size: bytes.length, read: (at, length) => bytes.subarray(at, at + length) },
        createHash("sha256"),
      );
      const keys = new Set(
        [...file.rows()]
          .flatMap(({ key }) => (rowKind(key) === "version" ? [parseVersionKey(key)] : []))
          .map(({ key }) => key),
      );
      assert.equal(file.about.objects.revision, revision);
      const has = (name: string): boolean => keys.has(storeKey({ ...configMaps, name }));
      for (const name of before) assert.ok(has(name), `${name}, acknowledged before`);
      for (const [name, at] of acknowledged) assert.equal(has(name), at <= revision, `${name} of revision ${at}`);
    }
  });

  it("is for admins", async () => {
    cluster = await TestCluster.start(1);
    await assert.rejects(backup(tokens.view), { reason: "Forbidden" });
    await assert.rejects(backup("nobody"), { reason: "Unauthenticated" });
  });

  it("is bounded in number, and lets go when the caller leaves or the server closes", async () => {
    let open = 0;
    const stalled: Backups = {
      openBackup: () =>
        Promise.resolve(
          new Stalled(
            () => (open += 1),
            () => (open -= 1),
          ),
        ),
    };
    cluster = await TestCluster.start(1, { backups: stalled });
    const calls = Array.from({ length: limits.backupsMax }, () => {
      const abort = new AbortController();
      const options = { metadata: bearer(tokens.admin), signal: abort.signal };
      const call = callServerStream(cluster.client("api"), apiMethods.backup, {}, options);
      const ended = assert.rejects(readStream(call).next(), { reason: "Cancelled" });
      return { abort, ended };
    });
    await eventually(() => open === limits.backupsMax);
    await assert.rejects(backup(), { reason: "Overloaded" });
    for (const { abort } of calls) abort.abort();
    await Promise.all(calls.map(({ ended }) => ended));
    await eventually(() => open === 0);
  });
});

/** Never has a byte. */
class Stalled implements Backup {
  readonly about = {
    clusterId: "c",
    version: "0",
    timeMs: 0,
    appliedIndex: 1,
    appliedTerm: 1,
    objects: { revision: 1, compactRevision: 0 },
    etcd: { revision: 0, compactRevision: 0 },
  };
  readonly #onClose: () => void;
  #reject: ((error: Error) => void) | undefined;
  #isOpen = true;

  constructor(onOpen: () => void, onClose: () => void) {
    onOpen();
    this.#onClose = onClose;
  }

  next(): Promise<Uint8Array | undefined> {
    return new Promise((_resolve, reject) => (this.#reject = reject));
  }

  close(): void {
    if (this.#isOpen) this.#onClose();
    this.#isOpen = false;
    this.#reject?.(new Error("closed"));
  }
}
