import assert from "node:assert/strict";
import { parseImageReference, taggedReference } from "../../../src/api/image-reference.js";
import { Images, type ImageResult } from "../../../node-agent/core/images.js";
import {
  bytesToFree,
  imageCollectionDefault,
  OwnImages,
  removableImages,
  type OwnImageBook,
} from "../../../node-agent/core/own-images.js";
import { pullSecrets } from "../../../node-agent/core/registry-credentials.js";
import type { ContainerRuntime, ImageInfo, PullRequest, StoredImage } from "../../../node-agent/core/runtime.js";
import { obligingImage, type FakeImage } from "../../../node-agent/core/fake-program.js";
import { fakeDigest, FakeEngine } from "../../../node-agent/core/fake-engine.js";
import { FakeRuntime } from "../../../node-agent/core/fake-runtime.js";
import type { Secret } from "../../../src/api/kinds/core.js";
import type { Env, Log } from "../../../src/base/env.js";
import { silentLog } from "../../../src/host/log.js";
import { AgentWorld, podOf } from "../agent-world.js";
import { MemoryDisk } from "../memory-disk.js";
import { VirtualWorld } from "../virtual-world.js";

const digest = `sha256:${"a".repeat(64)}`;

describe("image references", () => {
  it("are read as engines read them", () => {
    const read = (text: string) => {
      const { registry, path, tag, digest: hash } = parseImageReference(text) ?? {};
      return [registry, path, tag, hash];
    };
    assert.deepEqual(read("busybox"), ["docker.io", "library/busybox", undefined, undefined]);
    assert.deepEqual(read("team/app:1.2"), ["docker.io", "team/app", "1.2", undefined]);
    assert.deepEqual(read("localhost/app"), ["localhost", "app", undefined, undefined]);
    assert.deepEqual(read("127.0.0.1:5000/a/b:x"), ["127.0.0.1:5000", "a/b", "x", undefined]);
    assert.deepEqual(read(`r.io/a:1@${digest}`), ["r.io", "a", "1", digest]);
    const wrong = [
      "",
      "team/UPPER",
      "a//b",
      "a:",
      "a:b:c",
      "-a",
      "a/b@sha256:12",
      "a b",
      ":1",
      "a".repeat(256),
      digest.slice(7),
    ];
    for (const text of wrong) assert.equal(parseImageReference(text), undefined, text);
  });

  it("have one name each, that of the engine's lists", () => {
    const names = ["busybox", "docker.io/library/busybox", "library/busybox:latest"].map(taggedReference);
    assert.deepEqual(new Set(names), new Set(["busybox:latest"]));
    assert.equal(taggedReference(`r.io:1/a/b:2@${digest}`), `r.io:1/a/b@${digest}`);
    assert.equal(taggedReference("docker.io/team/app"), "team/app:latest");
  });
});

function dockerConfig(name: string, auths: object, type = "kubernetes.io/dockerconfigjson"): Secret {
  const data = { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") };
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "default" }, type, data };
}

describe("imagePullSecrets", () => {
  const find = (image: string, ...secrets: Secret[]) => {
    const names = [...secrets.map(({ metadata }) => metadata.name), "missing"];
    const pod = podOf("a", { imagePullSecrets: names.map((name) => ({ name })) });
    return pullSecrets(pod, image, (namespace, name) =>
      namespace === "default" ? secrets.find(({ metadata }) => metadata.name === name) : undefined,
    );
  };
  const users = (image: string, auths: object) =>
    find(image, dockerConfig("s", auths)).credentials.map(({ username, password }) => `${username}/${password}`);
  const entry = (username: string) => ({ username, password: "p" });

  it("match by host, port, path and wildcard, the most exact first", () => {
    const auths = {
      "r.io": entry("host"),
      "https://r.io/v2/": entry("scheme"),
      "r.io/team": entry("team"),
      "*.io": entry("glob"),
      "r.io:5000": entry("port"),
      "r.i": entry("shorter"),
      "r.io/tea": entry("half"),
    };
    assert.deepEqual(users("r.io/team/app:1", auths), ["scheme/p", "team/p", "host/p", "glob/p"]);
    assert.deepEqual(users("r.io:5000/app", auths), ["port/p"]);
    assert.deepEqual(users("a.r.io/app", auths), []);
    assert.deepEqual(users("busybox", { "https://index.docker.io/v1/": entry("hub") }), ["hub/p"]);
  });

  it("take `auth`, with colons in the password", () => {
    assert.deepEqual(users("r.io/a", { "r.io": { auth: Buffer.from("me:a:b").toString("base64") } }), ["me/a:b"]);
  });

  it("what is wrong with them is told without what is in them", () => {
    const broken = {
      ...dockerConfig("broken", {}),
      data: { ".dockerconfigjson": Buffer.from("{hunter2").toString("base64") },
    };
    const opaque = { ...dockerConfig("opaque", {}), data: { password: "aHVudGVyMg==" } };
    const empty = dockerConfig("empty", { "r.io": { auth: "aHVudGVyMg==" } });
    const { credentials, faults } = find("r.io/a", broken, opaque, empty);
    assert.deepEqual(credentials, []);
    assert.deepEqual(faults, [
      'secret "broken": .dockerconfigjson is not JSON',
      'secret "opaque": it has no .dockerconfigjson; its type must be kubernetes.io/dockerconfigjson',
      'secret "empty": no username and password for r.io',
      'secret "missing" not found',
    ]);
  });
});

/** Pulls that the test answers. */
class HandRuntime {
  readonly pulls: { request: PullRequest; done: (error: Error | null, image: ImageInfo) => void }[] = [];
  images(done: (error: null, images: readonly StoredImage[]) => void): void {
    done(null, []);
  }
  pull(request: PullRequest, done: (error: Error | null, image: ImageInfo) => void): void {
    this.pulls.push({ request, done });
  }
  answer(error: Error | null): void {
    this.pulls.shift()?.done(error, { id: "sha256:1", digests: [], user: "" });
  }
}

describe("pulls", () => {
  const brought: string[] = [];
  const told: string[] = [];
  const world = new VirtualWorld();
  const log: Log = {
    ...silentLog,
    info: (message, fields) => void told.push(JSON.stringify([message, fields])),
    warn: (message, fields) => void told.push(JSON.stringify([message, fields])),
  };
  const open = (max: number) => {
    const runtime = new HandRuntime();
    const ownership = { brought: (_: ImageInfo, reference: string) => void brought.push(reference) };
    const keyedHash = (text: string) => `hash of ${text.length}: ${fakeDigest(text)}`;
    const env = { clock: world.clock, log };
    const engine = runtime as unknown as ContainerRuntime;
    const images = new Images({ env, runtime: engine, ownership, keyedHash, parallelMax: max });
    const results: string[] = [];
    const progress: string[] = [];
    const ensure = (reference: string, passwords: readonly string[] = []): void => {
      const credentials = passwords.map((password) => ({ registry: "r", username: "u", password, identityToken: "" }));
      const request = { reference, policy: "Always" as const, secrets: { credentials, faults: [] } };
      images.ensure(
        request,
        (result: ImageResult) =>
          results.push(`${reference} ${result.status === "failed" ? result.reason : result.status}`),
        (message) => progress.push(message),
      );
    };
    return { runtime, results, ensure, progress };
  };

  it("run a few at once, in the order of asking; the same one is shared", () => {
    const { runtime, results, ensure } = open(2);
    for (const reference of ["a:1", "b:1", "c:1", "a:1"]) ensure(reference);
    assert.deepEqual(
      runtime.pulls.map(({ request }) => request.reference),
      ["a:1", "b:1"],
    );
    runtime.answer(null);
    assert.deepEqual(results, ["a:1 ready", "a:1 ready"]);
    assert.deepEqual(
      runtime.pulls.map(({ request }) => request.reference),
      ["b:1", "c:1"],
    );
  });

  it("try one set of credentials after the other, and tell none of them", () => {
    const { runtime, results, ensure } = open(1);
    ensure("a:1", ["first-pw", "second-pw"]);
    runtime.answer(new Error("unauthorized"));
    assert.equal(runtime.pulls[0]?.request.credentials?.password, "second-pw");
    runtime.answer(null);
    assert.deepEqual(results, ["a:1 ready"]);
    assert.ok(told.length > 0);
    assert.doesNotMatch(told.join(), /-pw/);
  });

  it("tell their progress now and then, to all who wait", () => {
    const { runtime, ensure, progress } = open(1);
    ensure("a:1");
    ensure("a:1");
    const pull = runtime.pulls[0];
    pull?.request.onProgress(1e6, 4e6);
    assert.deepEqual(progress, [], "not at once");
    world.pass(5_000);
    pull?.request.onProgress(2e6, 4e6);
    pull?.request.onProgress(3e6, 4e6);
    const line = 'Pulling image "a:1": 2.0 of 4.0 MB';
    assert.deepEqual(progress, [line, line]);
  });

  it("back off by reference and credentials: a Pod without the right ones keeps no other from pulling", () => {
    const { runtime, results, ensure } = open(1);
    ensure("a:1", ["wrong"]);
    runtime.answer(new Error("unauthorized"));
    ensure("a:1", ["wrong"]);
    assert.equal(runtime.pulls.length, 0, "in its pause");
    ensure("a:1", ["right"]);
    runtime.answer(null);
    world.pass(10_000);
    ensure("a:1", ["wrong"]);
    assert.equal(runtime.pulls.length, 1, "after its pause");
    assert.deepEqual(results, ["a:1 ErrImagePull", "a:1 ErrImagePull", "a:1 ready"]);
  });

  it("a name that no engine takes is InvalidImageName, and nothing is pulled", () => {
    const agent = new AgentWorld({}, () => assert.fail("a pull"));
    agent.boot();
    agent.connect();
    agent.assign(podOf("a", { containers: [{ name: "main", image: "Not/A Name" }] }));
    agent.world.until("told", () => agent.statuses.has("uid-a"));
    agent.world.pass(1_000);
    const waiting = agent.status("a").containerStatuses?.[0]?.state?.waiting;
    assert.equal(waiting?.reason, "InvalidImageName");
    assert.match(waiting?.message ?? "", /Not\/A Name/);
  });

  it("a Pod's Secret goes to the registry and not into its status", () => {
    const seen: (string | undefined)[] = [];
    const agent = new AgentWorld({}, (_, credentials) => {
      seen.push(credentials?.password);
      return credentials?.password === "hunter2" ? obligingImage : "unauthorized";
    });
    agent.boot();
    agent.connect();
    const containers = [{ name: "main", image: "r.io/a:1" }];
    const secret = (password: string) => dockerConfig("pull", { "r.io": { username: "u", password } });
    const pod = podOf("a", { containers, imagePullSecrets: [{ name: "pull" }] });
    agent.assignWith(pod, [secret("hunter1")]);
    agent.world.until("refused", () => agent.statuses.has("uid-a") && /unauth/.test(JSON.stringify(agent.status("a"))));
    agent.assignWith(pod, [secret("hunter2")]);
    agent.world.until("runs", () => agent.ready("a"));
    assert.deepEqual(seen, ["hunter1", "hunter2"]);
    assert.doesNotMatch(JSON.stringify(agent.batches), /hunter/);
  });
});

describe("image collection", () => {
  const stored = (id: string, more: Partial<StoredImage> = {}): StoredImage => ({
    id,
    tags: [`${id}:1`],
    digests: [],
    sizeBytes: 10,
    inUse: false,
    ...more,
  });
  const own = (usedAt: number, broughtAt = 0): OwnImageBook[string] => ({ references: [], broughtAt, usedAt });

  it("begins at the high threshold and frees down to the low one", () => {
    const at = (percent: number) =>
      bytesToFree({ capacityBytes: 1_000, availableBytes: 1_000 - 10 * percent }, imageCollectionDefault);
    assert.deepEqual(
      [84, 85, 90, 100].map((percent) => Math.round(at(percent))),
      [0, 50, 100, 200],
    );
    assert.equal(bytesToFree({ capacityBytes: 0, availableBytes: 0 }, imageCollectionDefault), 0);
  });

  it("takes the least recently used first, and never what is used, wanted, young or not its own", () => {
    const images = [
      stored("late"),
      stored("foreign"),
      stored("early"),
      stored("used", { inUse: true }),
      stored("wanted"),
      stored("young"),
      stored("middle"),
    ];
    const book = {
      late: own(300),
      early: own(100),
      middle: own(200),
      used: own(1),
      wanted: own(1),
      young: own(1, 950),
    };
    const order = removableImages(images, book, new Set(["wanted:1"]), { ageMsMin: 100 }, 1_000);
    assert.deepEqual(
      order.map(({ id }) => id),
      ["early", "middle", "late"],
    );
  });

  it("removes from the engine what is needed and no more; what others named or brought stays; a restart forgets nothing", () => {
    const world = new VirtualWorld();
    const { clock, timers } = world;
    const disk = new MemoryDisk();
    const image = (id: string): FakeImage => ({ ...obligingImage, id });
    const engine = new FakeEngine({
      clock,
      timers,
      images: { "by-hand:1": image("x") },
      registry: (name) => image(name),
    });
    const runtime = new FakeRuntime(engine, { clusterId: "c", node: "n" });
    const env: Env = {
      clock,
      timers,
      random: { next: () => 0.5, int: () => 0, bytes: (length) => new Uint8Array(length) },
      disk: disk.open(timers),
      log: silentLog,
      failpoint: () => undefined,
    };
    const open = (): OwnImages => {
      const images = new OwnImages(env, runtime, () => new Set(["wanted:1"]));
      const started: { error?: Error | null } = {};
      images.start((error) => (started.error = error));
      world.until("started", () => started.error !== undefined);
      return images;
    };
    const images = open();
    for (const name of ["a:1", "b:1", "shared:1", "wanted:1", "c:1"]) {
      engine.images.set(name, image(name));
      images.brought({ id: name, digests: [], user: "" }, name, new Set());
      world.pass(1_000);
    }
    engine.images.set("other-name:1", image("shared:1"));
    images.brought({ id: "x", digests: [], user: "" }, "by-hand:1", new Set(["x"]));
    images.close();
    const again = open();
    const collect = (): void => {
      const ended: { error?: Error | null } = {};
      again.collect((error) => (ended.error = error));
      world.until("collected", () => ended.error !== undefined);
      assert.equal(ended.error, null);
    };
    const left = () => [...engine.images.keys()].sort();
    engine.imageDisk = { capacityBytes: 1_000e6, availableBytes: 140e6 };
    collect();
    assert.equal(left().length, 7, "all are young yet");
    world.pass(120_000);
    collect();
    assert.deepEqual(left(), ["by-hand:1", "other-name:1", "shared:1", "wanted:1"]);
    assert.deepEqual(Object.keys(again.book).sort(), ["shared:1", "wanted:1"]);
    again.close();
  });
});
