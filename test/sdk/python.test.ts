import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { TestCluster, tokens } from "../server/harness.js";

const example = fileURLToPath(new URL("../../../examples/python/configmaps.py", import.meta.url));
const python = "/usr/bin/python3";
const works = (program: string, ...words: string[]): boolean =>
  spawnSync(program, words, { stdio: "ignore" }).status === 0;
const isThere =
  works(python, "-c", "import grpc, google.protobuf") &&
  works("protoc", "--version") &&
  works("which", "grpc_python_plugin");
const needs = isThere ? "" : " (skipped: needs python3-grpcio, protobuf-compiler and protobuf-compiler-grpc)";

describe(`a client that protoc makes of the .proto files, in Python${needs}`, function () {
  this.timeout(120_000);

  it("creates, reads, lists, watches, applies, deletes, and reads the reason of a refusal", async function () {
    if (!isThere) {
      this.skip();
      return;
    }
    const cluster = await TestCluster.start(1);
    const folder = mkdtempSync(join(tmpdir(), "ikada-python-test-"));
    try {
      const ca = join(folder, "ca.pem");
      writeFileSync(ca, cluster.authority.certificate);
      const words = [example, "--endpoint", cluster.addresses[0]!.api, "--ca", ca];
      const environment = { ...process.env, TOKEN: tokens.admin };
      const { stdout } = await promisify(execFile)(python, words, { env: environment, timeout: 100_000 });
      assert.deepEqual(stdout.replace(/\d+/, "N").trimEnd().split("\n"), [
        "created from-python at revision N",
        "got hello",
        "listed ['from-python']",
        "applied applied-from-python created",
        "watched ADDED applied-from-python",
        "deleted from-python removed",
        "deleted applied-from-python removed",
        "refused NOT_FOUND NotFound",
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
      await cluster.close();
    }
  });
});
