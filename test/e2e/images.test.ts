import assert from "node:assert/strict";
import { createWriteStream, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { imagePins } from "../../src/api/image-pins.js";
import type { ReplicaSet } from "../../src/api/kinds/apps.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import { Harness } from "./harness.js";

const base = "ikada-test/e2e:1";
const [repository, tag] = ["ikada-test/moving", `e2e-${process.pid}`];
const namespace = "default";
const image = `${repository}:${tag}`;

/** Real servers, agents and engine; the tag is moved as `docker tag` and `docker build` do it. */
describe("images of a cluster on a real engine", () => {
  let cluster: Harness;

  before(async function () {
    this.timeout(300_000);
    cluster = await Harness.start({ servers: 1, agents: 2, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, base);
    await cluster.eventually("two nodes", async () => (await cluster.list("nodes")).length === 2);
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
    const found = await cluster?.docker.listImages({ filters: { label: [`ikada-test.moving=${tag}`] } });
    for (const { Id } of found ?? []) await cluster.docker.getImage(Id).remove({ force: true });
    const carried = await cluster?.docker.listImages({ filters: { reference: ["ikada-test/carried"] } });
    for (const { RepoTags } of carried ?? [])
      for (const name of RepoTags ?? []) if (name.includes("carried")) await cluster.docker.getImage(name).remove();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  /** Other bytes under the tag; gives the image's id. */
  async function moveTag(text: string): Promise<string> {
    const container = await cluster.docker.createContainer({ Image: base, Cmd: ["true"] });
    const changes = [`ENV VERSION=${text}`, `LABEL ikada-test.moving=${tag}`].join("\n");
    await container.commit({ repo: repository, tag, changes });
    await container.remove();
    return (await cluster.docker.getImage(image).inspect()).Id;
  }

  /** Ids of the images that the engine's containers of the Deployment run. */
  async function ids(): Promise<readonly string[]> {
    const { clusterId } = cluster.cluster;
    const filters = { label: [`ikada.cluster=${clusterId}`, "ikada.container=main"] };
    return (await cluster.docker.listContainers({ filters })).map(({ ImageID }) => ImageID).sort();
  }

  async function untilReady(replicas: number): Promise<void> {
    await cluster.eventually(`${replicas} ready and no other`, async () => {
      const pods = await cluster.list<Pod>("pods");
      const { status, metadata } = await cluster.client.deployments.get("moving", { namespace });
      return (
        status?.observedGeneration === metadata.generation &&
        status?.readyReplicas === replicas &&
        status.updatedReplicas === replicas &&
        pods.length === replicas &&
        (await ids()).length === replicas
      );
    });
  }

  it("a tag that moves: replicas that come later and an undo run the bytes of their revision; a new revision has those of the tag", async function () {
    this.timeout(300_000);
    const old = await moveTag("old");
    await cluster.client.deployments.create({
      metadata: { name: "moving", namespace },
      spec: {
        replicas: 2,
        selector: { matchLabels: { app: "moving" } },
        template: {
          metadata: { labels: { app: "moving" } },
          spec: {
            terminationGracePeriodSeconds: 0,
            containers: [{ name: "main", image, command: ["/bin/sleep", "1000000"] }],
          },
        },
      },
    });
    await untilReady(2);
    assert.deepEqual(await ids(), [old, old]);
    const pinned = async () =>
      (await cluster.list<ReplicaSet>("replicasets")).map(({ metadata }) => imagePins(metadata.annotations).get(image));
    await cluster.eventually("a pin", async () => (await pinned())[0] === old);

    const moved = await moveTag("moved");
    assert.notEqual(moved, old);
    await cluster.client.deployments.scale("moving", 5, { namespace });
    await untilReady(5);
    assert.deepEqual(await ids(), Array(5).fill(old));
    const [pod] = await cluster.list<Pod>("pods");
    await cluster.client.pods.delete(pod?.metadata.name ?? "", { namespace });
    await cluster.eventually("another in its place", async () =>
      (await cluster.list<Pod>("pods")).every(({ metadata }) => metadata.uid !== pod?.metadata.uid),
    );
    await untilReady(5);
    assert.deepEqual(await ids(), Array(5).fill(old));
    for (const { status } of await cluster.list<Pod>("pods"))
      assert.equal(status?.containerStatuses?.[0]?.imageID, old);

    assert.equal((await cluster.ikada("rollout", "restart", "deployment/moving")).code, 0);
    await cluster.eventually("the new bytes", async () => (await ids()).every((id) => id === moved));
    await untilReady(5);
    assert.equal((await cluster.ikada("rollout", "undo", "deployment/moving")).code, 0);
    await cluster.eventually("the old bytes", async () => (await ids()).every((id) => id === old));
    await untilReady(5);
    const described = await cluster.ikada("describe", "replicasets");
    for (const id of [old, moved]) assert.match(described.stdout, new RegExp(`Images: +${image} is ${id}`));
  });

  it("an archive is loaded to all nodes, and a Deployment that may not pull runs on each", async function () {
    this.timeout(300_000);
    const name = `ikada-test/carried:e2e-${process.pid}`;
    const folder = mkdtempSync(join(tmpdir(), "ikada-archive-"));
    const file = join(folder, "image.tar");
    try {
      await cluster.docker.getImage(base).tag({ repo: "ikada-test/carried", tag: `e2e-${process.pid}` });
      const archive = await cluster.docker.getImage(name).get();
      await pipeline(archive, createWriteStream(file));
      await cluster.docker.getImage(name).remove();
      const loaded = await cluster.ikada("image", "load", file);
      assert.deepEqual(
        [loaded.code, loaded.stdout.trim().split("\n").sort()],
        [0, ["node-1", "node-2"].map((node) => `${node}: loaded ${name}`)],
        loaded.stderr,
      );
      for (const node of ["node-1", "node-2"])
        await cluster.client.deployments.create({
          metadata: { name: `carried-${node}`, namespace },
          spec: {
            replicas: 1,
            selector: { matchLabels: { app: node } },
            template: {
              metadata: { labels: { app: node } },
              spec: {
                nodeSelector: { "kubernetes.io/hostname": node },
                terminationGracePeriodSeconds: 0,
                containers: [
                  { name: "carried", image: name, imagePullPolicy: "Never", command: ["/bin/sleep", "1000000"] },
                ],
              },
            },
          },
        });
      for (const node of ["node-1", "node-2"])
        await cluster.eventually(`it runs on ${node}`, async () => {
          const { status } = await cluster.client.deployments.get(`carried-${node}`, { namespace });
          return status?.readyReplicas === 1;
        });
      const pods = await cluster.list<Pod>("pods", { labelSelector: "app in (node-1, node-2)" });
      const { Id } = await cluster.docker.getImage(name).inspect();
      assert.deepEqual(
        pods.map(({ spec, status }) => `${spec.nodeName} ${status?.containerStatuses?.[0]?.imageID}`).sort(),
        [`node-1 ${Id}`, `node-2 ${Id}`],
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
