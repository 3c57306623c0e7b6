import assert from "node:assert/strict";
import { configMap, deployment } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const namespace = "default";

describe("ikada patch", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
    await cli.client.create(deployment("web", 2));
    await cli.client.create(configMap("cm", { a: "1", b: "2" }));
  });
  after(() => cli.close());

  const containers = async () =>
    (await cli.client.deployments.get("web", { namespace })).spec.template.spec.containers.map(
      ({ name, image }) => `${name} ${image}`,
    );

  it("strategic merges lists by their keys, merge replaces them, json names places", async () => {
    const spec = (list: object[]) => JSON.stringify({ spec: { template: { spec: { containers: list } } } });
    const side = { name: "side", image: "side:1" };
    const strategic = await cli.run(["patch", "deployment", "web", "-p", spec([side])]);
    assert.equal(strategic.out, "deployment.apps/web patched\n", strategic.err);
    assert.deepEqual((await containers()).sort(), ["side side:1", "web hello:1"]);
    const merge = await cli.run(["patch", "deploy/web", "--type", "merge", "-p", spec([side])]);
    assert.equal(merge.code, 0, merge.err);
    assert.deepEqual(await containers(), ["side side:1"]);
    const operations = [{ op: "replace", path: "/spec/template/spec/containers/0/image", value: "side:2" }];
    const json = await cli.run(["patch", "deploy/web", "--type=json", "-p", JSON.stringify(operations)]);
    assert.equal(json.code, 0, json.err);
    assert.deepEqual(await containers(), ["side side:2"]);
  });

  it("as YAML, from a file, from standard input; prints the outcome; a dry run changes nothing", async () => {
    const file = cli.write("patch.yaml", "data:\n  a: null\n  c: '3'\n");
    const dry = await cli.run([
      "patch",
      "cm",
      "cm",
      "--type",
      "merge",
      "--patch-file",
      file,
      "--dry-run",
      "-o",
      "json",
    ]);
    assert.deepEqual((JSON.parse(dry.out) as { data: object }).data, { b: "2", c: "3" });
    const unchanged = await cli.client.configMaps.get("cm", { namespace });
    assert.deepEqual(unchanged.data, { a: "1", b: "2" });
    const done = await cli.run(["patch", "cm", "cm", "--type", "merge", "--patch-file", file]);
    assert.equal(done.out, "configmap/cm patched\n");
    const again = await cli.run("patch cm cm --type merge --patch-file -", { input: "data: {c: '3'}" });
    assert.equal(again.out, "configmap/cm patched (no change)\n");
    assert.deepEqual((await cli.client.configMaps.get("cm", { namespace })).data, { b: "2", c: "3" });
  });

  it("what is no patch is refused with its place and what would be one, before a server is asked", async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /give the patch with -p or with --patch-file/],
      [["-p", "{}", "--patch-file", "x"], /give the patch with -p or/],
      [["-p", '{"spec":'], /-p:1:\d+: /],
      [["-p", "7"], /-p: a strategic patch is an object/],
      [["-p", "[]"], /for a list of operations, --type json/],
      [["--type", "json", "-p", "{}"], /-p: a JSON patch is a list of operations/],
      [["--patch-file", "/nowhere"], /cannot read \/nowhere: no such file/],
      [["--patch-file", "/dev/zero"], /\/dev\/zero has more than 1048576 bytes/],
      [["-p", "[".repeat(100_000)], /nested deeper than 64 levels/],
      [["--type", "frob", "-p", "{}"], /Allowed choices are strategic, merge, json/],
    ];
    const runs = await Promise.all(cases.map(([words]) => cli.run(["patch", "cm", "cm", ...words])));
    for (const [index, { code, err, out }] of runs.entries()) {
      assert.notEqual(code, 0);
      assert.match(err, cases[index]![1]);
      assert.equal(out, "");
    }
  });

  it("the server's refusals name the object and the field", async () => {
    const unknown = await cli.run(["patch", "cm", "cm", "-p", '{"dta":{"x":"y"}}']);
    assert.match(unknown.err, /^error \(Invalid\): .*"cm"[\s\S]*dta: .*data/);
    const operations = '[{"op":"test","path":"/data/b","value":"other"}]';
    const test = await cli.run(["patch", "cm", "cm", "--type", "json", "-p", operations]);
    assert.match(test.err, /^error \(Conflict\): .*configmaps "cm"/);
    const missing = await cli.run(["patch", "cm", "absent", "cm", "-p", '{"data":{"d":"4"}}']);
    assert.deepEqual([missing.code, missing.out], [1, "configmap/cm patched\n"]);
    assert.match(missing.err, /NotFound.*absent/);
  });
});
