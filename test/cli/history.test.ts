import assert from "node:assert/strict";
import type { AnyObject } from "../../sdk/index.js";
import { configMap, deployment } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const namespace = "default";

describe("ikada history, undo, get --at and diff --from", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(120_000);
  let cli: ClusterCli;
  let made = 0;
  let scaled = 0;
  before(async () => {
    cli = await ClusterCli.start();
    const { object } = await cli.client.create(deployment("web", 1));
    made = Number(object.metadata.resourceVersion);
    const after = await cli.client.scale("deploy", "web", 3, { namespace, fieldManager: "scaler" });
    scaled = Number(after.object.metadata.resourceVersion);
  });
  after(() => cli.close());

  it("history tells who changed what", async () => {
    const { code, out, err } = await cli.run("history deploy/web");
    assert.equal(code, 0, err);
    const lines = out
      .trimEnd()
      .split("\n")
      .map((line) => line.trim().split(/ {2,}/));
    assert.deepEqual(lines[0], ["REVISION", "TIME", "CHANGE", "BY", "MANAGER", "FIELDS"]);
    assert.deepEqual(
      lines.slice(1).map((line) => line.filter((_cell, at) => at !== 1).join("|")),
      [`${scaled}|changed|admin:alice|scaler|~spec.replicas`, `${made}|created|admin:alice|ikada-sdk`],
    );
    const json = await cli.run(`history deploy web -o json --at ${made}`);
    assert.deepEqual(
      (JSON.parse(json.out) as { revision: number }[]).map(({ revision }) => revision),
      [made],
    );
    assert.equal((await cli.run("history deploy/web --limit 1")).out.trimEnd().split("\n").length, 2);
    assert.match((await cli.run("history cm/none")).err, /No changes of configmap\/none are kept/);
    assert.equal((await cli.run("history deploy")).code, 1);
    assert.equal((await cli.run("history deploy/web --at yesterday")).code, 2);
  });

  it("get --at and diff --from show the past", async () => {
    const then = await cli.run(`get deploy web -o json --at ${made}`);
    assert.equal((JSON.parse(then.out) as { spec: { replicas: number } }).spec.replicas, 1);
    assert.match((await cli.run(`get deploy --at ${made}`)).out, /^NAME +READY.*\nweb +0\/1/);
    assert.match((await cli.run("get deploy/web --at 2035-01-01T00:00:00Z")).out, /\nweb +0\/3/);
    assert.equal((await cli.run(`get deploy/web --at ${made} -w`)).code, 1);
    const diff = await cli.run(`diff deploy/web --from ${made}`);
    assert.equal(diff.code, 1, diff.err);
    assert.match(diff.out, new RegExp(`^--- revision-${made}/default/deployment.apps/web`));
    assert.match(diff.out, /\n-  replicas: 1\n\+  replicas: 3\n/);
    const none = await cli.run(`diff deploy/web --from ${scaled} --to ${scaled}`);
    assert.deepEqual([none.code, none.out], [0, ""]);
    assert.equal((await cli.run("diff deploy/web")).code, 2);
  });

  it("diff --from tells no Secret's values, nor when it is gone", async () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "hidden", namespace }, data: { a: "b25l" } };
    const { object } = await cli.client.create(secret);
    await cli.client.patch("secret", "hidden", { data: { a: "dHdv" } }, { namespace });
    const from = object.metadata.resourceVersion ?? "";
    const changed = await cli.run(`diff secret/hidden --from ${from}`);
    assert.match(changed.out, /\*\*\* \(before\)[^]*\*\*\* \(after\)/);
    await cli.client.delete("secret", "hidden", { namespace });
    const gone = await cli.run(`diff secret/hidden --from ${from}`);
    assert.equal(gone.code, 1);
    for (const { out } of [changed, gone]) assert.doesNotMatch(out, /b25l|dHdv/);
  });

  it("undo writes back, tries, and makes anew", async () => {
    const replicas = async (): Promise<number> =>
      (await cli.client.getScale("deploy", "web", { namespace })).spec.replicas;
    const tried = await cli.run(`undo deploy/web --to ${made} --dry-run`);
    assert.equal(tried.out, `deployment.apps/web set back to what it was at revision ${made} (server dry run)\n`);
    assert.equal(await replicas(), 3);
    const done = await cli.run(`undo deploy/web --to ${made}`);
    assert.equal(done.out, `deployment.apps/web set back to what it was at revision ${made}\n`);
    assert.equal(await replicas(), 1);
    const lost: AnyObject = configMap("lost", { a: "1" });
    const { object } = await cli.client.create(lost);
    await cli.client.delete("cm", "lost", { namespace });
    const again = await cli.run(`undo cm lost --to ${object.metadata.resourceVersion ?? ""}`);
    assert.match(again.out, /^configmap\/lost made anew as at revision \d+\n$/);
    assert.equal((await cli.run("undo cm/lost --to 1000000")).code, 1);
  });
});
