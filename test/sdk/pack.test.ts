import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TestCluster, tokens } from "../server/harness.js";

const script = fileURLToPath(new URL("../../../sdk/pack.mjs", import.meta.url));

describe("the packed client library", function () {
  // npm installs two packages.
  this.timeout(120_000);
  let folder: string;
  let cluster: TestCluster;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ikada-packed-"));
    cluster = await TestCluster.start(1);
  });
  after(async () => {
    await cluster.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Asynchronous, because the server that the program speaks to runs in this process. */
  function run(command: string, ...args: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
      let text = "";
      let errors = "";
      child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
      child.once("error", reject);
      child.once("close", (code) => {
        if (code === 0) resolve(text.trim());
        else reject(new Error(`${command} ${args.join(" ")} ended with ${String(code)}: ${errors}`));
      });
    });
  }

  it("installs without a store and a container engine, and works", async () => {
    const tarball = await run(process.execPath, script, folder);
    const manifest = { name: "user", version: "1.0.0", private: true, type: "module" };
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    await run("npm", "install", "--silent", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", tarball);

    const scoped = readdirSync(join(folder, "node_modules")).flatMap((name) =>
      name.startsWith("@") ? readdirSync(join(folder, "node_modules", name)).map((sub) => `${name}/${sub}`) : [name],
    );
    assert.ok(scoped.includes("@grpc/grpc-js") && scoped.includes("protobufjs") && scoped.includes("ikada"));
    const unwanted = scoped.filter((name) => /rocksdb|dockerode|docker-modem|x509|commander|winston/.test(name));
    assert.deepEqual(unwanted, []);
    const own = readdirSync(join(folder, "node_modules", "ikada", "dist"));
    assert.deepEqual(own.sort(), ["sdk", "src"]);
    assert.deepEqual(readdirSync(join(folder, "node_modules", "ikada", "dist", "src")).sort(), ["api", "base", "host"]);

    const options = {
      endpoints: [cluster.addresses[0]?.api],
      ca: cluster.authority.certificate,
      token: tokens.admin,
    };
    const program = `
      import { Client, IkadaError } from "ikada";
      const client = await Client.connect(${JSON.stringify(options)});
      const { object } = await client.configMaps.create({
        metadata: { name: "packed", namespace: "default" },
        data: { from: "a tarball" },
      });
      const missing = await client.get("pods", "none", { namespace: "default" }).catch((error) => error);
      console.log(object.data.from, missing instanceof IkadaError, missing.reason);
      await client.close();
    `;
    writeFileSync(join(folder, "program.js"), program);
    assert.equal(await run(process.execPath, "program.js"), "a tarball true NotFound");
  });
});
