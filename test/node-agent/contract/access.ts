import assert from "node:assert/strict";
import { IkadaError } from "../../../src/base/errors.js";
import { TarReader } from "../../../src/base/tar-reader.js";
import { tarEnd, tarHeader, tarPadding } from "../../../src/base/tar-writer.js";
import type {
  ContainerStream,
  ContainerUsage,
  ExecStreamRequest,
  StreamSink,
} from "../../../node-agent/core/access.js";
import type { ContainerInfo, ContainerSpec, ExecResult } from "../../../node-agent/core/runtime.js";
import type { RuntimeHarness } from "./runtime.js";
import { completionsOf, newPodUid, plainSandbox, plainSpec } from "./workbench.js";

const keptBytesMax = 512 * 1024;

/** A sink that writes down what comes. */
class Recorder implements StreamSink {
  opened = 0;
  drains = 0;
  stdout = "";
  stderr = "";
  bytes: Uint8Array[] = [];
  size = 0;
  error: Error | null | undefined;
  exitCode: number | undefined;
  onResume: (() => void) | undefined = undefined;
  /** Whether there is room for more. */
  hasRoom = true;

  onOpen(): void {
    assert.equal(this.error, undefined, "an end is the last");
    assert.equal(this.size, 0, "it opens before any data");
    this.opened += 1;
  }

  onData(stream: "stdout" | "stderr", bytes: Uint8Array): boolean {
    assert.equal(this.error, undefined, "an end is the last");
    this.size += bytes.length;
    // A flood is only counted.
    if (this.size > keptBytesMax) return this.hasRoom;
    this[stream] += new TextDecoder().decode(bytes);
    this.bytes.push(bytes.slice());
    return this.hasRoom;
  }

  onDrain(): void {
    this.drains += 1;
  }

  onEnd(error: Error | null, exitCode?: number): void {
    assert.equal(this.error, undefined, "an end comes once");
    this.error = error;
    this.exitCode = exitCode;
  }
}

/** What the ways into containers must do, on every runtime. The harness's image has `httpd`, and a container that runs it answers on port 8080. */
export function accessContract(open: () => Promise<RuntimeHarness>): void {
  let harness: RuntimeHarness;
  before(async () => {
    harness = await open();
  });
  after(() => harness.close());

  const { done, finish } = completionsOf((what, condition) => harness.until(what, condition));
  async function run(command: readonly string[], more: Partial<ContainerSpec> = {}): Promise<string> {
    const identity = { image: harness.image, podUid: newPodUid(), podName: "access", command };
    const spec = plainSpec(identity, more);
    const id = await done<string>((callback) => harness.runtime.create(spec, callback));
    await finish((callback) => harness.runtime.start(id, callback));
    return id;
  }
  const stop = (id: string): Promise<void> => finish((callback) => harness.runtime.stop(id, 0, callback));
  const remove = (id: string): Promise<void> => finish((callback) => harness.runtime.remove(id, callback));
  const sleeper = (): Promise<string> => run(["sleep", "300"]);

  function exec(request: Partial<ExecStreamRequest> & Pick<ExecStreamRequest, "containerId" | "command">): {
    sink: Recorder;
    stream: ContainerStream;
  } {
    const sink = new Recorder();
    const whole = { stdin: false, tty: false, size: undefined, ...request };
    return { sink, stream: harness.runtime.openExec(whole, sink) };
  }
  const ended = async (sink: Recorder): Promise<void> => {
    await harness.until("the end of a stream", () => sink.error !== undefined);
    if (sink.error) throw sink.error;
  };
  const opened = (sink: Recorder): Promise<void> =>
    harness.until("a stream", () => sink.opened > 0 || sink.error !== undefined);
  const refused = (reason: string) => (error: unknown) => {
    assert.ok(error instanceof IkadaError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const runs = async (id: string, applet: string): Promise<boolean> => {
    const command = ["sh", "-c", `busybox ps | busybox grep -q '[b]usybox ${applet}'`];
    const request = { containerId: id, command, timeoutMs: 20_000, outputBytesMax: 100 };
    return (await done<ExecResult>((callback) => harness.runtime.exec(request, callback))).exitCode === 0;
  };

  it("exec keeps stdout and stderr apart, and tells the exit code", async () => {
    const id = await sleeper();
    const { sink } = exec({ containerId: id, command: ["sh", "-c", "echo one; echo two >&2; exit 4"] });
    assert.equal(sink.opened, 0, "nothing is called before the call has returned");
    await ended(sink);
    assert.deepEqual([sink.opened, sink.stdout, sink.stderr, sink.exitCode], [1, "one\n", "two\n", 4]);
    const missing = exec({ containerId: id, command: ["no-such-command"] });
    await ended(missing.sink);
    assert.ok((missing.sink.exitCode ?? 0) >= 126);
  });

  it("exec gives input, and its end, to the command", async () => {
    const id = await sleeper();
    const { sink, stream } = exec({ containerId: id, command: ["cat"], stdin: true });
    await opened(sink);
    stream.write(text("hel"));
    stream.write(text("lo"));
    await harness.until("the echo", () => sink.stdout === "hello");
    stream.end();
    await ended(sink);
    assert.deepEqual([sink.stdout, sink.exitCode], ["hello", 0]);
  });

  it("exec ends with its command though input is still open", async () => {
    const id = await sleeper();
    const { sink } = exec({ containerId: id, command: ["sh", "-c", "exit 3"], stdin: true });
    await ended(sink);
    assert.equal(sink.exitCode, 3);
  });

  it("exec in a terminal: one output, and the size that it was given and that it gets", async () => {
    const id = await sleeper();
    const first = exec({
      containerId: id,
      command: ["sh", "-c", "echo one; echo two >&2; sleep 1; busybox stty size"],
      tty: true,
      size: { columns: 91, rows: 23 },
    });
    await ended(first.sink);
    assert.deepEqual([first.sink.stdout, first.sink.stderr], ["one\r\ntwo\r\n23 91\r\n", ""]);
    const second = exec({ containerId: id, command: ["sh", "-c", "echo one; sleep 1; busybox stty size"], tty: true });
    await harness.until("its first line", () => second.sink.stdout.startsWith("one"));
    second.stream.resize({ columns: 10, rows: 5 });
    second.stream.resize({ columns: 77, rows: 33 });
    await ended(second.sink);
    assert.equal(second.sink.stdout, "one\r\n33 77\r\n");
  });

  it("a command that writes without end waits for its reader, and is killed when that goes", async () => {
    const id = await sleeper();
    const { sink, stream } = exec({ containerId: id, command: ["busybox", "yes"] });
    sink.hasRoom = false;
    await harness.until("first data", () => sink.size > 0);
    await harness.pause(300);
    const before = sink.size;
    assert.ok(before <= 256 * 1024, `${before} bytes came to a reader that is full`);
    sink.hasRoom = true;
    sink.onResume?.();
    await harness.until("a megabyte", () => sink.size > 2 ** 20);
    assert.ok(await runs(id, "yes"));
    stream.close();
    const last = sink.size;
    for (let tries = 0; await runs(id, "yes"); tries += 1) {
      assert.ok(tries < 100, "the command runs on");
      await harness.pause(20);
    }
    assert.deepEqual([sink.size, sink.error], [last, undefined], "nothing comes after close");
  });

  it("exec ends with its container; none begins where none runs", async () => {
    const id = await sleeper();
    const { sink } = exec({ containerId: id, command: ["sh", "-c", "echo begun; sleep 300"] });
    await harness.until("the command runs", () => sink.stdout === "begun\n");
    await stop(id);
    await ended(sink);
    assert.equal(sink.exitCode, 137);
    await assert.rejects(ended(exec({ containerId: id, command: ["true"] }).sink), refused("Conflict"));
    await remove(id);
    await assert.rejects(ended(exec({ containerId: id, command: ["true"] }).sink), refused("NotFound"));
  });

  it("attach ends with the container and its exit code; closing it leaves that running", async () => {
    const id = await run(["sh", "-c", "sleep 2; exit 5"]);
    const [left, kept] = [new Recorder(), new Recorder()];
    const leaving = harness.runtime.attach({ containerId: id, stdin: false, size: undefined }, left);
    harness.runtime.attach({ containerId: id, stdin: false, size: undefined }, kept);
    await opened(left);
    leaving.close();
    await ended(kept);
    assert.deepEqual([kept.exitCode, left.error], [5, undefined]);
    const late = new Recorder();
    harness.runtime.attach({ containerId: id, stdin: false, size: undefined }, late);
    await assert.rejects(ended(late), refused("Conflict"));
  });

  it("connects to what listens on localhost inside the Pod", async () => {
    const pod = newPodUid();
    const image = await done<string>((callback) => harness.runtime.ensureSandboxImage(callback));
    const common = { podUid: pod };
    const sandboxId = await run([], { ...common, role: "sandbox", containerName: "", image, sandbox: plainSandbox });
    const connect = (port: number): { sink: Recorder; stream: ContainerStream } => {
      const sink = new Recorder();
      return { sink, stream: harness.runtime.connect({ sandboxId, port }, sink) };
    };
    const early = connect(8080);
    await assert.rejects(ended(early.sink), refused("Unavailable"));
    await run(["httpd", "-f", "-p", "127.0.0.1:8080"], { ...common, sandboxId });
    await harness.pause(500);
    const answers = [1, 2, 3].map(async () => {
      const { sink, stream } = connect(8080);
      await opened(sink);
      stream.write(text("GET /nothing HTTP/1.0\r\n\r\n"));
      await ended(sink);
      return sink.stdout.split("\r\n")[0];
    });
    for (const answer of await Promise.all(answers)) assert.match(answer ?? "", /^HTTP\/1\.[01] 404 /);
    await assert.rejects(ended(connect(8081).sink), refused("Unavailable"));
    await stop(sandboxId);
    await assert.rejects(ended(connect(8080).sink), refused("Conflict"));
  });

  function tarOf(files: Readonly<Record<string, string>>): Uint8Array[] {
    return [
      ...Object.entries(files).flatMap(([path, content]) => {
        const bytes = text(content);
        const header = tarHeader({ type: "file", path, mode: 0o644, sizeBytes: bytes.length, mtime: 1_700_000_000 });
        return [header, bytes, tarPadding(bytes.length)];
      }),
      tarEnd(),
    ];
  }
  function filesOf(archive: readonly Uint8Array[]): Record<string, string> {
    const reader = new TarReader();
    const files: Record<string, string> = {};
    let at = "";
    for (const chunk of archive) {
      for (const event of reader.push(chunk)) {
        if (event.kind === "entry") {
          at = event.entry.type === "file" ? event.entry.path : "";
          if (at !== "") files[at] = "";
        } else if (event.kind === "data") files[at] += new TextDecoder().decode(event.bytes);
      }
    }
    return files;
  }
  async function write(containerId: string, path: string, pieces: readonly Uint8Array[]): Promise<void> {
    const sink = new Recorder();
    const stream = harness.runtime.writeArchive({ containerId, path }, sink);
    await opened(sink);
    if (sink.error) throw sink.error;
    for (const piece of pieces) stream.write(piece);
    stream.end();
    await ended(sink);
  }
  async function read(containerId: string, path: string): Promise<Record<string, string>> {
    const sink = new Recorder();
    harness.runtime.readArchive({ containerId, path }, sink);
    await ended(sink);
    return filesOf(sink.bytes);
  }

  it("copies files and folders in and out, into folders or under a new name", async () => {
    const id = await sleeper();
    await write(id, "/", tarOf({ "one.txt": "one" }));
    assert.deepEqual(await read(id, "/one.txt"), { "one.txt": "one" });
    await write(id, "/two.txt", tarOf({ "one.txt": "two" }));
    assert.deepEqual(await read(id, "/two.txt"), { "two.txt": "two" });
    const folder = tarHeader({ type: "folder", path: "from", mode: 0o755, sizeBytes: 0, mtime: 0 });
    await write(id, "/to", [folder, ...tarOf({ "from/a": "A", "from/b": "B" })]);
    assert.deepEqual(await read(id, "/to"), { "to/a": "A", "to/b": "B" });
    await write(id, "/to", tarOf({ c: "C" }));
    assert.deepEqual(await read(id, "/to/c"), { c: "C" });
    await assert.rejects(read(id, "/nothing"), refused("NotFound"));
    await assert.rejects(write(id, "/no/such/folder", tarOf({ a: "A" })), refused("NotFound"));
    await stop(id);
    assert.deepEqual(await read(id, "/two.txt"), { "two.txt": "two" }, "also when it has ended");
  });

  it("takes no archive that leads out, or that is broken off", async () => {
    const id = await sleeper();
    await assert.rejects(write(id, "/", tarOf({ "../up": "x" })), refused("BadRequest"));
    await assert.rejects(write(id, "/", tarOf({ "/absolute": "x" })), refused("BadRequest"));
    const [header] = tarOf({ cut: "content" });
    await assert.rejects(write(id, "/", [header!]), refused("BadRequest"));
  });

  it("keeps nobody from listing and stopping a container that its files are copied from, though nobody reads them", async () => {
    const id = await sleeper();
    await write(id, "/", tarOf({ large: "x".repeat(8 * 2 ** 20) }));
    const inspect = (): Promise<ContainerInfo | undefined> => done((callback) => harness.runtime.inspect(id, callback));
    // As the agent does when it has started.
    await inspect();
    const sink = new Recorder();
    sink.hasRoom = false;
    harness.runtime.readArchive({ containerId: id, path: "/large" }, sink);
    await harness.until("the copy has begun", () => sink.size > 0);
    const listed = await done<readonly ContainerInfo[]>((callback) => harness.runtime.list(callback));
    assert.equal(listed.find((info) => info.id === id)?.phase, "running");
    await stop(id);
    assert.equal((await inspect())?.phase, "exited");
    await harness.until("the end of the copy", () => sink.error !== undefined);
  });

  it("tells what containers use that run", async () => {
    const [id, other] = [await sleeper(), await sleeper()];
    await stop(other);
    const usage = (): Promise<ReadonlyMap<string, ContainerUsage>> =>
      done((callback) => harness.runtime.usage([id, other], callback));
    const first = await usage();
    assert.deepEqual([...first.keys()], [id]);
    assert.ok((first.get(id)?.memoryBytes ?? 0) > 0);
    await harness.pause(50);
    const second = await usage();
    assert.ok((second.get(id)?.cpuNanos ?? -1) >= (first.get(id)?.cpuNanos ?? 0));
    assert.ok((second.get(id)?.atMs ?? 0) > (first.get(id)?.atMs ?? 0));
  });

  it("opens nothing of another owner", async () => {
    const id = await sleeper();
    const sinks = [1, 2, 3, 4, 5].map(() => new Recorder());
    const [a, b, c, d, e] = sinks as [Recorder, Recorder, Recorder, Recorder, Recorder];
    const { stranger } = harness;
    stranger.openExec({ containerId: id, command: ["true"], stdin: false, tty: false, size: undefined }, a);
    stranger.attach({ containerId: id, stdin: false, size: undefined }, b);
    stranger.connect({ sandboxId: id, port: 80 }, c);
    stranger.readArchive({ containerId: id, path: "/" }, d);
    stranger.writeArchive({ containerId: id, path: "/" }, e);
    for (const sink of sinks) await assert.rejects(ended(sink), refused("NotFound"));
  });
}
