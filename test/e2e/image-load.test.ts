import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IkadaError } from "../../src/base/errors.js";
import { savedImage } from "../node-agent/test-registry.js";
import { Harness } from "./harness.js";

/** Each agent has a fake engine of its own here, so that an image that is on one node is not on the others by itself. */
describe("ikada image: an archive to the nodes of a cluster without a registry", () => {
  let cluster: Harness;
  let folder: string;
  const image = `ikada-test/loaded:${process.pid}`;

  before(async function () {
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), "ikada-image-"));
    cluster = await Harness.start({ servers: 3, agents: 3, runtime: "fake" });
    await cluster.eventually("three nodes", async () => (await cluster.list("nodes")).length === 3);
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  const nodesWith = async (name: string): Promise<string[]> => {
    const { items, unreached } = await cluster.client.images.list();
    assert.deepEqual(unreached, []);
    return items.filter(({ tags }) => tags.includes(name)).map(({ node }) => node);
  };

  it("load brings it to the nodes that are named, and to all", async function () {
    this.timeout(300_000);
    const file = join(folder, "image.tar");
    writeFileSync(file, await savedImage(image, "x".repeat(3_000_000)));
    const one = await cluster.ikada("image", "load", file, "--node", "node-2");
    assert.deepEqual([one.code, one.stdout], [0, `node-2: loaded ${image}\n`], one.stderr);
    assert.deepEqual(await nodesWith(image), ["node-2"]);
    const all = await cluster.ikada("image", "load", file);
    const lines = all.stdout.trim().split("\n").sort();
    assert.deepEqual(
      lines,
      ["node-1", "node-2", "node-3"].map((node) => `${node}: loaded ${image}`),
      all.stderr,
    );
    assert.deepEqual(await nodesWith(image), ["node-1", "node-2", "node-3"]);
    const { stdout } = await cluster.ikada("image", "ls", "--node", "node-3");
    assert.match(stdout, new RegExp(`${image} .* node-3 .* yes\n`), "it is Ikada's own");
  });

  it("goes through each server to each node, whoever has its session", async function () {
    this.timeout(300_000);
    for (const { name: server } of cluster.cluster.servers) {
      const client = await cluster.clientOf(server);
      try {
        for (const node of ["node-1", "node-2", "node-3"]) {
          const name = `ikada-test/${server}:${node}`;
          const archive = await savedImage(name, "through each");
          const pieces = async function* () {
            yield archive;
          };
          assert.deepEqual(await client.images.load(node, pieces()), [name]);
          assert.deepEqual(await nodesWith(name), [node]);
        }
      } finally {
        await client.close();
      }
    }
  });

  it("what is no archive, no file and no node is refused by name, and keeps no other node from its image", async function () {
    this.timeout(300_000);
    const broken = join(folder, "broken.tar");
    writeFileSync(broken, "this is no tar".repeat(1_000));
    const run = await cluster.ikada("image", "load", broken, "--node", "node-1");
    assert.equal(run.code, 1);
    assert.match(run.stderr, /BadRequest.*node node-1: .*load images/);
    assert.match(run.stderr, /docker save/);
    const file = join(folder, "again.tar");
    writeFileSync(file, await savedImage("ikada-test/again:1", "again"));
    const partly = await cluster.ikada("image", "load", file, "--node", "nobody", "node-1");
    assert.deepEqual([partly.code, partly.stdout], [1, "node-1: loaded ikada-test/again:1\n"]);
    assert.match(partly.stderr, /NotFound.*"nobody" not found/);
    assert.match((await cluster.ikada("image", "load", join(folder, "none.tar"))).stderr, /NotFound.*none\.tar/);
    assert.match((await cluster.ikada("image", "ls", "--node", "nobody")).stderr, /NotFound.*"nobody"/);
  });

  it("an archive that breaks off loads nothing", async function () {
    this.timeout(300_000);
    const name = "ikada-test/half:1";
    const archive = await savedImage(name, "y".repeat(2_000_000));
    const half = async function* () {
      yield archive.subarray(0, 1_000_000);
      await Promise.reject(new IkadaError("Internal", "the disk of the caller broke"));
    };
    await assert.rejects(cluster.client.images.load("node-1", half()));
    assert.deepEqual(await nodesWith(name), []);
  });
});
