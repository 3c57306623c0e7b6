import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { configMap, deployment } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const namespace = "default";
const manifest = (name: string, more = "", labels = "{}") =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n  labels: ${labels}\ndata:\n  k: v${more}\n`;

describe("ikada apply", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
  });
  after(() => cli.close());

  const names = async (labelSelector = "") => {
    const found: string[] = [];
    for await (const { metadata } of cli.client.configMaps.list({ namespace, labelSelector }))
      found.push(metadata.name);
    return found;
  };

  it("from folders with and without their subfolders, standard input, and several at once", async () => {
    mkdirSync(join(cli.folder, "many", "deeper"), { recursive: true });
    cli.write("many/b.yaml", manifest("b"));
    cli.write("many/a.yml", `${manifest("a1")}---\n${manifest("a2")}`);
    cli.write("many/notes.txt", "no manifest");
    cli.write("many/deeper/c.json", JSON.stringify(configMap("c")));
    const flat = await cli.run("apply -f many");
    assert.equal(flat.out, "configmap/a1 created\nconfigmap/a2 created\nconfigmap/b created\n");
    const deep = await cli.run("apply -R -f many");
    assert.match(deep.out, /configmap\/b unchanged\nconfigmap\/c created\n$/);
    const piped = await cli.run("apply -f - -f many/b.yaml", { input: manifest("piped") });
    assert.equal(piped.out, "configmap/piped created\nconfigmap/b unchanged\n");
    const twice = await cli.run("apply -f - -f -", { input: manifest("x") });
    assert.match(twice.err, /standard input.*once/);
    const empty = await cli.run("apply -f -", { input: "# nothing\n" });
    assert.match(empty.err, /no objects in -/);
  });

  describe("--prune", () => {
    const set = "{ set: s }";

    it("deletes what an earlier apply made, and nothing else with the same labels", async () => {
      const both = `${manifest("one", "", set)}---\n${manifest("two", "", set)}`;
      assert.equal((await cli.run("apply -f -", { input: both })).code, 0);
      const labels = { set: "s" };
      // Made by someone else; made by someone else and joined by apply; made by apply and used by someone else.
      await cli.client.create(configMap("foreign", { a: "b" }, { labels }));
      await cli.client.create(configMap("joined", { a: "b" }, { labels }));
      assert.equal((await cli.run("apply -f -", { input: manifest("joined", "", set) })).code, 0);
      assert.equal((await cli.run("apply -f -", { input: manifest("used", "", set) })).code, 0);
      await cli.client.configMaps.patch("used", { data: { more: "x" } }, { namespace });
      assert.equal((await cli.run("apply --field-manager other -f -", { input: manifest("others", "", set) })).code, 0);
      // Made by a controller, which owns no fields.
      await cli.cluster.seed({ ...configMap("controllers", {}, { labels, uid: "c" }) });
      // Told apart from these: its labels and its owner are someone else's, which is nobody's data.
      assert.equal((await cli.run("apply -f -", { input: manifest("noted", "", set) })).code, 0);
      await cli.client.configMaps.patch("noted", { metadata: { annotations: { note: "x" } } }, { namespace });
      assert.equal((await cli.run("apply -f -", { input: manifest("unlabelled") })).code, 0);

      const shown = await cli.run("diff --prune -l set=s -f -", { input: manifest("one", "", set) });
      assert.equal(shown.code, 1, shown.err);
      assert.deepEqual(shown.out.match(/^--- .*$|^@@ .*$/gm), [
        "--- live/default/configmap/noted",
        "@@ -1,11 +0,0 @@",
        "--- live/default/configmap/two",
        "@@ -1,9 +0,0 @@",
      ]);
      const tried = await cli.run("apply --prune -l set=s --dry-run -f -", { input: manifest("one", "", set) });
      assert.equal(
        tried.out,
        "configmap/one unchanged (server dry run)\nconfigmap/noted pruned (server dry run)\nconfigmap/two pruned (server dry run)\n",
      );
      assert.ok((await names("set=s")).includes("two"));

      const { out, err, code } = await cli.run("apply --prune -l set=s -f -", { input: manifest("one", "", set) });
      assert.equal(code, 0, err);
      assert.equal(out, "configmap/one unchanged\nconfigmap/noted pruned\nconfigmap/two pruned\n");
      assert.match(err, /Warning: configmap\/joined is not pruned: "ikada-sdk" has set \.data, \.data\.a in it/);
      assert.match(err, /Warning: configmap\/used is not pruned: "ikada-sdk" has set \.data\.more in it/);
      assert.doesNotMatch(err, /foreign|others|controllers/);
      assert.deepEqual(await names("set=s"), ["controllers", "foreign", "joined", "one", "others", "used"]);
      assert.ok((await names()).includes("unlabelled"));
    });

    it("never deletes what a manifest names, nor in other Namespaces", async () => {
      await cli.client.create({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "away", labels: { set: "k" } },
      });
      const labelled = "{ set: k }";
      assert.equal((await cli.run("apply -n away -f -", { input: manifest("far", "", labelled) })).code, 0);
      const both = `${manifest("k1", "", labelled)}---\n${manifest("k2", "", labelled)}`;
      assert.equal((await cli.run("apply -f -", { input: both })).code, 0);
      // k2 has lost its label in the manifest, but not in the cluster.
      const input = `${manifest("k1", "", labelled)}---\n${manifest("k2")}`;
      const { out } = await cli.run("apply --prune -l set=k -f -", { input });
      assert.equal(out, "configmap/k1 unchanged\n");
      assert.deepEqual(await names("set=k"), ["k1", "k2"]);
      assert.equal((await cli.client.configMaps.get("far", { namespace: "away" })).metadata.name, "far");
    });

    it("a Deployment goes, what its controllers made is left to them", async () => {
      await cli.client.apply(
        { ...deployment("web", 1), metadata: { name: "web", namespace, labels: { set: "d" } } },
        { fieldManager: "ikada" },
      );
      const { out } = await cli.run("apply --prune -l set=d -f -", { input: manifest("d", "", "{ set: d }") });
      assert.equal(out, "configmap/d created\ndeployment.apps/web pruned\n");
    });

    it("needs labels, and objects that have them", async () => {
      const runs = await Promise.all([
        cli.run("apply --prune -f -", { input: manifest("x") }),
        cli.run("apply --prune -l set=nobody -f -", { input: manifest("x") }),
        cli.run("apply --prune -l a==b==c -f -", { input: manifest("x") }),
      ]);
      assert.match(runs[0].err, /--prune needs -l LABELS/);
      assert.match(runs[1].err, /none of the 1 objects has the labels set=nobody/);
      assert.match(runs[2].err, /BadRequest/);
      for (const { code } of runs) assert.equal(code, 1);
    });
  });
});

describe("ikada diff", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
    await cli.run("apply -f -", { input: manifest("same") });
    await cli.run("apply -f -", { input: manifest("changed") });
  });
  after(() => cli.close());

  it("0 when apply would change nothing, 1 with the difference when it would; the cluster stays as it is", async () => {
    const same = await cli.run("diff -f -", { input: manifest("same") });
    assert.deepEqual([same.code, same.out, same.err], [0, "", ""]);
    const input = `${manifest("same")}---\n${manifest("changed", "\n  more: x")}---\n${manifest("fresh")}`;
    const { code, out, err } = await cli.run("diff -f -", { input });
    assert.equal(code, 1, err);
    assert.equal(
      out,
      `--- live/default/configmap/changed
+++ applied/default/configmap/changed
@@ -1,6 +1,7 @@
 apiVersion: v1
 data:
   k: v
+  more: x
 kind: ConfigMap
 metadata:
   labels: {}
--- live/default/configmap/fresh
+++ applied/default/configmap/fresh
@@ -0,0 +1,8 @@
+apiVersion: v1
+data:
+  k: v
+kind: ConfigMap
+metadata:
+  labels: {}
+  name: fresh
+  namespace: default
`,
    );
    await assert.rejects(cli.client.configMaps.get("fresh", { namespace }), { reason: "NotFound" });
  });

  it("2 for what it can't find out, with the place, and the others are still shown", async () => {
    const faulty = manifest("faulty").replace("\ndata:", "\ndate:");
    const { code, out, err } = await cli.run("diff -f -", { input: `${faulty}---\n${manifest("fresh")}` });
    assert.equal(code, 2);
    assert.match(err, /configmap\/faulty is refused\n +stdin:6:1: date: /);
    assert.match(out, /\+ {2}name: fresh/);
    const unreachable = await cli.run("diff -f - --config /nowhere", { input: manifest("same") });
    assert.equal(unreachable.code, 2);
  });

  it("values of Secrets are not shown, only which differ", async () => {
    const secret = (values: string) => `apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: ${values}\n`;
    assert.equal((await cli.run("apply -f -", { input: secret("{a: one, b: two}") })).code, 0);
    const { out, code } = await cli.run("diff -f -", { input: secret("{a: one, b: three}") });
    assert.equal(code, 1);
    assert.match(out, / {3}a: "\*\*\*"\n- {2}b: "\*\*\* \(before\)"\n\+ {2}b: "\*\*\* \(after\)"\n/);
    const made = "apiVersion: v1\nkind: Namespace\nmetadata: {name: made}\n---\n";
    const fresh = await cli.run("diff -n made -f -", { input: `${made}${secret("{a: hidden}")}` });
    assert.equal(fresh.code, 1, fresh.err);
    assert.ok(!fresh.out.includes("hidden"));
  });

  it("fields of other managers are refused, and shown with --force", async () => {
    await cli.client.configMaps.patch("changed", { data: { k: "theirs" } }, { namespace, fieldManager: "someone" });
    const refused = await cli.run("diff -f -", { input: manifest("changed") });
    assert.equal(refused.code, 2);
    assert.match(refused.err, /stdin:7:3: data\.k: conflict with "someone"/);
    const { code, out } = await cli.run("diff --force -f -", { input: manifest("changed") });
    assert.equal(code, 1);
    assert.match(out, /- {2}k: theirs\n\+ {2}k: v\n/);
  });
});
