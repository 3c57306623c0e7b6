import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { RocksKeyValue } from "../../../store/rocks/rocks-key-value.js";
import { Calls } from "../contract/key-value.js";
import { pairsOf } from "./kill-batches.js";

const child = fileURLToPath(new URL("kill-child.js", import.meta.url));

describe("RocksDB after kill -9", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "ikada-kill-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  for (const flushes of [1, 3])
    it(`has a prefix of the batches, each whole, at least up to flush ${flushes}`, async () => {
      const flushed = await writeUntilKilled(folder, flushes);
      const keyValue = await RocksKeyValue.open(folder);
      const calls = new Calls(keyValue);
      const last = Number(await calls.get("last"));
      assert.ok(last >= flushed, `flushed ${flushed}, found ${last}`);
      const found = await calls.scan("batch/", "batch0", 1_000_000);
      const pairs = Array.from({ length: last }, (_, at) => pairsOf(at + 1).slice(0, -1)).flat();
      assert.deepEqual(
        found,
        pairs.map(({ key, value }) => `${text(key)}=${text(value)}`),
      );
      await keyValue.close();
    });
});

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}

/** Returns the last flush that the child told of. */
async function writeUntilKilled(folder: string, flushes: number): Promise<number> {
  const writer = spawn(process.execPath, [child, folder], { stdio: ["ignore", "pipe", "inherit"] });
  let flushed = 0;
  let count = 0;
  for await (const line of createInterface(writer.stdout)) {
    flushed = Number(line);
    count += 1;
    if (count === flushes) writer.kill("SIGKILL");
  }
  if (writer.signalCode === null && writer.exitCode === null) await once(writer, "exit");
  assert.equal(writer.signalCode, "SIGKILL");
  return flushed;
}
