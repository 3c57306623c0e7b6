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

  it("a reader in the container never finds a mixture, while a ConfigMap and a Secret change hundreds of times", async function () {
    this.timeout(600_000);
    const version = (n: number): string => `${n}\n`.repeat(500);
    const texts = (n: number) => ({ one: version(n), two: version(n) });
    const { object: settings } = await cluster.client.configMaps.create({
      metadata: { name: "torn", namespace },
      data: texts(0),
    });
    const { object: secret } = await cluster.client.secrets.create({
      metadata: { name: "torn", namespace },
      stringData: texts(0),
    });
    await cluster.client.pods.create({
      metadata: { name: "torn", namespace },
      spec: {
        terminationGracePeriodSeconds: 0,
        volumes: [
          { name: "settings", configMap: { name: "torn" } },
          { name: "secret", secret: { secretName: "torn" } },
        ],
        containers: [
          {
            name: "main",
            image,
            command: ["/bin/sh", "-c", readerScript],
            volumeMounts: [
              { name: "settings", mountPath: "/settings" },
              { name: "secret", mountPath: "/secret" },
            ],
          },
        ],
      },
    });
    const printed = async (): Promise<string> => (await cluster.ikada("logs", "torn")).stdout;
    await cluster.eventually("a reader", async () => (await printed()).includes("/secret 0"));
    const updates = 150;
    const changeAll = async <T extends { metadata: object }>(
      first: T,
      write: (last: T, n: number) => Promise<{ object: T }>,
    ) => {
      let last = first;
      for (let n = 1; n <= updates; n++) last = (await write(last, n)).object;
    };
    const { configMaps, secrets } = cluster.client;
    await Promise.all([
      changeAll(settings, ({ metadata }, n) => configMaps.update({ metadata, data: texts(n) })),
      changeAll(secret, ({ metadata }, n) => secrets.update({ metadata, stringData: texts(n) })),
    ]);
    await cluster.eventually("the last versions", async () => {
      const text = await printed();
      return text.includes(`/settings ${updates}\n`) && text.includes(`/secret ${updates}\n`);
    });
    const lines = (await printed()).split("\n");
    assert.ok(lines.includes("the reader tells a torn one"), lines.slice(0, 5).join());
    assert.deepEqual(
      lines.filter((line) => line.startsWith("TORN")),
      [],
    );
    for (const folder of ["/settings", "/secret"]) {
      const seen = new Set(lines.filter((line) => line.startsWith(`${folder} `))).size;
      assert.ok(seen > 10, `${seen} versions of ${folder} were seen: that proves little`);
    }
    await cluster.client.pods.delete("torn", { namespace });
  });
});

/**
 * Reads both volumes over and over: each file by its own name has to be of one version, and so have all files below the folder that `..data` led
 * to once. What is removed meanwhile is no mixture. Says each version it finds, when it is another one.
 */
const readerScript = `
versions() { cat "$@" 2>/dev/null | sort -u; }
look() {
  for name in one two; do
    found=$(versions $1/$name)
    [ $(echo "$found" | wc -l) = 1 ] || echo "TORN $1/$name" $found
  done
  content=$1/$(readlink $1/..data)
  one=$(versions $content/one); two=$(versions $content/two)
  if [ -n "$one" ] && [ -n "$two" ] && [ "$one" != "$two" ]; then echo "TORN $1" $one $two; fi
  [ "$one" = "$two" ] || one=
}
mkdir -p /tmp/t/v; echo 1 >/tmp/t/v/one; echo 2 >/tmp/t/v/two; ln -s v /tmp/t/..data; ln -s v/one v/two /tmp/t
[ "$(look /tmp/t)" = "TORN /tmp/t 1 2" ] && echo "the reader tells a torn one"
while true; do
  look /settings; if [ -n "$one" ] && [ "$one" != "$s" ]; then s=$one; echo "/settings $s"; fi
  look /secret; if [ -n "$one" ] && [ "$one" != "$k" ]; then k=$one; echo "/secret $k"; fi
done`;
