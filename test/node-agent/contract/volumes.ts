import assert from "node:assert/strict";
import type {
  ContainerInfo,
  ContainerRuntime,
  ContainerSpec,
  ContainerStorage,
  DiskUsage,
  MountedVolume,
} from "../../../node-agent/core/runtime.js";
import type { VolumeHost } from "../../../node-agent/core/volume-host.js";
import type { VolumePlan } from "../../../node-agent/core/volume-plan.js";
import type { Done, Finished } from "../../../src/base/env.js";
import { IkadaError } from "../../../src/base/errors.js";
import { newPodUid, plainSecurity } from "./workbench.js";

/** What the behaviours of volumes are tried with. */
export interface VolumesBench {
  volumes(): VolumeHost;
  runtime(): ContainerRuntime;
  create(spec: ContainerSpec): Promise<string>;
  start(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  run(command: readonly string[], more: Partial<ContainerSpec>): Promise<string>;
  untilPhase(id: string, phase: string): Promise<void>;
  inspect(id: string): Promise<ContainerInfo | undefined>;
  printed(id: string): Promise<string>;
  finish(call: (done: Finished) => void): Promise<void>;
  done<T>(call: (done: Done<T>) => void): Promise<T>;
}

export function filesOf(name: string, files: Readonly<Record<string, string>>, mode = 0o644): VolumePlan {
  const encoder = new TextEncoder();
  const list = Object.entries(files).map(([path, text]) => ({ path, bytes: encoder.encode(text), mode }));
  return { kind: "files", name, files: list, group: undefined };
}

export function folderOf(name: string): VolumePlan {
  return { kind: "folder", name, medium: "disk", sizeLimitBytes: undefined, group: undefined };
}

export function mountOf(volume: string, target: string, more: Partial<MountedVolume> = {}): MountedVolume {
  return { volume, target, hostPath: undefined, named: undefined, subPath: undefined, readOnly: false, ...more };
}

/** What every `VolumeHost` and the runtime beside it must do. Call inside `describe`. */
export function volumesContract(bench: VolumesBench): void {
  const apply = (uid: string, plan: VolumePlan) => bench.finish((done) => bench.volumes().apply(uid, plan, done));
  const removeAll = (uid: string) => bench.finish((done) => bench.volumes().remove(uid, done));
  async function output(command: string, podUid: string, mounts: readonly MountedVolume[], name = "main") {
    const id = await bench.run(["sh", "-c", command], { podUid, mounts, containerName: name });
    await bench.untilPhase(id, "exited");
    const text = await bench.printed(id);
    const exitCode = (await bench.inspect(id))?.exitCode;
    await bench.remove(id);
    return { text, exitCode };
  }
  const read = async (id: string, file: string): Promise<string> => {
    const request = { containerId: id, command: ["cat", file], timeoutMs: 20_000, outputBytesMax: 100 };
    return (await bench.done<{ output: string }>((done) => bench.runtime().exec(request, done))).output;
  };
  const invalid = (error: unknown) => error instanceof IkadaError && error.reason === "Invalid";

  it("a volume of files is what it was told, follows changes while its container runs, and is not written by it", async () => {
    const uid = newPodUid();
    await apply(uid, filesOf("config", { a: "one\n", "sub/b": "two\n" }));
    const mounts = [mountOf("config", "/etc/config", { readOnly: true })];
    const id = await bench.run(["sleep", "60"], { podUid: uid, mounts });
    assert.equal(await read(id, "/etc/config/a"), "one\n");
    assert.equal(await read(id, "/etc/config/sub/b"), "two\n");
    await apply(uid, filesOf("config", { a: "three\n", c: "four\n" }));
    assert.equal(await read(id, "/etc/config/a"), "three\n");
    assert.equal(await read(id, "/etc/config/c"), "four\n");
    assert.doesNotMatch(await read(id, "/etc/config/sub/b"), /two/);
    assert.notEqual((await output("echo x > /etc/config/a", uid, mounts, "writer")).exitCode, 0);
    assert.equal(await read(id, "/etc/config/a"), "three\n");
    await bench.remove(id);
    await removeAll(uid);
  });

  it("a part of a volume of files stays what it was when its container was made", async () => {
    const uid = newPodUid();
    await apply(uid, filesOf("config", { key: "one\n" }));
    const mounts = [mountOf("config", "/app.conf", { readOnly: true, subPath: "key" })];
    const id = await bench.run(["sleep", "60"], { podUid: uid, mounts });
    assert.equal(await read(id, "/app.conf"), "one\n");
    await apply(uid, filesOf("config", { key: "two\n" }));
    assert.equal(await read(id, "/app.conf"), "one\n");
    await bench.remove(id);
    assert.equal((await output("cat /app.conf", uid, mounts)).text, "two\n", "the next one has the new");
    await removeAll(uid);
  });

  it("an empty folder is shared by a Pod's containers, outlives them, and is gone with the Pod", async () => {
    const uid = newPodUid();
    await apply(uid, folderOf("work"));
    const mounts = [mountOf("work", "/scratch")];
    assert.equal((await output("echo kept > /scratch/file", uid, mounts, "first")).exitCode, 0);
    await apply(uid, folderOf("work"));
    const readOnly = [mountOf("work", "/other", { readOnly: true })];
    assert.equal((await output("cat /other/file", uid, readOnly, "second")).text, "kept\n");
    assert.notEqual((await output("echo x > /other/file", uid, readOnly, "third")).exitCode, 0);
    const listed = () => bench.done<readonly string[]>((done) => bench.volumes().list(done));
    assert.ok((await listed()).includes(uid));
    await removeAll(uid);
    assert.ok(!(await listed()).includes(uid));
    await removeAll(uid);
    await apply(uid, folderOf("work"));
    assert.equal((await output("cat /scratch/file", uid, mounts, "last")).text, "");
    await removeAll(uid);
  });

  it("containers of different Pods see different volumes of one name", async () => {
    const [one, other] = [newPodUid(), newPodUid()];
    await apply(one, filesOf("v", { key: "one\n" }));
    await apply(other, filesOf("v", { key: "other\n" }));
    assert.equal((await output("cat /v/key", one, [mountOf("v", "/v")])).text, "one\n");
    assert.equal((await output("cat /v/key", other, [mountOf("v", "/v")])).text, "other\n");
    await removeAll(one);
    assert.equal((await output("cat /v/key", other, [mountOf("v", "/v")])).text, "other\n");
    await removeAll(other);
  });

  it("a volume that the engine keeps outlives its Pods, and is another in each namespace", async () => {
    const name = `data-${newPodUid()}`;
    const volumeOf = (namespace: string) => ({ namespace, name });
    const planOf = (namespace: string): VolumePlan => ({
      kind: "named",
      name: "v",
      volume: volumeOf(namespace),
      group: undefined,
    });
    const mounts = (namespace: string, more: Partial<MountedVolume> = {}) => [
      mountOf("v", "/data", { named: volumeOf(namespace), ...more }),
    ];
    const [one, other, stranger] = [newPodUid(), newPodUid(), newPodUid()];
    await apply(one, planOf("team-a"));
    const asSomebody = { security: { ...plainSecurity, user: "1000" } };
    const id = await bench.run(["sh", "-c", "echo kept > /data/file"], {
      podUid: one,
      mounts: mounts("team-a"),
      ...asSomebody,
    });
    await bench.untilPhase(id, "exited");
    assert.equal((await bench.inspect(id))?.exitCode, 0, "anybody may write to a new one");
    await bench.remove(id);
    await removeAll(one);
    await apply(other, planOf("team-a"));
    assert.equal((await output("cat /data/file", other, mounts("team-a"))).text, "kept\n");
    const readOnly = mounts("team-a", { readOnly: true });
    assert.notEqual((await output("echo x > /data/file", other, readOnly, "reader")).exitCode, 0);
    assert.equal((await output("cat /data", other, mounts("team-a", { subPath: "file" }), "part")).text, "kept\n");
    await apply(stranger, planOf("team-b"));
    assert.equal((await output("cat /data/file", stranger, mounts("team-b"))).text, "");
    for (const uid of [other, stranger]) await removeAll(uid);
  });

  it("tells what is on the disk of a Pod's folders, and nothing of others'", async () => {
    const [uid, none] = [newPodUid(), newPodUid()];
    await apply(uid, folderOf("work"));
    assert.equal((await output("echo some text > /w/file", uid, [mountOf("work", "/w")])).exitCode, 0);
    const usage = (podUid: string) =>
      bench.done<ReadonlyMap<string, DiskUsage>>((done) => bench.volumes().usage(podUid, "fast", done));
    const work = (await usage(uid)).get("work");
    assert.ok(work !== undefined && work.bytes > 0 && work.isComplete, JSON.stringify(work));
    assert.equal(work.inodes, 2);
    assert.equal((await usage(none)).size, 0);
    await removeAll(uid);
  });

  it("tells what is on the disk of containers, running or not, and leaves out those that are gone", async () => {
    const id = await bench.run(["sh", "-c", "echo some words"], {});
    await bench.untilPhase(id, "exited");
    const storage = (ids: readonly string[]) =>
      bench.done<ReadonlyMap<string, ContainerStorage>>((done) => bench.runtime().storage(ids, "fast", done));
    const found = (await storage([id])).get(id);
    assert.ok(found !== undefined && found.writable.isComplete && found.writable.bytes >= 0, JSON.stringify(found));
    await bench.remove(id);
    assert.equal((await storage([id])).size, 0);
  });

  it("refuses parts that lead out, volumes that are not there, and parts of the machine that are not allowed", async () => {
    const uid = newPodUid();
    await apply(uid, folderOf("work"));
    for (const subPath of ["..", "a/../../b", "../../../../etc"])
      await assert.rejects(output("true", uid, [mountOf("work", "/w", { subPath })]), invalid, subPath);
    await assert.rejects(output("true", uid, [mountOf("none", "/w")]), invalid);
    await assert.rejects(apply(uid, { kind: "host", name: "h", path: "/etc", type: "" }), invalid);
    await removeAll(uid);
  });
}
