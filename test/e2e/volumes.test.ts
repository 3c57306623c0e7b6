import assert from "node:assert/strict";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import { Harness } from "./harness.js";

const image = "ikada-test/e2e:1";
const namespace = "default";

/** A real server, a real agent, a real engine. */
describe("volumes of Pods in a cluster", () => {
  let cluster: Harness;

  before(async function () {
    this.timeout(300_000);
    cluster = await Harness.start({ servers: 1, agents: 1, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, image);
    await cluster.eventually("a node", async () => (await cluster.list("nodes")).length === 1);
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  async function output(command: readonly string[]): Promise<string> {
    const remote = await cluster.client.access.exec("reader", command, { namespace });
    let text = "";
    for await (const { data } of remote) text += Buffer.from(data).toString();
    return text;
  }

  it("a Pod waits for its ConfigMap, then sees each change of it, and a part of it never", async function () {
    this.timeout(300_000);
    const metadata = { name: "settings", namespace };
    await cluster.client.pods.create({
      metadata: { name: "reader", namespace },
      spec: {
        terminationGracePeriodSeconds: 0,
        volumes: [
          { name: "all", projected: { sources: [{ configMap: { name: "settings" } }] } },
          { name: "work", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
        ],
        containers: [
          {
            name: "main",
            image,
            command: ["/bin/sleep", "1000000"],
            volumeMounts: [
              { name: "all", mountPath: "/settings" },
              { name: "all", mountPath: "/one.conf", subPath: "colour" },
              { name: "work", mountPath: "/work" },
            ],
          },
        ],
      },
    });
    const state = async () =>
      (await cluster.client.pods.get("reader", { namespace })).status?.containerStatuses?.[0]?.state;
    await cluster.eventually("what it waits for", async () =>
      /configmap "settings" not found/.test((await state())?.waiting?.message ?? ""),
    );
    await cluster.client.configMaps.create({ metadata, data: { colour: "red" } });
    await cluster.eventually("running", async () => (await state())?.running !== undefined);
    assert.equal(await output(["cat", "/settings/colour"]), "red");
    const { metadata: made } = await cluster.client.configMaps.get("settings", { namespace });
    await cluster.client.configMaps.update({ metadata: made, data: { colour: "green", size: "XL" } });
    await cluster.eventually("the change", async () => (await output(["cat", "/settings/colour"])) === "green");
    assert.equal(await output(["cat", "/settings/size"]), "XL");
    assert.equal(await output(["cat", "/one.conf"]), "red", "a part does not follow");
    assert.match(await output(["sh", "-c", "echo x >/settings/colour || echo refused"]), /refused/);
    assert.equal(
      (await cluster.client.pods.get("reader", { namespace })).status?.containerStatuses?.[0]?.restartCount,
      0,
    );
    await cluster.client.pods.delete("reader", { namespace });
  });
});
