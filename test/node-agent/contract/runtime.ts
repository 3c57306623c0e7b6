import assert from "node:assert/strict";
import { IkadaError } from "../../../src/base/errors.js";
import { alterationsContract, type ByHand } from "./alterations.js";
import { volumesContract } from "./volumes.js";
import { settingsContract } from "./settings.js";
import { completionsOf, newPodUid, plainSandbox, plainSpec } from "./workbench.js";
import type { VolumeHost } from "../../../node-agent/core/volume-host.js";
import type {
  ContainerEvent,
  ContainerInfo,
  ContainerRuntime,
  ContainerSpec,
  ImageInfo,
  LogRequest,
} from "../../../node-agent/core/runtime.js";

/** What the contract suite needs of a runtime under test. */
export interface RuntimeHarness {
  readonly runtime: ContainerRuntime;
  /** Of the machine under both; it allows no hostPath. */
  readonly volumes: VolumeHost;
  /** Another owner's view of the same engine. */
  readonly stranger: ContainerRuntime;
  /** A shell image that is there. */
  readonly image: string;
  /** Lets time go on until `condition` holds; throws when it takes too long. */
  until(what: string, condition: () => boolean): Promise<void>;
  pause(durationMs: number): Promise<void>;
  /** Makes by hand a container of the first owner with the labels of this one and another name; gives its id. */
  impostor(containerId: string): Promise<string>;
  /** Does to a container of this owner what people do by hand. */
  alter(containerId: string, how: ByHand): Promise<void>;
  /** Removes all containers of both owners. */
  close(): Promise<void>;
}

/** What every `ContainerRuntime` must do. Call inside `describe`. */
export function runtimeContract(open: () => Promise<RuntimeHarness>): void {
  let harness: RuntimeHarness;

  before(async () => {
    harness = await open();
  });
  after(() => harness.close());

  const { done, finish } = completionsOf((what, condition) => harness.until(what, condition));

  const inspect = (id: string): Promise<ContainerInfo | undefined> =>
    done((callback) => harness.runtime.inspect(id, callback));
  async function phase(id: string): Promise<string> {
    return (await inspect(id))?.phase ?? "gone";
  }
  async function untilPhase(id: string, wanted: string): Promise<void> {
    for (let tries = 0; (await phase(id)) !== wanted; tries++) {
      assert.ok(tries < 1000, `${id} is ${await phase(id)}, not ${wanted}`);
      await harness.pause(20);
    }
  }

  function specOf(pod: string, command: readonly string[], more: Partial<ContainerSpec> = {}): ContainerSpec {
    return plainSpec({ image: harness.image, podUid: pod, podName: "contract", command }, more);
  }
  const create = (spec: ContainerSpec): Promise<string> => done((callback) => harness.runtime.create(spec, callback));
  const start = (id: string): Promise<void> => finish((callback) => harness.runtime.start(id, callback));
  const stop = (id: string, graceMs: number): Promise<void> =>
    finish((callback) => harness.runtime.stop(id, graceMs, callback));
  const remove = (id: string): Promise<void> => finish((callback) => harness.runtime.remove(id, callback));
  async function run(command: readonly string[], more: Partial<ContainerSpec> = {}): Promise<string> {
    const id = await create(specOf(newPodUid(), command, more));
    await start(id);
    return id;
  }
  const sandboxSpec = async (): Promise<ContainerSpec> => {
    const image = await done<string>((callback) => harness.runtime.ensureSandboxImage(callback));
    return specOf(newPodUid(), [], { role: "sandbox", containerName: "", image, sandbox: plainSandbox });
  };
  async function logs(request: Partial<LogRequest> & { containerId: string }): Promise<Record<string, string>> {
    const read: Record<string, string> = { stdout: "", stderr: "" };
    const end: { error?: Error | null } = {};
    harness.runtime.logs(
      { follow: false, tailLines: -1, sinceMs: 0, timestamps: false, ...request },
      {
        onData: (stream, bytes) => {
          read[stream] += new TextDecoder().decode(bytes);
          return true;
        },
        onEnd: (error) => (end.error = error),
        onResume: undefined,
      },
    );
    await harness.until("end of the logs", () => end.error !== undefined);
    if (end.error) throw end.error;
    return read;
  }
  const refused = (reason: string) => (error: unknown) => {
    assert.ok(error instanceof IkadaError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  };

  it("keeps what a container was made of, through its life", async () => {
    const spec = specOf(newPodUid(), ["sh", "-c", "sleep 0.3; exit 3"], { attempt: 4, specHash: "abc" });
    const id = await create(spec);
    const created = await inspect(id);
    assert.ok(created);
    assert.deepEqual(
      [created.phase, created.startedAt, created.finishedAt, created.exitCode],
      ["created", undefined, undefined, undefined],
    );
    await start(id);
    await untilPhase(id, "exited");
    const exited = await inspect(id);
    assert.ok(exited);
    const { podUid: pod, podNamespace, podName, containerName, role, attempt, specHash } = exited;
    assert.deepEqual(
      { pod, podNamespace, podName, containerName, role, attempt, specHash },
      {
        pod: spec.podUid,
        podNamespace: "default",
        podName: "contract",
        containerName: "main",
        role: "container",
        attempt: 4,
        specHash: "abc",
      },
    );
    assert.equal(exited.exitCode, 3);
    assert.equal(exited.oomKilled, false);
    assert.ok((exited.finishedAt ?? 0) > (exited.startedAt ?? Infinity));
    const listed = await done<readonly ContainerInfo[]>((callback) => harness.runtime.list(callback));
    assert.deepEqual(
      listed.find((info) => info.id === id),
      exited,
    );
  });

  it("answers", () => finish((callback) => harness.runtime.ping(callback)));

  it("gives the same id for a repeated create, and refuses another spec under the name", async () => {
    const spec = specOf(newPodUid(), ["sleep", "60"]);
    const id = await create(spec);
    assert.equal(await create(spec), id);
    await assert.rejects(create({ ...spec, specHash: "h2" }), refused("Conflict"));
    await remove(id);
    assert.notEqual(await create(spec), id);
  });

  it("knows images, and refuses to create without one", async () => {
    const known = await done<ImageInfo | undefined>((callback) => harness.runtime.image(harness.image, callback));
    assert.ok(known);
    const missing = "ikada-test/none:1";
    assert.equal(await done((callback) => harness.runtime.image(missing, callback)), undefined);
    await assert.rejects(create(specOf(newPodUid(), ["true"], { image: missing })), refused("NotFound"));
  });

  it("starting twice is harmless; what can't be executed is Invalid and stays created", async () => {
    const id = await run(["sleep", "60"]);
    await start(id);
    const wrong = await create(specOf(newPodUid(), ["no-such-command"]));
    await assert.rejects(start(wrong), refused("Invalid"));
    assert.equal(await phase(wrong), "created");
    await remove(wrong);
    await assert.rejects(start(wrong), refused("NotFound"));
  });

  it("stop: SIGTERM first, SIGKILL after the grace, at once without one", async () => {
    const polite = await run(["sh", "-c", "trap 'exit 7' TERM; sleep 60 & wait"]);
    const deaf = await run(["sleep", "60"]);
    const killed = await run(["sleep", "60"]);
    // The shell needs a moment to set its trap.
    await harness.pause(300);
    await Promise.all([stop(polite, 20_000), stop(deaf, 1_000), stop(killed, 0)]);
    const codes = [await inspect(polite), await inspect(deaf), await inspect(killed)].map((info) => info?.exitCode);
    assert.deepEqual(codes, [7, 137, 137]);
    await stop(polite, 1_000);
    await remove(polite);
    await stop(polite, 1_000);
  });

  it("remove kills, and removing what is gone is no error", async () => {
    const id = await run(["sleep", "60"]);
    await remove(id);
    assert.equal(await inspect(id), undefined);
    await remove(id);
  });

  it("a sandbox has an address and containers join it", async () => {
    const spec = await sandboxSpec();
    const sandboxId = await create(spec);
    const joined = { podUid: spec.podUid, sandboxId };
    const early = await create(specOf(spec.podUid, ["sleep", "60"], { ...joined, containerName: "early" }));
    await assert.rejects(start(early), "no network to join yet");
    await start(sandboxId);
    assert.match((await inspect(sandboxId))?.ip ?? "", /^\d+\.\d+\.\d+\.\d+$/);
    const id = await create(specOf(spec.podUid, ["sleep", "60"], joined));
    await start(id);
    assert.equal((await inspect(id))?.ip, undefined);
    await stop(sandboxId, 0);
    assert.equal((await inspect(sandboxId))?.ip, undefined);
  });

  it("a sandbox ends on SIGTERM", async () => {
    const id = await create(await sandboxSpec());
    await start(id);
    await stop(id, 30_000);
    assert.equal((await inspect(id))?.exitCode, 0, "137 would be a SIGKILL");
  });

  it("exec gives exit code and bounded output, and ends in time", async () => {
    const id = await run(["sleep", "60"]);
    const exec = (command: readonly string[], timeoutMs = 20_000) =>
      done<{ exitCode: number; output: string }>((callback) =>
        harness.runtime.exec({ containerId: id, command, timeoutMs, outputBytesMax: 8 }, callback),
      );
    assert.deepEqual(await exec(["sh", "-c", "echo one; exit 4"]), { exitCode: 4, output: "one\n" });
    assert.deepEqual(await exec(["echo", "0123456789"]), { exitCode: 0, output: "01234567" });
    assert.ok((await exec(["no-such-command"])).exitCode >= 126);
    await assert.rejects(exec(["sleep", "60"], 500), refused("Deadline"));
    await stop(id, 0);
    await assert.rejects(exec(["true"]), refused("Conflict"));
  });

  it("logs: both streams, a tail, after the exit; following ends with the container", async () => {
    const id = await run(["sh", "-c", "echo one; echo two >&2; sleep 0.2; echo three"]);
    assert.deepEqual(await logs({ containerId: id, follow: true }), { stdout: "one\nthree\n", stderr: "two\n" });
    await untilPhase(id, "exited");
    assert.deepEqual(await logs({ containerId: id, tailLines: 1 }), { stdout: "three\n", stderr: "" });
    await remove(id);
    await assert.rejects(logs({ containerId: id }), refused("NotFound"));
  });

  it("logs pause when the reader is full", async () => {
    const id = await run(["sh", "-c", "echo one; echo two; sleep 60"]);
    let read = "";
    const sink = {
      onData: (_: string, bytes: Uint8Array) => {
        read += new TextDecoder().decode(bytes);
        return false;
      },
      onEnd: () => assert.fail("the container runs"),
      onResume: undefined as (() => void) | undefined,
    };
    const reader = harness.runtime.logs(
      { containerId: id, follow: true, tailLines: -1, sinceMs: 0, timestamps: false },
      sink,
    );
    await harness.until("first line", () => read.startsWith("one\n"));
    sink.onResume?.();
    await harness.until("second line", () => read === "one\ntwo\n");
    reader.close();
  });

  it("tells events of own containers in order, after it said that it is open", async () => {
    const seen: string[] = [];
    const ids = new Set<string>();
    const events = harness.runtime.events({
      onOpen: () => seen.push("open"),
      onEvent: (event: ContainerEvent) => {
        const isOwn = ids.has(event.containerId) || event.type === "create";
        if (isOwn && event.type !== "network") seen.push(event.type);
      },
      onLost: (error) => seen.push(error.message),
    });
    await harness.until("open", () => seen.length > 0);
    const id = await create(specOf(newPodUid(), ["sh", "-c", "exit 1"]));
    ids.add(id);
    await start(id);
    await harness.until("die", () => seen.includes("die"));
    await remove(id);
    await harness.until("destroy", () => seen.includes("destroy"));
    events.close();
    assert.deepEqual(seen, ["open", "create", "start", "die", "destroy"]);
  });

  it("sees and touches nothing of another owner", async () => {
    const spec = specOf(newPodUid(), ["sleep", "60"]);
    const foreign = await done<string>((callback) => harness.stranger.create(spec, callback));
    await finish((callback) => harness.stranger.start(foreign, callback));
    const listed = await done<readonly ContainerInfo[]>((callback) => harness.runtime.list(callback));
    assert.ok(!listed.some((info) => info.id === foreign));
    assert.equal(await inspect(foreign), undefined);
    await stop(foreign, 0);
    await remove(foreign);
    await assert.rejects(start(foreign), refused("NotFound"));
    await assert.rejects(logs({ containerId: foreign }), refused("NotFound"));
    const still = await done<ContainerInfo | undefined>((callback) => harness.stranger.inspect(foreign, callback));
    assert.equal(still?.phase, "running");
    assert.notEqual(await create(spec), foreign, "the same Pod under another owner is another container");
  });

  alterationsContract({
    runtime: () => harness.runtime,
    alter: (id, how) => harness.alter(id, how),
    until: (what, condition) => harness.until(what, condition),
    run,
    create,
    start,
    stop,
    remove,
    sandboxSpec,
    inspect,
    finish,
  });

  volumesContract({
    volumes: () => harness.volumes,
    runtime: () => harness.runtime,
    create,
    start,
    remove,
    run,
    untilPhase,
    finish,
    done,
    printed: async (id) => (await logs({ containerId: id }))["stdout"] ?? "",
    inspect,
  });

  settingsContract({
    inspect,
    create,
    start,
    stop,
    remove,
    run,
    sandboxSpec,
    untilPhase,
    printed: async (id) => (await logs({ containerId: id }))["stdout"] ?? "",
    pause: (durationMs) => harness.pause(durationMs),
    impostor: (id) => harness.impostor(id),
  });
}
