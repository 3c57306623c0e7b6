import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { changesBetween, checkEditable, fieldText, overlapOf } from "../../cli/edit-merge.js";
import { configMap, deployment } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const namespace = "default";

describe("what an edit changes", () => {
  it("is a merge patch with as little as can be", () => {
    const before = { a: 1, b: { c: [1], d: "x", e: { f: 1 } }, g: null };
    assert.deepEqual(changesBetween(before, structuredClone(before)), {});
    const after = { a: 1, b: { c: [1, 2], e: { f: 1, h: {} } }, i: "new" };
    assert.deepEqual(changesBetween(before, after), { b: { c: [1, 2], d: null, e: { h: {} } }, i: "new" });
    assert.deepEqual(changesBetween({ a: 1 }, { a: null }), { a: null });
  });

  it("overlaps with what others change to something else at the same place", () => {
    const paths = (ours: object, theirs: object) =>
      overlapOf(ours as Record<string, unknown>, theirs as Record<string, unknown>).map(fieldText);
    assert.deepEqual(paths({ a: { b: 1, c: 2 } }, { a: { d: 3 }, e: 4 }), []);
    assert.deepEqual(paths({ a: { b: 1 } }, { a: { b: 1 } }), []);
    assert.deepEqual(paths({ a: { b: 1 } }, { a: { b: 2 } }), ["a.b"]);
    assert.deepEqual(paths({ a: null }, { a: { b: 2 } }), ["a"]);
    assert.deepEqual(paths({ m: { l: { "a.b/c": "x" } } }, { m: { l: { "a.b/c": "y" } } }), ["m.l[a.b/c]"]);
  });

  it("must not be what makes the object this one, nor its status", () => {
    checkEditable({ spec: {}, metadata: { labels: {} } }, true);
    checkEditable({ status: {} }, false);
    assert.throws(
      () => checkEditable({ kind: "x", metadata: { name: "y" } }, true),
      /kind, metadata\.name can't be edited/,
    );
    assert.throws(() => checkEditable({ metadata: null }, true), /metadata can't be edited/);
    assert.throws(() => checkEditable({ status: {} }, true), /status can't be edited/);
  });
});

describe("ikada edit", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
  });
  after(() => cli.close());

  let runs = 0;
  /** Runs `ikada edit` with an editor whose nth call is the nth script, with the file as $1; gives what each call was shown. */
  async function edit(words: string, ...scripts: string[]) {
    runs += 1;
    const seen = (call: number) => join(cli.folder, `seen-${runs}-${call}`);
    const count = join(cli.folder, `count-${runs}`);
    const cases = scripts.map((script, index) => `${index + 1}) ${script} ;;`).join("\n");
    const editor = cli.write(
      `editor-${runs}.sh`,
      `n=$(($(cat ${count} 2>/dev/null || echo 0) + 1)); echo $n > ${count}; cp "$1" ${cli.folder}/seen-${runs}-$n; stat -c %a "$1" >> ${cli.folder}/modes\ncase $n in\n${cases}\n*) exit 9 ;;\nesac\n`,
    );
    const run = await cli.run(`edit ${words}`, { env: { EDITOR: `sh ${editor}` } });
    const shown = scripts.map((_script, index) =>
      existsSync(seen(index + 1)) ? readFileSync(seen(index + 1), "utf8") : "",
    );
    const kept = /your text is kept in (\S+)/.exec(run.err)?.[1];
    return { ...run, shown, kept };
  }
  const data = async (name: string) => (await cli.client.configMaps.get(name, { namespace })).data;
  const ikada = `${process.execPath} ${resolve("bin", "ikada")}`;

  it("saves what was changed, and nothing when nothing was", async () => {
    await cli.client.create(configMap("a", { k: "one", other: "x" }));
    const saved = await edit("cm a", `sed -i 's/k: one/k: two/; /other:/d' "$1"`);
    assert.deepEqual([saved.code, saved.out], [0, "configmap/a edited\n"], saved.err);
    assert.deepEqual(await data("a"), { k: "two" });
    assert.match(saved.shown[0]!, /^# configmap\/a: saving this text changes the object/);
    assert.ok(!saved.shown[0]!.includes("managedFields"));
    assert.equal(readFileSync(join(cli.folder, "modes"), "utf8").split("\n")[0], "600");
    assert.match((await edit("cm a", ":")).out, /configmap\/a: edit cancelled, no changes made/);
    assert.match((await edit("cm a", `: > "$1"`)).out, /edit cancelled, the text was empty/);
    assert.match((await edit("cm a", `echo '# more' >> "$1"`)).out, /no changes made/);
    assert.equal((await edit("cm a -o json", `sed -i 's/"two"/"three"/' "$1"`)).out, "configmap/a edited\n");
    assert.deepEqual(await data("a"), { k: "three" });
  });

  it("opens again with the reason and its line when it is refused, with the person's text", async () => {
    await cli.client.create(deployment("web", 1));
    const { code, out, shown, err } = await edit(
      "deploy web",
      `sed -i 's/replicas: 1/replicsa: 3/' "$1"`,
      `sed -i 's/replicsa/replicas/; s/^spec:/spec: [/' "$1"`,
      `sed -i 's/^spec: \\[/spec:/' "$1"`,
    );
    assert.deepEqual([code, out], [0, "deployment.apps/web edited\n"], err);
    const place = /^# line (\d+), column (\d+): spec\.replicsa: .*replicas/m.exec(shown[1]!);
    assert.ok(place, shown[1]!);
    assert.match(shown[1]!.split("\n")[Number(place[1]) - 1]!, /^ {2}replicsa: 3$/);
    assert.match(shown[2]!, /IT WAS NOT SAVED:\n# line \d+, column \d+: /);
    assert.equal((await cli.client.deployments.get("web", { namespace })).spec.replicas, 3);
  });

  it("keeps the text when it is given up, or the editor fails", async () => {
    await cli.client.create(configMap("kept", { k: "one" }));
    const refused = await edit("cm kept", `sed -i 's/^data:/date:/' "$1"`, ":");
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /edit of configmap\/kept cancelled, no valid change was saved: [\s\S]*line \d+, column 1: date:/,
    );
    assert.match(readFileSync(refused.kept!, "utf8"), /^date:$/m);
    assert.equal(statSync(dirname(refused.kept!)).mode & 0o777, 0o700);
    const failed = await edit("cm kept", `sed -i 's/one/mine/' "$1"; exit 3`);
    assert.match(failed.err, /the editor 'sh .*' ended with 3/);
    assert.match(readFileSync(failed.kept!, "utf8"), /k: mine/);
    const deleted = await edit("cm kept", `${ikada} delete cm kept > /dev/null; sed -i 's/one/mine/' "$1"`);
    assert.match(deleted.err, /^error \(NotFound\)/);
    assert.match(readFileSync(deleted.kept!, "utf8"), /k: mine/);
    for (const { kept } of [refused, failed, deleted]) rmSync(dirname(kept!), { recursive: true });
  });

  it("what others change meanwhile stays; of the same field one is told, and saves again to mean it", async () => {
    await cli.client.create(configMap("both", { mine: "1", theirs: "1" }));
    const patch = (values: object) =>
      `${ikada} patch cm both --type merge -p '${JSON.stringify({ data: values })}' > /dev/null`;
    const apart = await edit("cm both", `${patch({ theirs: "2" })}; sed -i 's/mine: "1"/mine: "2"/' "$1"`);
    assert.equal(apart.out, "configmap/both edited\n", apart.err);
    assert.deepEqual(await data("both"), { mine: "2", theirs: "2" });
    const same = await edit(
      "cm both",
      `${patch({ mine: "other", more: "x" })}; sed -i 's/mine: "2"/mine: "3"/' "$1"`,
      ":",
    );
    assert.equal(same.out, "configmap/both edited\n", same.err);
    assert.match(
      same.shown[1]!,
      /someone else has changed data\.mine meanwhile\n# line \d+, column 3: data\.mine: is "other" now\n# save again/,
    );
    assert.deepEqual(await data("both"), { mine: "3", theirs: "2", more: "x" });
  });

  it("one is told again when another of one's fields is changed after that", async () => {
    await cli.client.create(configMap("twice", { a: "1", b: "1" }));
    const patch = (values: object) =>
      `${ikada} patch cm twice --type merge -p '${JSON.stringify({ data: values })}' > /dev/null`;
    const { out, shown, err } = await edit(
      "cm twice",
      `${patch({ a: "x" })}; sed -i 's/"1"/"2"/' "$1"`,
      patch({ b: "y" }),
      ":",
    );
    assert.equal(out, "configmap/twice edited\n", err);
    assert.match(shown[1]!, /has changed data\.a meanwhile/);
    assert.match(shown[2]!, /has changed data\.b meanwhile/);
    assert.deepEqual(await data("twice"), { a: "2", b: "2" });
  });

  it("another name, or two objects, are refused", async () => {
    await cli.client.create(configMap("fixed", { k: "v" }));
    const named = await edit(
      "cm fixed",
      `sed -i 's/name: fixed/name: renamed/' "$1"`,
      `sed -i 's/renamed/fixed/; s/k: v/k: w/' "$1"`,
    );
    assert.match(named.shown[1]!, /metadata\.name can't be edited/);
    assert.equal(named.out, "configmap/fixed edited\n");
    const two = await edit("cm fixed", `printf -- '---\\nkind: x\\n' >> "$1"`, "exit 1");
    assert.match(two.shown[1]!, /one object is expected here, configmap\/fixed; there are 2/);
    rmSync(dirname(two.kept!), { recursive: true });
  });
});
