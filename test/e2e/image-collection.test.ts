import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { loadOwnImages } from "../../node-agent/core/load-images.js";
import { OwnImages } from "../../node-agent/core/own-images.js";
import type { DiskSpace } from "../../node-agent/core/runtime.js";
import { DockerRuntime } from "../../node-agent/docker/docker-runtime.js";
import { DiskMeter } from "../../node-agent/volumes/disk-meter.js";
import { HostVolumes } from "../../node-agent/volumes/host-volumes.js";
import type { Finished } from "../../src/base/env.js";
import { hostEnv, type HostEnv } from "../../src/host/env.js";
import { silentLog } from "../../src/host/log.js";
import { savedImage } from "../node-agent/test-registry.js";
import { OwnEngine } from "./own-engine.js";

const diskMebibytes = 160;
const imageMebibytes = 16;
const missing = OwnEngine.whatIsMissing();

describe(`image collection on the disk of a real engine${missing === undefined ? "" : ` (skipped: ${missing})`}`, () => {
  let engine: OwnEngine;
  let folder: string;
  let env: HostEnv;
  let runtime: DockerRuntime;

  before(async function () {
    this.timeout(120_000);
    if (missing !== undefined) this.skip();
    engine = await OwnEngine.start({ liveRestore: false, diskMebibytes });
    folder = mkdtempSync(join(tmpdir(), "ikada-collection-"));
    env = hostEnv({ dataFolder: folder, log: silentLog });
    const meter = new DiskMeter();
    runtime = new DockerRuntime({
      socketPath: engine.socket,
      owner: { clusterId: "collection", node: "node-1" },
      nodeUid: () => undefined,
      messageFolder: join(folder, "messages"),
      seccompFolder: undefined,
      volumes: new HostVolumes({ folder: join(folder, "pods"), hostPaths: [], meter }),
      meter,
      log: silentLog,
    });
  });

  after(async function () {
    this.timeout(120_000);
    await env?.close();
    await engine?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const finish = (run: (done: Finished) => void): Promise<void> =>
    new Promise((resolve, reject) => run((error) => (error ? reject(error) : resolve())));
  const disk = (): Promise<DiskSpace> =>
    new Promise((resolve, reject) => runtime.imageDisk((error, space) => (error ? reject(error) : resolve(space))));
  const usedPercent = async (): Promise<number> => {
    const { capacityBytes, availableBytes } = await disk();
    return ((capacityBytes - availableBytes) / capacityBytes) * 100;
  };
  const archiveOf = (name: string): Promise<Buffer> =>
    savedImage(`${name}:1`, randomBytes(imageMebibytes * 512 * 1024).toString("hex"));
  async function load(images: OwnImages, name: string): Promise<void> {
    const archive = await archiveOf(name);
    await finish((done) => {
      const stream = loadOwnImages(runtime, images, {
        onOpen: () => {
          stream.write(archive);
          stream.end();
        },
        onData: () => true,
        onDrain: () => undefined,
        onEnd: done,
        onResume: undefined,
      });
    });
  }
  const names = async (): Promise<string[]> =>
    (await engine.docker.listImages()).flatMap(({ RepoTags }) => RepoTags ?? []).sort();

  it("frees what the thresholds ask for, the least recently used first, and nothing that is used, wanted or foreign", async function () {
    this.timeout(120_000);
    const settings = { highPercent: 99, lowPercent: 98, ageMsMin: 0 };
    const open = async (percents: Partial<typeof settings>): Promise<OwnImages> => {
      const images = new OwnImages(env, runtime, () => new Set(["wanted:1"]), { ...settings, ...percents });
      await finish((done) => images.start(done));
      return images;
    };
    const images = await open({});
    const foreign = await engine.docker.loadImage(Readable.from([await archiveOf("foreign")]), { quiet: true });
    for await (const _ of foreign);
    for (const name of ["used", "wanted", "first", "second", "third"]) await load(images, name);
    await engine.docker.createContainer({ Image: "used:1", Cmd: ["/text.txt"] });
    const all = ["first:1", "foreign:1", "second:1", "third:1", "used:1", "wanted:1"];
    assert.deepEqual(await names(), all);
    await finish((done) => images.collect(done));
    assert.deepEqual(await names(), all, "below the threshold nothing goes");

    const before = await usedPercent();
    assert.ok(before > 40, `${before} % of the disk are in use: it is not what the test thinks`);
    // Room for one image and a half: two have to go.
    const step = (imageMebibytes / diskMebibytes) * 100;
    const lowPercent = before - 1.5 * step;
    images.close();
    const tight = await open({ highPercent: before - 1, lowPercent });
    await finish((done) => tight.collect(done));
    assert.deepEqual(await names(), ["foreign:1", "third:1", "used:1", "wanted:1"]);
    assert.ok((await usedPercent()) <= lowPercent, `${await usedPercent()} % are in use, ${lowPercent} were asked for`);

    tight.close();
    const greedy = await open({ highPercent: 1, lowPercent: 0 });
    await finish((done) => greedy.collect(done));
    assert.deepEqual(await names(), ["foreign:1", "used:1", "wanted:1"]);
    greedy.close();
  });
});
