import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";
import type { Backup, Backups } from "../../store/store.js";
import { TestCluster, tokens } from "../server/harness.js";

describe("client.cluster.backup", () => {
  let cluster: TestCluster;
  let client: Client;
  let folder: string;

  async function start(servers: number, backups?: Backups): Promise<void> {
    cluster = await TestCluster.start(servers, backups && { backups });
    client = await Client.connect({
      endpoints: cluster.addresses.map(({ api }) => api),
      ca: cluster.authority.certificate,
      token: tokens.admin,
    });
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-backup-"));
  });

  afterEach(async () => {
    await client.close();
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is a file that only its owner reads, and that nothing replaces by mistake", async () => {
    await start(1);
    const file = join(folder, "it");
    const progress: number[] = [];
    const result = await client.cluster.backupTo(file, { onProgress: (bytes) => progress.push(bytes) });
    const bytes = readFileSync(file);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(result.bytes, bytes.length);
    assert.equal(result.sha256, createHash("sha256").update(bytes).digest("hex"));
    assert.equal(result.revision, cluster.store.revision());
    assert.equal(progress.at(-1), bytes.length);
    await assert.rejects(client.cluster.backupTo(file), { reason: "AlreadyExists" });
    writeFileSync(file, "");
    await client.cluster.backupTo(file, { force: true });
    assert.ok(readFileSync(file).length > 0);
    await assert.rejects(client.cluster.backupTo(join(folder, "none", "it")), { reason: "Invalid" });
    assert.deepEqual(readdirSync(folder), ["it"]);
  });

  it("asks another server while it has nothing yet", async () => {
    let asked = 0;
    let store: Backups | undefined;
    const flaky: Backups = {
      openBackup: (request, options) => {
        asked += 1;
        if (asked === 1) throw new IkadaError("Unavailable", "not now");
        return store!.openBackup(request, options);
      },
    };
    await start(2, flaky);
    store = cluster.store;
    await client.cluster.backupTo(join(folder, "it"));
    assert.equal(asked, 2);
  });

  it("leaves nothing when it does not come whole, breaks off or is given up", async () => {
    let piece: (at: number) => Uint8Array | undefined | Promise<never> = () => undefined;
    await start(1, { openBackup: () => Promise.resolve(scripted((at) => piece(at))) });
    const refused = (reason: string): Promise<void> =>
      assert.rejects(client.cluster.backupTo(join(folder, "it")), { reason });
    piece = (at) => (at < 3 ? Buffer.alloc(100) : undefined);
    await refused("Damaged");
    piece = (at) => (at < 3 ? Buffer.alloc(100) : Promise.reject(new IkadaError("Unavailable", "it broke")));
    await refused("Unavailable");
    const abort = new AbortController();
    piece = (at) => (at < 3 ? Buffer.alloc(100) : new Promise(() => abort.abort()));
    await assert.rejects(client.cluster.backupTo(join(folder, "it"), { signal: abort.signal }), {
      reason: "Cancelled",
    });
    assert.deepEqual(readdirSync(folder), []);
  });
});

/** Gives these pieces. */
function scripted(piece: (at: number) => Uint8Array | undefined | Promise<never>): Backup {
  let at = 0;
  const revisions = { revision: 1, compactRevision: 0 };
  let end: (error: Error) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => (end = reject));
  ended.catch(() => undefined);
  return {
    about: {
      clusterId: "c",
      version: "0",
      timeMs: 0,
      appliedIndex: 1,
      appliedTerm: 1,
      objects: revisions,
      etcd: revisions,
    },
    next: () => Promise.race([Promise.resolve(piece(at++)), ended]),
    // As a real one: who waits for the next piece is told.
    close: () => end(new IkadaError("Cancelled", "the backup was closed")),
  };
}
