import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { TestCluster } from "../server/harness.js";
import { blocksOf, examplesOf } from "./code-blocks.js";
import { PackedLibrary } from "./packed-library.js";

/** What an `@example` has beside its own lines. */
const head = `
import { readFileSync } from "node:fs";
import { Client, IkadaError, type Interceptor } from "ikada";
const { endpoints } = JSON.parse(readFileSync(".ikada/admin.json", "utf8"));
const ca = readFileSync(".ikada/pki/ca.pem", "utf8");
const token = readFileSync(".ikada/pki/admin.token", "utf8").trim();
const client = await Client.connect({ endpoints, ca, token });
`;

const examples = readdirSync("dist/sdk")
  .filter((name) => name.endsWith(".d.ts"))
  .flatMap((name) => examplesOf(join("dist/sdk", name)).map(({ line, code }) => ({ name, line, code })));
const onContainers = new Set(["pod-access.d.ts", "remote-process.d.ts"]);
const programOf = (name: string, line: number): string => `${name.replace(".d.ts", "")}-${line}`;

describe("the packed client library", function () {
  // npm installs two packages.
  this.timeout(120_000);
  let library: PackedLibrary;
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start(1);
    library = await PackedLibrary.install();
    library.use(cluster);
    library.write("readme.ts", blocksOf("README.md").join("\n"));
    library.write("guide.ts", blocksOf("docs/sdk.md").join("\n"));
    for (const { name, line, code } of examples)
      library.write(`${programOf(name, line)}.ts`, `${head}{\n${code}}\nawait client.close();\n`);
    await library.compile();
  });
  after(async () => {
    await cluster.close();
    library.remove();
  });

  it("installs without a store and a container engine", () => {
    const modules = join(library.folder, "node_modules");
    const names = readdirSync(modules).flatMap((name) =>
      name.startsWith("@") ? readdirSync(join(modules, name)).map((sub) => `${name}/${sub}`) : [name],
    );
    assert.ok(names.includes("@grpc/grpc-js") && names.includes("protobufjs") && names.includes("ikada"));
    const unwanted = names.filter((name) => /rocksdb|dockerode|docker-modem|x509|commander|winston/.test(name));
    assert.deepEqual(unwanted, []);
    const own = join(modules, "ikada", "dist");
    assert.deepEqual(readdirSync(own).sort(), ["sdk", "src"]);
    assert.deepEqual(readdirSync(join(own, "src")).sort(), ["api", "base", "host"]);
  });

  it("does what README.md shows, to the letter", async () => {
    assert.equal(blocksOf("README.md").length, 1);
    assert.equal(await library.run(process.execPath, "readme.js"), "ADDED hello\nBOOKMARK that was all");
  });

  it("does what docs/sdk.md shows, block after block", async () => {
    assert.ok(blocksOf("docs/sdk.md").length > 10);
    const printed = (await library.run(process.execPath, "guide.js")).split("\n");
    for (const line of ["Deployment", "1", "added counter", "Cancelled"]) assert.ok(printed.includes(line), line);
  });

  // The others need a container that runs: test/e2e/access.test.ts. They are compiled.
  for (const { name, line } of examples.filter(({ name }) => !onContainers.has(name)))
    it(`does what the comment at ${name}:${line} shows`, async () => {
      await library.run(process.execPath, `${programOf(name, line)}.js`);
    });

  it("has examples of its classes", () => {
    const files = new Set(examples.map(({ name }) => name.replace(".d.ts", "")));
    for (const file of ["client", "cluster", "connection", "informer", "interceptors", "resource"])
      assert.ok(files.has(file), file);
  });
});
