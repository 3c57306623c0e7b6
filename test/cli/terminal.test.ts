import assert from "node:assert/strict";
import { parse } from "yaml";
import { configMap } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

/** A title, a carriage return, C1, and text from right to left: what names, labels and messages of others may carry. */
const hostile = "a\u001b]0;title\u0007\rb\u009b31m\u202ec\u2066d";
// eslint-disable-next-line no-control-regex -- these characters are what it is about
const dangerous = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

describe("what others have written, on a terminal", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
    const object = configMap("bad", { k: hostile, lines: `one\n${hostile}\n` }, { annotations: { "a/b": hostile } });
    await cli.client.create(object);
    await cli.cluster.seed({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: "e", namespace: "default", uid: "e" },
      involvedObject: { kind: "ConfigMap", name: "bad", namespace: "default" },
      reason: hostile,
      message: hostile,
      type: "Normal",
      count: 1,
    });
  });
  after(() => cli.close());

  const manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {k: mine}\n";
  const commands = [
    "get cm bad -o yaml",
    "get cm bad -o json",
    "get cm -o custom-columns=K:.data.k,A:.metadata.annotations",
    "get events",
    "describe cm bad",
    "events",
    "annotate cm bad --list",
    "annotate cm bad a/b=other",
    "diff --force -f -",
    "wait cm bad --for=jsonpath={.data.k}=x --timeout 0",
    "patch cm bad --type merge -p {} -o yaml",
  ];
  for (const command of commands) {
    it(`is shown and not obeyed by ikada ${command}`, async () => {
      const { out, err } = await cli.run(command, { input: manifest });
      assert.ok(`${out}${err}`.includes("title"), `${out}${err}`);
      assert.doesNotMatch(out, dangerous);
      assert.doesNotMatch(err, dangerous);
    });
  }

  it("and is still the same to a program", async () => {
    const yaml = parse((await cli.run("get cm bad -o yaml")).out) as { data: Record<string, string> };
    const json = JSON.parse((await cli.run("get cm bad -o json")).out) as { data: Record<string, string> };
    assert.deepEqual([yaml.data["k"], json.data["k"]], [hostile, hostile]);
    assert.equal((await cli.run("get cm bad -o jsonpath={.data.k}")).out, hostile);
  });
});
