import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "../../src/base/limits.js";
import { Harness } from "./harness.js";

const objectBytes = 600_000;
/** Of base64 text, more than the log keeps: who was away for all of it needs the state. */
const objects = 4 * Math.ceil((limits.logKeptBytes * 1.4) / objectBytes / 4);
/** The state is flushed every five seconds. */
const flushedMs = 7_000;
const namespace = "default";

describe("a server that was away for longer than the log is kept", () => {
  it("gets the state, goes on where it was when it is killed on the way, and has everything", async function () {
    this.timeout(300_000);
    const harness = await Harness.start({ servers: 3, agents: 0, runtime: "fake" });
    try {
      const leader = await harness.leaderName();
      const away = harness.cluster.servers.find(({ name }) => name !== leader)!.name;
      const folder = join(harness.dataFolder(away), "snapshots");
      await harness.stop(away);
      const written = new Map<string, string>();
      const write = async (count: number): Promise<void> => {
        for (let at = 0; at < count; at += 1) {
          const text = randomBytes((objectBytes * 3) / 4).toString("base64");
          const name = `big-${written.size}`;
          await harness.client.configMaps.create({ metadata: { name, namespace }, data: { text } });
          written.set(name, digest(text));
        }
      };
      await write(objects);
      // The log is cut up to what has been flushed, and when it grows.
      await sleep(flushedMs);
      await write(objects / 4);
      harness.startStopped();
      await harness.eventually("half of the state", () =>
        Promise.resolve(received(folder) > (objects * objectBytes) / 3),
      );
      await harness.kill(away);
      const half = received(folder);
      await harness.eventually("the state installed", () =>
        Promise.resolve(harness.logLines(away, "installed a snapshot") > 0),
      );
      const [first, second] = harness.logFields(away, "receiving a snapshot").map(({ offset }) => Number(offset));
      assert.equal(first, 0);
      assert(second !== undefined && second > 0 && second <= half, `went on at ${second}, of ${half}`);

      const client = await harness.clientOf(away);
      try {
        for (const [name, expected] of written) {
          const { data } = await client.configMaps.get(name, { namespace });
          assert.equal(digest(data?.["text"] ?? ""), expected, `${name} on ${away}`);
        }
        await client.configMaps.create({ metadata: { name: "afterwards", namespace }, data: {} });
      } finally {
        await client.close();
      }
    } catch (caught) {
      process.stderr.write(harness.logs());
      throw caught;
    } finally {
      await harness.close();
    }
  });
});

/** Bytes of the state that have come so far. */
function received(folder: string): number {
  try {
    const sizes = readdirSync(folder).map((file) => (file.endsWith(".in") ? statSync(join(folder, file)).size : 0));
    return Math.max(0, ...sizes);
  } catch {
    return 0; // Made with the first bytes, and renamed with the last.
  }
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
