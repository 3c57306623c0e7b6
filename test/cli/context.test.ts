import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findContexts, loadContext, type Places } from "../../cli/config.js";
import { readWritten, writeContexts } from "../../cli/context-file.js";
import { configMap } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

const one = (endpoint: string, more: object = {}) => ({ endpoints: [endpoint], ca: "ca", token: "secret", ...more });

describe("contexts", () => {
  let folder: string;
  let places: Places;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ikada-context-"));
    places = { local: join(folder, "local", "admin.json"), user: join(folder, "user", "config.json") };
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function write(file: string, content: object): string {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(content));
    return file;
  }
  const endpoint = (choice: Parameters<typeof loadContext>[0] = {}, env: NodeJS.ProcessEnv = {}) =>
    loadContext(choice, env, places).endpoints[0];

  const two = { contexts: { a: one("a:1", { namespace: "team" }), b: one("b:1") } };

  it("a file may hold one context, or several by name", () => {
    const file = write(join(folder, "x.json"), one("x:1"));
    assert.equal(endpoint({ config: file }), "x:1");
    write(file, { ...two, current: "b" });
    assert.equal(endpoint({ config: file }), "b:1");
    assert.equal(endpoint({ config: file, context: "a" }), "a:1");
    assert.equal(endpoint({}, { IKADA_CONFIG: file, IKADA_CONTEXT: "a" }), "a:1");
    assert.equal(loadContext({ config: file, context: "a" }, {}, places).namespace, "team");
  });

  it("--context before $IKADA_CONTEXT, before the one in use, before the cluster of the checkout, before the only one", () => {
    assert.throws(() => endpoint(), /no cluster to talk to/);
    write(places.user, one("user:1"));
    assert.equal(endpoint(), "user:1");
    write(places.local, one("local:1"));
    assert.equal(endpoint(), "local:1");
    assert.equal(endpoint({ context: "default" }), "user:1");
    write(places.user, two);
    assert.equal(endpoint(), "local:1");
    write(places.user, { ...two, current: "a" });
    assert.equal(endpoint(), "a:1");
    assert.equal(endpoint({}, { IKADA_CONTEXT: "local" }), "local:1");
    assert.equal(endpoint({ context: "b" }, { IKADA_CONTEXT: "local" }), "b:1");
    write(places.user, { ...two, current: "local" });
    assert.equal(endpoint(), "local:1");
  });

  it("several and none in use: asks which", () => {
    write(places.user, two);
    assert.throws(() => endpoint(), { reason: "BadRequest", message: /several contexts, and none of them is in use/ });
    assert.throws(() => endpoint({ context: "c" }), {
      reason: "NotFound",
      message: /there is no context "c" in .*config\.json/,
    });
  });

  it("a fault names file, context and field, and does not hold up the other contexts", () => {
    write(places.user, { contexts: { a: one("a:1"), bad: { endpoints: [], ca: "x" }, worse: 7 }, current: "a" });
    assert.throws(() => endpoint(), /config\.json: contexts\.worse: an object is expected here/);
    write(places.user, { contexts: { a: one("a:1"), bad: { endpoints: [] } }, current: "a" });
    assert.equal(endpoint(), "a:1");
    assert.throws(() => endpoint({ context: "bad" }), /config\.json: contexts\.bad\.endpoints: a list of host:port/);
    write(places.user, { contexts: {}, curent: "a" });
    assert.throws(() => endpoint(), /config\.json: curent: there is no such field; did you mean "current"/);
  });

  it("is written for its owner only, and what is broken is not overwritten", () => {
    writeContexts(places.user, { contexts: { a: one("a:1") } });
    assert.equal(statSync(places.user).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(places.user)).mode & 0o777, 0o700);
    assert.deepEqual([...findContexts({}, {}, places).byName.keys()], ["a"]);
    write(places.user, one("single:1"));
    assert.deepEqual(Object.keys(readWritten(places.user).contexts), ["default"]);
    writeFileSync(places.user, "{ broken");
    assert.throws(() => readWritten(places.user), /config\.json: /);
    assert.equal(readFileSync(places.user, "utf8"), "{ broken");
  });
});

describe("ikada context", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  before(async () => {
    cli = await ClusterCli.start();
  });
  after(() => cli.close());

  it("adds, lists, uses, shows and deletes clusters, and commands go where they are told", async () => {
    const env = { IKADA_CONFIG: join(cli.folder, "mine.json") };
    const run = (line: string, input = "") => cli.run(line, { env, input });
    await cli.client.create(configMap("here"));
    const none = await run("context set prod");
    assert.match(
      none.err,
      /context "prod" is not complete: --endpoint, --ca-file, --token-file or --token-stdin missing/,
    );
    const added = await run(`context set prod --from ${join(cli.folder, "context.json")}`);
    assert.match(added.out, /^context "prod" added in .*mine\.json\n$/);
    const ca = cli.write("ca.pem", cli.cluster.authority.certificate);
    const other = await run(
      `context set other --endpoint 127.0.0.1:1 --ca-file ${ca} --token-stdin -n team`,
      "t0ken\n",
    );
    assert.equal(other.code, 0, other.err);
    assert.match((await run("get cm")).err, /several contexts, and none of them is in use/);
    assert.equal((await run("context use prod")).out, 'Commands go to "prod" now.\n');
    assert.equal((await run("get cm -o name")).out, "configmap/here\n");
    assert.match((await run("get cm --context other --request-timeout 300ms")).err, /127\.0\.0\.1:1/);
    const listed = (await run("context list")).out.split("\n").map((line) => line.split(/ {2,}/).slice(0, 4));
    assert.deepEqual(listed.slice(0, 3), [
      ["CURRENT", "NAME", "ENDPOINTS", "NAMESPACE"],
      ["*", "prod", cli.cluster.addresses[0]!.api, "default"],
      ["", "other", "127.0.0.1:1", "team"],
    ]);
    const shown = await run("context show other");
    assert.match(shown.out, /^name: other\n/);
    assert.match(shown.out, /token: "\*\*\*"\n$/);
    assert.ok(!shown.out.includes("t0ken"));
    assert.match((await run("context set other --endpoint 127.0.0.1:2 --use")).out, /"other" changed/);
    assert.match((await run("context show")).out, /127\.0\.0\.1:2[\s\S]*namespace: team/);
    const deleted = await run("context delete other");
    assert.deepEqual([deleted.out, deleted.code], ['context "other" deleted\n', 0]);
    assert.match(deleted.err, /choose another one/);
    assert.match((await run("context delete other")).err, /there is no context "other"/);
    assert.equal((await run("get cm -o name")).out, "configmap/here\n");
  });

  it("what makes no sense is refused before anything is written", async () => {
    const env = { IKADA_CONFIG: join(cli.folder, "refused.json") };
    const base = `--ca-file ${cli.write("ca2.pem", "pem")} --token-stdin`;
    const cases: readonly (readonly [string, RegExp])[] = [
      [`context set a/b --endpoint a:1 ${base}`, /"a\/b" is no name for a context/],
      [`context set a --endpoint nowhere ${base}`, /endpoint: an address host:port is expected, not "nowhere"/],
      [`context set a --endpoint a:1 --ca-file /nowhere.pem --token-stdin`, /cannot read \/nowhere\.pem/],
      [`context set a --endpoint a:1 ${base} --token-file x`, /not both/],
      [`context use a`, /cannot read .*refused\.json/],
    ];
    for (const [line, message] of cases) {
      const { code, err } = await cli.run(line, { env, input: "t" });
      assert.notEqual(code, 0, line);
      assert.match(err, message, line);
    }
    assert.throws(() => statSync(env.IKADA_CONFIG), /ENOENT/);
  });
});
