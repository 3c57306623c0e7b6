import assert from "node:assert/strict";
import { configMap } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const namespace = "default";

describe("ikada label and annotate", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
  });
  after(() => cli.close());

  const labels = async (name: string) => (await cli.client.configMaps.get(name, { namespace })).metadata.labels ?? {};
  const make = (name: string, labels: Record<string, string> = {}) =>
    cli.client.create({ ...configMap(name), metadata: { name, namespace, labels } });

  it("set, change only when told, remove, and say what they did", async () => {
    await make("a", { keep: "me" });
    const set = await cli.run("label cm a tier=front b.c/d=e empty=");
    assert.deepEqual([set.code, set.out], [0, "configmap/a labeled\n"]);
    assert.deepEqual(await labels("a"), { keep: "me", tier: "front", "b.c/d": "e", empty: "" });
    assert.equal((await cli.run("label cm/a tier=front")).out, "configmap/a not labeled\n");
    const refused = await cli.run("label cm/a tier=back");
    assert.equal(refused.code, 1);
    assert.match(refused.err, /configmap\/a has the label tier with the value "front" already\n.*--overwrite/);
    assert.equal((await labels("a"))["tier"], "front");
    assert.equal((await cli.run("label cm/a tier=back --overwrite")).out, "configmap/a labeled\n");
    assert.equal((await cli.run("label cm/a tier- empty- nothing-")).out, "configmap/a unlabeled\n");
    assert.deepEqual(await labels("a"), { keep: "me", "b.c/d": "e" });
    const listed = await cli.run("label cm a --list");
    assert.equal(listed.out, "Listing labels for configmap/a:\n b.c/d=e\n keep=me\n");
  });

  it("many at once: by label, all, several names; those that fail do not hold up the others", async () => {
    await Promise.all([make("m1", { set: "m" }), make("m2", { set: "m" }), make("m3", { set: "m", x: "other" })]);
    const chosen = await cli.run("label cm -l set=m x=y");
    assert.equal(chosen.code, 1);
    assert.equal(chosen.out, "configmap/m1 labeled\nconfigmap/m2 labeled\n");
    assert.match(chosen.err, /configmap\/m3 has the label x/);
    assert.equal((await cli.run("annotate cm m1 m2 note=hi")).out, "configmap/m1 annotated\nconfigmap/m2 annotated\n");
    const all = await cli.run("label cm --all everyone=1");
    assert.equal(all.code, 0, all.err);
    assert.equal((await labels("m3"))["everyone"], "1");
    const missing = await cli.run("label cm m1 absent more=1");
    assert.equal(missing.out, "configmap/m1 labeled\n");
    assert.match(missing.err, /NotFound.*absent/);
  });

  it("the objects of manifests", async () => {
    await make("filed");
    const file = cli.write("filed.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: filed}\n");
    assert.equal((await cli.run(["annotate", "-f", file, "text=with spaces = and more"])).code, 0);
    const { metadata } = await cli.client.configMaps.get("filed", { namespace });
    assert.equal(metadata.annotations?.["text"], "with spaces = and more");
  });

  it("a dry run changes nothing", async () => {
    await make("dry");
    const { out } = await cli.run("label cm dry a=b --dry-run");
    assert.equal(out, "configmap/dry labeled (server dry run)\n");
    assert.deepEqual(await labels("dry"), {});
  });

  it("--resource-version refuses what has changed since", async () => {
    const { object } = await make("versioned");
    const version = object.metadata.resourceVersion!;
    assert.equal((await cli.run(["label", "cm", "versioned", "a=b", "--resource-version", version])).code, 0);
    const late = await cli.run(["label", "cm", "versioned", "c=d", "--resource-version", version]);
    assert.match(late.err, /^error \(Conflict\): .*versioned/);
  });

  it("words that make no sense are named, and nothing is changed", async () => {
    await make("strict");
    const cases: readonly (readonly [string, RegExp])[] = [
      ["label cm strict", /which labels\?/],
      ["label cm strict a=b stray", /"stray" is no label/],
      ["label cm strict -a=b", /unknown option/],
      ["label cm strict a/b/c=d", /"a\/b\/c" is no key of a label: name part must/],
      ["label cm strict a=b/c", /"a=b\/c": the value must be empty or consist of/],
      ["label cm strict a=b a-", /label a is changed twice/],
      ["label cm a=b", /which configmaps\?/],
      ["label cm strict --all a=b", /names can't be given together/],
      ["label cm --all -l x=y a=b", /not both/],
    ];
    const runs = await Promise.all(cases.map(([line]) => cli.run(line)));
    for (const [index, { code, err, out }] of runs.entries()) {
      assert.notEqual(code, 0, cases[index]![0]);
      assert.match(err, cases[index]![1]);
      assert.equal(out, "");
    }
    assert.deepEqual(await labels("strict"), {});
  });
});
