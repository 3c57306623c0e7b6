import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer, connect, type AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import type { ikada } from "#proto/agent.js";
import { FakeAgent, type AgentStream } from "../server/agents/fake-agent.js";
import { eventually } from "../server/harness.js";
import { pod } from "../server/objects.js";
import { ClusterCli } from "./cluster-cli.js";

type Open = ikada.agent.v1.IOpenStream;
type Frame = ikada.agent.v1.IStreamFrame;

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("ikada exec, attach and port-forward", function () {
  // Each command is a process of its own, and takes a second on a busy machine.
  this.timeout(60_000);
  let cli: ClusterCli;
  let agent: FakeAgent;
  let serve: (open: Open, stream: AgentStream) => void;
  before(async () => {
    cli = await ClusterCli.start();
    await cli.cluster.seed(pod("web", "worker"));
    const identity = await cli.cluster.identity("node", "worker");
    agent = new FakeAgent(cli.cluster.client("agents", 1, identity), "worker");
    agent.onOpen = (open) => serve(open, agent.openStream(open.streamId ?? ""));
    await eventually(() => agent.welcome);
  });
  after(async () => {
    agent.close();
    await cli.close();
  });

  /** Gives input back, ends with 5 at a `q` and with 6 at the end of input. */
  function echo({ exec, attach }: Open, stream: AgentStream): void {
    const end = (exitCode: number): void => {
      stream.write({ end: true, exitCode });
      stream.end();
    };
    stream.write({ opened: true });
    stream.write({ data: bytes(`${JSON.stringify(exec ?? attach)}\n`), isStderr: !exec?.tty });
    stream.on("data", ({ data, end: isEnd }: Frame) => {
      const text = new TextDecoder().decode(data ?? undefined);
      if (text !== "") stream.write({ data: bytes(JSON.stringify(text)) });
      if (text.includes("q")) end(5);
      else if (isEnd) end(6);
    });
  }

  it("passes input, both outputs and the exit code on", async () => {
    serve = echo;
    const { code, out, err } = await cli.run(["exec", "-i", "pod/web", "-c", "main", "--", "sh", "-c", "x -y"], {
      input: "abc",
    });
    assert.deepEqual([code, out], [6, '"abc"']);
    assert.deepEqual(JSON.parse(err), {
      podUid: "uid-web",
      container: "main",
      command: ["sh", "-c", "x -y"],
      stdin: true,
    });
  });

  it("without -i waits for no input, and says that there is no terminal where there is none", async () => {
    serve = (_open, stream) => {
      stream.write({ opened: true });
      stream.write({ end: true, exitCode: 0 });
      stream.end();
    };
    assert.deepEqual(await cli.run("exec web -- true"), { code: 0, out: "", err: "" });
    const { code, err } = await cli.run("exec -it web -- sh");
    assert.deepEqual([code, /no terminal/.test(err)], [0, true]);
  });

  it("says what is refused, and ends with 1", async () => {
    serve = (_open, stream) => {
      stream.write({ end: true, error: "it is not running", reason: "Conflict", hint: "start it" });
      stream.end();
    };
    const { code, err } = await cli.run("attach web");
    assert.equal(code, 1);
    assert.match(err, /Conflict.*not running\n  start it/);
    assert.equal((await cli.run("exec nobody -- true")).code, 1);
    assert.equal((await cli.run("exec web")).code, 2);
  });

  it("has a raw terminal: its size, keys as they are typed, Ctrl-C too, and the exit code", async () => {
    serve = echo;
    const command = `stty cols 91 rows 23; "${process.execPath}" "${resolve("bin", "ikada")}" exec -it web -- sh`;
    const env = {
      PATH: process.env["PATH"],
      NO_COLOR: "1",
      IKADA_CONFIG: join(cli.folder, "context.json"),
      TERM: "xterm",
    };
    const child = spawn("script", ["-qfec", command, "/dev/null"], { env, cwd: cli.folder });
    let shown = "";
    child.stdout.on("data", (chunk) => (shown += String(chunk)));
    const ended = new Promise((done) => child.once("exit", done));
    await eventually(() => shown.includes("podUid"));
    const { size, tty } = JSON.parse(/\{.*\}/.exec(shown)![0]) as { size: object; tty: boolean };
    assert.deepEqual([size, tty], [{ columns: 91, rows: 23 }, true]);
    child.stdin.write("\u0003");
    await eventually(() => shown.includes('"\\u0003"'));
    child.stdin.write("q");
    assert.equal(await ended, 5);
  });

  it("ends with 130 at Ctrl-C without a terminal, and the node is told", async () => {
    serve = (_open, stream) => stream.write({ opened: true });
    const before = agent.closed.length;
    const opens = (): number => agent.messages.filter(({ open }) => open).length;
    const opensBefore = opens();
    const { child, ended } = cli.begin("exec web -- sleep 100");
    await eventually(() => opens() > opensBefore);
    await new Promise((wait) => setTimeout(wait, 500));
    child.kill("SIGINT");
    assert.equal((await ended).code, 130);
    await eventually(() => agent.closed.length > before);
  });

  it("forwards a port that it was given, or one that is free, connection by connection", async () => {
    serve = ({ port }, stream) => {
      stream.write({ opened: true });
      stream.on("data", ({ data, end }: Frame) => {
        if (data && data.length > 0) stream.write({ data: bytes(`${port?.port}:${new TextDecoder().decode(data)}`) });
        if (!end) return;
        stream.write({ end: true });
        stream.end();
      });
    };
    const free = await new Promise<number>((done) => {
      const server = createServer().listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo;
        server.close(() => done(port));
      });
    });
    const { child, ended } = cli.begin(`port-forward web ${free}:80 :443`);
    let shown = "";
    child.stdout!.on("data", (chunk) => (shown += String(chunk)));
    await eventually(() => shown.includes("-> 443"));
    assert.ok(shown.includes(`Forwarding from 127.0.0.1:${free} -> 80\n`), shown);
    const [, any] = /127\.0\.0\.1:(\d+) -> 443/.exec(shown) ?? [];
    const answers = [free, Number(any), free].map(
      (port) =>
        new Promise((done, fail) => {
          let text = "";
          const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.end("hi"));
          socket.on("data", (chunk) => (text += String(chunk)));
          socket.on("end", () => done(text));
          socket.on("error", fail);
        }),
    );
    assert.deepEqual(await Promise.all(answers), ["80:hi", "443:hi", "80:hi"]);
    child.kill("SIGINT");
    assert.equal((await ended).code, 0);
    assert.equal((await cli.run("port-forward web 0:0")).code, 2);
  });
});
