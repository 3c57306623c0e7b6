import assert from "node:assert/strict";
import type { ikada } from "#proto/agent.js";
import { ikada as agentProto } from "#proto/agent.js";
import { Client, IkadaError, type RemoteProcess } from "../../sdk/index.js";
import { FakeAgent, type AgentStream } from "../server/agents/fake-agent.js";
import { eventually, TestCluster, tokens } from "../server/harness.js";
import { pod } from "../server/objects.js";

type Open = ikada.agent.v1.IOpenStream;
type Frame = ikada.agent.v1.IStreamFrame;

const namespace = "default";
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (data: Uint8Array | null | undefined): string => new TextDecoder().decode(data ?? undefined);

async function outputOf(process: RemoteProcess): Promise<{ stdout: string; stderr: string }> {
  const read = { stdout: "", stderr: "" };
  for await (const { stream, data } of process) read[stream] += textOf(data);
  return read;
}

/** How much of something there is once it grows no more. */
async function settled(amount: () => number): Promise<number> {
  let before = -1;
  while (amount() !== before) {
    before = amount();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  return before;
}

describe("ways into Pods, through servers", () => {
  let cluster: TestCluster;
  let client: Client;
  const agents: FakeAgent[] = [];
  const clients: Client[] = [];
  beforeEach(async () => {
    cluster = await TestCluster.start(3);
    await cluster.seed(pod("web", "worker"));
    client = await clientOf(1);
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.close();
    for (const each of clients.splice(0)) await each.close();
    await cluster.close();
  });

  async function clientOf(server: number, token: string = tokens.admin): Promise<Client> {
    const endpoints = [cluster.addresses[server - 1]!.api];
    const made = await Client.connect({ endpoints, ca: cluster.authority.certificate, token, pinned: true });
    clients.push(made);
    return made;
  }

  async function agentOn(
    server: number,
    serve: (open: Open, stream: AgentStream) => void,
    dead?: number,
  ): Promise<FakeAgent> {
    const identity = await cluster.identity("node", "worker");
    const agent = new FakeAgent(cluster.client("agents", server, identity), "worker");
    agent.onOpen = (open) => serve(open, agent.openStream(open.streamId ?? ""));
    agents.push(agent);
    await eventually(() => agent.welcome);
    for (const [at, each] of cluster.servers.entries())
      if (at + 1 !== dead) await eventually(() => each.liveness.connectedReplica("worker") === server);
    return agent;
  }

  /** Says what it was asked for on stderr, gives input back on stdout, and sizes as text; ends with 3 when input does. */
  function echo({ exec, attach }: Open, stream: AgentStream): void {
    stream.write({ opened: true });
    stream.write({ data: bytes(JSON.stringify(exec ?? attach)), isStderr: true });
    stream.on("data", ({ data, end, resize }: Frame) => {
      if (resize) stream.write({ data: bytes(`${resize.columns}x${resize.rows};`) });
      if (data && data.length > 0) stream.write({ data });
      if (!end) return;
      stream.write({ end: true, exitCode: 3 });
      stream.end();
    });
  }

  for (const server of [1, 2]) {
    it(`exec: input, output, sizes and the exit code go through server ${server}, with the node's session at server 2`, async () => {
      await agentOn(2, echo);
      const process = await (
        await clientOf(server)
      ).access.exec("web", ["sort", "-r"], {
        namespace,
        stdin: true,
        tty: true,
        size: { columns: 80, rows: 24 },
      });
      process.resize({ columns: 100, rows: 30 });
      const large = "x".repeat(300_000);
      const written = process.write(bytes(large)).then(() => process.end());
      const { stdout, stderr } = await outputOf(process);
      await written;
      assert.equal(stdout, `100x30;${large}`);
      const { size, ...asked } = JSON.parse(stderr) as { size: object };
      assert.deepEqual(asked, {
        podUid: "uid-web",
        container: "main",
        command: ["sort", "-r"],
        stdin: true,
        tty: true,
      });
      assert.deepEqual(size, { columns: 80, rows: 24 });
      assert.equal(await process.exitCode, 3);
      await assert.rejects(process.write(bytes("late")), { reason: "Cancelled" });
    });
  }

  it("attach tells no exit code of a container that runs on", async () => {
    await agentOn(3, (_open, stream) => {
      stream.write({ opened: true });
      stream.write({ data: bytes("now") });
      stream.write({ end: true });
      stream.end();
    });
    const process = await client.access.attach("web", { namespace });
    assert.deepEqual(await outputOf(process), { stdout: "now", stderr: "" });
    assert.equal(await process.exitCode, undefined);
  });

  it("hold little of what nobody reads, however fast it is written", async () => {
    let sent = 0;
    await agentOn(2, (_open, stream) => {
      stream.write({ opened: true });
      const piece = new Uint8Array(32 * 1024);
      const pump = (): void => {
        for (let room = true; room;) {
          room = stream.write({ data: piece });
          sent += piece.length;
        }
      };
      stream.on("drain", pump);
      pump();
    });
    const process = await client.access.exec("web", ["cat", "/dev/zero"], { namespace });
    const stalled = await settled(() => sent);
    assert.ok(stalled < 12 * 2 ** 20, `${stalled} bytes left the node, and nobody read one`);
    let read = 0;
    for await (const { data } of process) {
      read += data.length;
      if (read > 2 * stalled) break;
    }
    assert.ok(sent > stalled, "it goes on when it is read");
  });

  it("hold little of what the command does not take", async () => {
    await agentOn(2, (_open, stream) => {
      stream.write({ opened: true });
      stream.pause();
    });
    const process = await client.access.exec("web", ["sleep", "100"], { namespace, stdin: true });
    let taken = 0;
    const piece = new Uint8Array(32 * 1024);
    const write = async (): Promise<void> => {
      for (;;) {
        await process.write(piece);
        taken += piece.length;
      }
    };
    const writing = write().catch((error: unknown) => IkadaError.from(error).reason);
    const stalled = await settled(() => taken);
    assert.ok(stalled > 0 && stalled < 12 * 2 ** 20, `${stalled} bytes were taken, and nobody read one`);
    process.close();
    assert.equal(await writing, "Cancelled");
  });

  for (const server of [1, 2]) {
    it(`tell the node at once that the caller of server ${server} has gone, with input that it does not take, too`, async () => {
      let opened = 0;
      const agent = await agentOn(2, (_open, stream) => {
        stream.write({ opened: true });
        stream.pause();
        opened += 1;
      });
      const caller = await clientOf(server);
      const quiet = await caller.access.exec("web", ["sleep", "100"], { namespace });
      const full = await caller.access.exec("web", ["sleep", "100"], { namespace, stdin: true });
      full.write(new Uint8Array(8 * 2 ** 20)).catch(() => undefined);
      await eventually(() => opened === 2);
      await new Promise((resolve) => setTimeout(resolve, 200));
      quiet.close();
      full.close();
      await eventually(() => agent.closed.length === 2);
      const asked = agent.messages.flatMap(({ open }) => (open ? [open.streamId] : []));
      assert.deepEqual(new Set(agent.closed), new Set(asked));
    });
  }

  it("say what a node refuses, in its words and with its hint", async () => {
    await agentOn(2, (_open, stream) => {
      const error = 'container "main" is not running';
      stream.write({ end: true, error, reason: "Conflict", hint: "start it" });
      stream.end();
    });
    const refusal = { reason: "Conflict", message: /not running/, details: { object: 'pods "web"', hint: "start it" } };
    await assert.rejects(client.access.exec("web", ["true"], { namespace }), refusal);
    await assert.rejects(client.access.connect("web", 80, { namespace }), refusal);
  });

  it("refuse what makes no sense, and those who may only view", async () => {
    await agentOn(2, echo);
    await assert.rejects(client.access.exec("nobody", ["true"], { namespace }), { reason: "NotFound" });
    await assert.rejects(client.access.exec("web", [], { namespace }), { reason: "BadRequest", message: /command/ });
    await assert.rejects(client.access.exec("web", ["true"], { namespace, container: "x" }), { reason: "BadRequest" });
    await assert.rejects(client.access.exec("web", ["x".repeat(200_000)], { namespace }), { reason: "TooLarge" });
    await assert.rejects(client.access.connect("web", 70_000, { namespace }), { reason: "BadRequest" });
    await assert.rejects(client.access.readArchive("web", "", { namespace }).next(), { reason: "BadRequest" });
    const unwanted = await client.access.exec("web", ["cat"], { namespace });
    unwanted.write(bytes("x")).catch(() => undefined);
    await assert.rejects(outputOf(unwanted), { reason: "BadRequest", message: /input/ });
    const viewer = await clientOf(1, tokens.view);
    await assert.rejects(viewer.access.exec("web", ["true"], { namespace }), { reason: "Forbidden" });
    await assert.rejects(viewer.access.connect("web", 80, { namespace }), { reason: "Forbidden" });
    await assert.rejects(viewer.access.readArchive("web", "/", { namespace }).next(), { reason: "Forbidden" });
  });

  it("wait a moment for a node that goes to another server, and say when it does not come", async () => {
    await assert.rejects(client.access.exec("web", ["true"], { namespace }), {
      reason: "Unavailable",
      message: /not connected/,
    });
    const calling = client.access.exec("web", ["true"], { namespace });
    await agentOn(3, echo);
    (await calling).close();
  });

  it("end with a hint when the server with the node's session dies, and work again at once", async () => {
    await agentOn(2, echo);
    const process = await client.access.exec("web", ["cat"], { namespace, stdin: true });
    const ending = assert.rejects(outputOf(process), (error: unknown) => {
      assert.ok(error instanceof IkadaError);
      assert.deepEqual([error.reason, typeof error.details.hint], ["Unavailable", "string"], error.message);
      return true;
    });
    await cluster.kill(2);
    await ending;
    await assert.rejects(process.exitCode, { reason: "Unavailable" });
    const again = client.access.exec("web", ["cat"], { namespace, stdin: true });
    await agentOn(3, echo, 2);
    const second = await again;
    second.end();
    await outputOf(second);
    assert.equal(await second.exitCode, 3);
  });

  it("end with a hint when the server that was asked dies; the client's next call goes to another", async () => {
    await agentOn(3, echo);
    const endpoints = cluster.addresses.map(({ api }) => api);
    const any = await Client.connect({ endpoints, ca: cluster.authority.certificate, token: tokens.admin });
    clients.push(any);
    await any.clusterStatus();
    cluster.leader = 3;
    const process = await any.access.exec("web", ["cat"], { namespace, stdin: true });
    const ending = assert.rejects(outputOf(process), { reason: "Unavailable" });
    await Promise.all([cluster.kill(1), ending]);
    const second = await any.access.exec("web", ["cat"], { namespace, stdin: true });
    second.end();
    await outputOf(second);
    assert.equal(await second.exitCode, 3);
  });

  it("forward connections, each by itself, with an end for each direction", async () => {
    const ports: number[] = [];
    await agentOn(2, ({ port }, stream) => {
      ports.push(port?.port ?? 0);
      stream.write({ opened: true });
      let asked = "";
      stream.on("data", ({ data, end }: Frame) => {
        asked += textOf(data);
        if (!end) return;
        stream.write({ data: bytes(asked.toUpperCase()) });
        stream.write({ end: true });
        stream.end();
      });
    });
    const answers = await Promise.all(
      ["one", "two"].map(async (word, at) => {
        const connection = await client.access.connect("web", 8080 + at, { namespace });
        connection.end(word);
        let text = "";
        for await (const chunk of connection) text += String(chunk);
        return text;
      }),
    );
    assert.deepEqual(
      [answers, ports.sort((left, right) => left - right)],
      [
        ["ONE", "TWO"],
        [8080, 8081],
      ],
    );
  });

  it("carry archives both ways, and tell the node when one is broken off", async () => {
    const received: string[] = [];
    const agent = await agentOn(3, ({ readArchive, writeArchive }, stream) => {
      stream.write({ opened: true });
      if (readArchive) {
        stream.write({ data: bytes(`tar of ${readArchive.path}`) });
        stream.write({ end: true });
        stream.end();
        return;
      }
      let content = "";
      stream.on("data", ({ data, end }: Frame) => {
        content += textOf(data);
        if (!end) return;
        received.push(`${writeArchive?.path}: ${content.length}`);
        stream.write({ end: true });
        stream.end();
      });
    });
    let text = "";
    for await (const chunk of client.access.readArchive("web", "/etc", { namespace })) text += textOf(chunk);
    assert.equal(text, "tar of /etc");
    const whole = async function* (): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < 5; piece += 1) yield new Uint8Array(100_000);
    };
    await client.access.writeArchive("web", "/tmp/x", whole(), { namespace });
    assert.deepEqual(received, ["/tmp/x: 500000"]);
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(10);
      await eventually(() => agent.messages.filter(({ open }) => open).length === 3);
      throw new IkadaError("Conflict", "the file has become shorter");
    };
    await assert.rejects(client.access.writeArchive("web", "/tmp/x", broken(), { namespace }), { reason: "Conflict" });
    await eventually(() => agent.closed.length === 1);
    assert.equal(received.length, 1, "a part is not taken for all of it");
  });

  it("gather what Pods and Nodes use from the nodes, and name those that tell nothing", async () => {
    await cluster.seed(pod("other", "worker", { metadata: { labels: { app: "x" } } }));
    await cluster.seed(pod("away", "gone"));
    const node = (name: string, status: object) =>
      cluster.seed({ apiVersion: "v1", kind: "Node", metadata: { name, uid: `n-${name}` }, status });
    const stats = agentProto.agent.v1.NodeStats.encode({
      cpuCores: 1.5,
      memoryBytes: 2 ** 30,
      timeMs: 1_700_000_000_000,
      containers: [
        { podUid: "uid-web", container: "main", cpuCores: 0.25, memoryBytes: 1_000 },
        { podUid: "uid-other", container: "main", cpuCores: -1, memoryBytes: 2_000 },
        { podUid: "uid-away", container: "main", cpuCores: 9, memoryBytes: 9 },
        { podUid: "nobody", container: "main", cpuCores: 9, memoryBytes: 9 },
      ],
    }).finish();
    await agentOn(2, (_open, stream) => {
      stream.write({ data: stats });
      stream.write({ end: true });
      stream.end();
    });
    await node("worker", { capacity: { cpu: "4", memory: "8Gi" } });
    await node("gone", {});
    const { items, unreached } = await client.access.podStats({ namespace });
    assert.deepEqual(
      items.map(({ name, containers }) => [name, containers]),
      [
        ["other", [{ name: "main", cpuCores: undefined, memoryBytes: 2_000 }]],
        ["web", [{ name: "main", cpuCores: 0.25, memoryBytes: 1_000 }]],
      ],
    );
    assert.deepEqual(unreached, [{ node: "gone", message: "its agent is not connected" }]);
    const one = await client.access.podStats({ namespace, labelSelector: "app=x" });
    assert.deepEqual([one.items.map(({ name }) => name), one.unreached], [["other"], []]);
    await assert.rejects(client.access.podStats({ namespace, name: "nobody" }), { reason: "NotFound" });
    const nodes = await client.access.nodeStats();
    const time = new Date(1_700_000_000_000);
    const expected = {
      name: "worker",
      cpuCores: 1.5,
      cpuCapacity: 4,
      memoryBytes: 2 ** 30,
      memoryCapacity: 2 ** 33,
      time,
    };
    assert.deepEqual(nodes.items, [expected]);
    assert.deepEqual(
      nodes.unreached.map(({ node }) => node),
      ["gone"],
    );
  });
});
