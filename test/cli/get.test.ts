import assert from "node:assert/strict";
import { AnsweringServer } from "../server/answering-server.js";
import { configMap, deployment, pod, wire } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

describe("ikada get", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
    await cli.client.create(deployment("web", 2));
    await cli.client.create(configMap("a", { k: "1" }, { labels: { x: "y", b: "c" } }));
    await cli.client.create(configMap("b", { k: "2", l: "3" }));
    await cli.cluster.seed(pod("p1", "n1"));
  });
  after(() => cli.close());

  const lines = async (words: string | readonly string[]) => {
    const { out, err, code } = await cli.run(words);
    return {
      code,
      err,
      rows: out
        .trimEnd()
        .split("\n")
        .map((line) =>
          line
            .replace(/\s+\d+s( |$)/, " AGE$1")
            .trim()
            .split(/ {2,}/),
        ),
    };
  };

  it("tables have the server's columns, and what this run asks for", async () => {
    const plain = await lines("get cm");
    assert.deepEqual(plain.rows, [
      ["NAME", "DATA", "AGE"],
      ["a", "1 AGE"],
      ["b", "2 AGE"],
    ]);
    const labelled = await lines("get cm -A --show-labels --no-headers");
    assert.deepEqual(labelled.rows, [
      ["default", "a", "1 AGE", "b=c,x=y"],
      ["default", "b", "2 AGE", "<none>"],
    ]);
    const wide = await lines("get deploy web -o wide");
    assert.ok(wide.rows[0]!.includes("IMAGES") && wide.rows[1]!.includes("hello:1"));
    const several = await cli.run("get cm/b deploy/web cm/a");
    assert.match(
      several.out,
      /^NAME +DATA +AGE\nconfigmap\/b .*\n\nNAME .*\ndeployment\.apps\/web .*\n\nNAME .*\nconfigmap\/a .*\n$/,
    );
  });

  it("tables of a server that is too old to make them are made here", async () => {
    const { json } = wire(configMap("a", { k: "1" }, { uid: "uid-a", creationTimestamp: "2026-01-01T00:00:00Z" }));
    const server = await AnsweringServer.start({ list: () => Promise.resolve({ objects: [{ json }] }) }, ["table"]);
    try {
      const context = { endpoints: [server.address], ca: server.ca, token: "any" };
      const file = cli.write("old.json", JSON.stringify(context));
      const { code, out } = await cli.run(`get cm --config ${file}`);
      assert.match(out, /^NAME +DATA +AGE *\na +1 +\d+d\n$/);
      assert.equal(code, 0);
    } finally {
      await server.close();
    }
  });

  it("what is there is shown although something else is not", async () => {
    const { code, rows, err } = await lines("get cm a absent b");
    assert.equal(code, 1);
    assert.deepEqual(
      rows.slice(1).map(([name]) => name),
      ["a", "b"],
    );
    assert.match(err, /NotFound.*absent/);
    const ignored = await cli.run("get cm absent --ignore-not-found");
    assert.deepEqual([ignored.code, ignored.out, ignored.err], [0, "", ""]);
    assert.match((await cli.run("get secrets")).err, /No resources found in default namespace\./);
  });

  it("JSONPath and custom columns, of one object, of a list, and of several kinds", async () => {
    assert.equal((await cli.run("get cm a -o jsonpath={.data.k}")).out, "1");
    const range = await cli.run([
      "get",
      "cm",
      "-o",
      'jsonpath={range .items[*]}{.metadata.name}={.data.k}{"\\n"}{end}',
    ]);
    assert.equal(range.out, "a=1\nb=2\n");
    assert.equal((await cli.run("get cm,deploy -o jsonpath={.items[*].kind}")).out, "ConfigMap ConfigMap Deployment");
    const file = cli.write("template", "{.items[?(@.data.l)].metadata.name}");
    assert.equal((await cli.run(`get cm -o jsonpath-file=${file}`)).out, "b");
    const columns = await lines("get cm,deploy -o custom-columns=N:.metadata.name,K:.data.k,R:.spec.replicas");
    assert.deepEqual(columns.rows, [
      ["N", "K", "R"],
      ["a", "1", "<none>"],
      ["b", "2", "<none>"],
      ["web", "<none>", "2"],
    ]);
    const beyond = await cli.run("get cm -o jsonpath={.items[9].kind}");
    assert.equal(beyond.code, 1);
    assert.match(beyond.err, /at character 8: array index out of bounds: index 9, length 2/);
  });

  it("-w prints what there is and then each change", async () => {
    const run = cli.begin("get cm -w -o custom-columns=N:.metadata.name,K:.data.k --no-headers");
    await new Promise((seen) => run.child.stdout!.once("data", seen));
    const changed = new Promise((seen) => run.child.stdout!.once("data", seen));
    await cli.client.configMaps.patch("a", { data: { k: "new" } }, { namespace: "default" });
    await changed;
    run.child.kill("SIGINT");
    const { out, code } = await run.ended;
    assert.equal(code, 0);
    assert.deepEqual(
      out
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ +/)),
      [
        ["a", "1"],
        ["b", "2"],
        ["a", "new"],
      ],
    );
  });
});
