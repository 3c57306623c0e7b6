import assert from "node:assert/strict";
import type { AnyObject } from "../../src/api/object.js";
import { configMap, pod } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const namespace = "default";

describe("ikada wait", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
  });
  after(() => cli.close());

  const ready = (object: AnyObject): AnyObject => ({
    ...object,
    status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] },
  });

  const firstOutput = ({ child }: ReturnType<ClusterCli["begin"]>) =>
    new Promise((seen) => child.stdout!.once("data", seen));

  it("ends at once for what is so already, and when it becomes so", async () => {
    await cli.cluster.seed(ready(pod("now", "n1")));
    await cli.cluster.seed(pod("later", "n1"));
    const now = await cli.run("wait pod/now --for=condition=Ready --timeout 20s");
    assert.deepEqual([now.code, now.out, now.err], [0, "pod/now condition met\n", ""]);
    let ended = false;
    const run = cli.begin("wait pod now later --for=condition=Ready --timeout 20s");
    void run.ended.then(() => (ended = true));
    await firstOutput(run);
    assert.equal(ended, false);
    await cli.cluster.seed(ready(pod("later", "n1")));
    assert.deepEqual(await run.ended, { code: 0, out: "pod/now condition met\npod/later condition met\n", err: "" });
  });

  it("says how it stands when the time is over; 0 s looks once", async () => {
    await cli.cluster.seed(pod("never", "n1"));
    const runs = await Promise.all([
      cli.run("wait pod/never --for=condition=Ready --timeout 200ms"),
      cli.run("wait pod/never --for=jsonpath={.status.phase}=Running --timeout 0"),
      cli.run("wait pod/never --for=delete --timeout 0"),
      cli.run("wait pod/absent --for=create --timeout 200ms"),
    ]);
    const expected = [
      /^error \(Deadline\): timed out after 0\.2 s waiting for pod\/never: it has no condition Ready\n  see 'ikada describe pod never'/,
      /waiting for pod\/never: \{\.status\.phase\} is Pending/,
      /waiting for pod\/never: nobody has deleted it/,
      /waiting for pod\/absent: it is not there/,
    ];
    for (const [index, { code, err, out }] of runs.entries()) {
      assert.equal(code, 1);
      assert.equal(out, "");
      assert.match(err, expected[index]!);
    }
  });

  it("--for=delete: what is gone, what goes, and what is made anew under the same name", async () => {
    await Promise.all(["gone", "renewed"].map((name) => cli.client.create(configMap(name))));
    const absent = await cli.run("wait cm/absent --for=delete");
    assert.deepEqual([absent.code, absent.out], [0, "configmap/absent condition met\n"]);
    const run = cli.begin("wait cm gone renewed absent --for=delete --timeout 20s");
    // What it says of the last one shows that it knows which objects the others are.
    await firstOutput(run);
    await cli.client.configMaps.delete("renewed", { namespace });
    await cli.client.create(configMap("renewed"));
    await cli.client.configMaps.delete("gone", { namespace });
    assert.deepEqual(await run.ended, {
      code: 0,
      out: "configmap/absent condition met\nconfigmap/gone condition met\nconfigmap/renewed condition met\n",
      err: "",
    });
  });

  it("--for=create, by label, and objects that are deleted meanwhile", async () => {
    const created = cli.begin("wait cm/coming --for=create --timeout 20s");
    await cli.client.create(configMap("coming", {}, { labels: { set: "w" } }));
    assert.equal((await created.ended).out, "configmap/coming condition met\n");
    const labelled = cli.begin("wait cm -l set=w --for=jsonpath={.data.k}=v --timeout 20s");
    await cli.client.configMaps.patch("coming", { data: { k: "v" } }, { namespace });
    assert.equal((await labelled.ended).out, "configmap/coming condition met\n");
    assert.match((await cli.run("wait cm -l set=none --for=jsonpath={.data}")).err, /no matching resources found/);
    await cli.client.create(configMap("other", { other: "x" }));
    const lost = cli.begin("wait cm other coming --for=jsonpath={.data.other} --timeout 20s");
    await firstOutput(lost);
    await cli.client.configMaps.delete("coming", { namespace });
    assert.match((await lost.ended).err, /NotFound.*configmap\/coming/);
  });

  it("a command line that makes no sense ends with 2", async () => {
    const { code, err } = await cli.run("wait pod/x --for=condition");
    assert.equal(code, 2);
    assert.match(err, /there is no such condition/);
  });
});
