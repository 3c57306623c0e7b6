import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import type { Client, RemoteProcess } from "../../sdk/index.js";
import { IkadaError } from "../../src/base/errors.js";
import { Harness } from "./harness.js";
import { copyWorks, openCopy, openWays, talkingScript, topWorks, type OpenWay } from "./open-ways.js";

const image = "ikada-test/e2e:1";
const namespace = "default";

/** Serves on localhost alone, and says something on both outputs. */
function pod(name: string, node: string) {
  return {
    metadata: { name, namespace, labels: { app: "access" } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: "main",
          image,
          command: ["/bin/sh", "-c"],
          args: [
            // The engine reads the two outputs apart from each other, so that lines of one moment have no order.
            `echo "I am ${name}"; sleep 0.5; echo "and this is stderr" >&2; echo ${name} >/www/index.html; exec httpd -f -p 127.0.0.1:8080 -h /www`,
          ],
        },
      ],
    },
  };
}

function talker(name: string, node: string) {
  const spec = { nodeName: node, terminationGracePeriodSeconds: 0 };
  const container = { name: "main", image, command: ["/bin/sh", "-c", talkingScript], stdin: true };
  return { metadata: { name, namespace }, spec: { ...spec, containers: [container] } };
}

/** Real servers, real agents, a real engine: each Pod is reached through each server, whichever has its node's session. */
describe("ways into Pods of a cluster of three servers and two nodes", () => {
  let cluster: Harness;
  let folder: string;
  const names = ["first", "second"];
  const talkers = ["talker-1", "talker-2"];

  before(async function () {
    this.timeout(300_000);
    folder = mkdtempSync(join(tmpdir(), "ikada-access-"));
    cluster = await Harness.start({ servers: 3, agents: 2, runtime: "docker" });
    await ensureBusyboxImage(cluster.docker, image);
    await cluster.eventually("two nodes", async () => (await cluster.list("nodes")).length === 2);
    for (const [at, name] of names.entries()) await cluster.client.pods.create(pod(name, `node-${at + 1}`));
    await cluster.eventually("two running Pods", async () => {
      const pods = await Promise.all(names.map((name) => cluster.client.pods.get(name, { namespace })));
      return pods.every(({ status }) => status?.containerStatuses?.[0]?.state?.running !== undefined);
    });
  });

  after(async function () {
    this.timeout(300_000);
    await cluster?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  afterEach(function () {
    if (this.currentTest?.state === "failed") process.stderr.write(cluster.logs());
  });

  async function throughEach(work: (client: Client, pod: string) => Promise<void>): Promise<void> {
    for (const server of cluster.cluster.servers) {
      const client = await cluster.clientOf(server.name);
      try {
        for (const name of names) await work(client, name);
      } finally {
        await client.close();
      }
    }
  }

  async function outputOf(
    remote: RemoteProcess,
  ): Promise<{ stdout: string; stderr: string; code: number | undefined }> {
    const read = { stdout: "", stderr: "" };
    for await (const { stream, data } of remote) read[stream] += Buffer.from(data).toString();
    return { ...read, code: await remote.exitCode };
  }

  it("exec through each server: input, both outputs, exit code, and a terminal with its size", async function () {
    this.timeout(300_000);
    await throughEach(async (client, name) => {
      const script = "read line; echo got $line; echo oops >&2; exit 7";
      const piped = await client.access.exec(name, ["sh", "-c", script], { namespace, stdin: true });
      await piped.write(Buffer.from("hello\n"));
      piped.end();
      assert.deepEqual(await outputOf(piped), { stdout: "got hello\n", stderr: "oops\n", code: 7 });
      const terminal = await client.access.exec(name, ["sh", "-c", "sleep 0.5; stty size; hostname"], {
        namespace,
        tty: true,
        size: { columns: 123, rows: 45 },
      });
      assert.equal((await outputOf(terminal)).stdout, `45 123\r\n${name}\r\n`);
    });
  });

  it("a flood that nobody reads is held up, and ends with its reader", async function () {
    this.timeout(300_000);
    const memoryOf = (who: string): number => {
      const status = readFileSync(`/proc/${cluster.pid(who)}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024;
    };
    const everyone = ["server-1", "server-2", "server-3", "node-1"];
    const client = await cluster.clientOf("server-2");
    const flood = await client.access.exec("first", ["cat", "/dev/zero"], { namespace });
    let read = 0;
    for await (const { data } of flood) {
      read += data.length;
      if (read > 64 * 2 ** 20) break;
    }
    const waiting = await client.access.exec("first", ["cat", "/dev/zero"], { namespace });
    const before = everyone.map(memoryOf);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const grown = everyone.map((who, at) => memoryOf(who) - before[at]!);
    assert.ok(Math.max(...grown) < 60, `MiB more of ${everyone.join(", ")}: ${grown.map(Math.round).join(", ")}`);
    waiting.close();
    await client.close();
    await cluster.eventually("no cat in the container", async () => {
      const left = await cluster.client.access.exec("first", ["pidof", "cat"], { namespace });
      return (await outputOf(left)).code === 1;
    });
  });

  it("port-forward through each server to a port that is open inside the Pod alone", async function () {
    this.timeout(300_000);
    await throughEach(async (client, name) => {
      const connection = await client.access.connect(name, 8080, { namespace });
      connection.end("GET /index.html HTTP/1.0\r\n\r\n");
      let answer = "";
      for await (const chunk of connection) answer += String(chunk);
      assert.match(answer, new RegExp(`^HTTP/1\\.[01] 200 [^]*\\r\\n\\r\\n${name}\\n$`));
      await assert.rejects(client.access.connect(name, 8081, { namespace }), { reason: "Unavailable" });
    });
  });

  it("cp through each server brings folders back as they went", async function () {
    this.timeout(300_000);
    const source = join(folder, "source");
    mkdirSync(join(source, "sub"), { recursive: true });
    const large = Buffer.alloc(3_000_000, "0123456789abcdef");
    writeFileSync(join(source, "sub", "large"), large);
    writeFileSync(join(source, "empty"), "");
    symlinkSync("sub/large", join(source, "link"));
    for (const [at, name] of names.entries()) {
      const back = join(folder, `back-${at}`);
      const there = await cluster.ikada("cp", source, `${name}:/tmp/copied`);
      assert.equal(there.code, 0, there.stderr);
      const here = await cluster.ikada("cp", `${name}:/tmp/copied`, back);
      assert.deepEqual([here.code, here.stderr], [0, ""]);
      assert.ok(readFileSync(join(back, "sub", "large")).equals(large));
      assert.ok(readFileSync(join(back, "link")).equals(large));
      assert.equal(readFileSync(join(back, "empty"), "utf8"), "");
    }
    const missing = await cluster.ikada("cp", "first:/no/such", folder);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /NotFound.*\/no\/such/);
  });

  it("the command line: exec passes input and the exit code on, logs of all with prefix, port-forward, top", async function () {
    this.timeout(300_000);
    // Behind `--` everything is the command's.
    const inFirst = ["exec", "first", "--config", cluster.cluster.contextFile, "--"];
    const exec = await cluster.program(...inFirst, "sh", "-c", "echo out; echo err >&2; exit 9");
    assert.deepEqual(exec, { code: 9, stdout: "out\n", stderr: "err\n" });
    const nothing = await cluster.program(...inFirst, "no-such-program");
    assert.ok(nothing.code >= 126, JSON.stringify(nothing));
    const logs = await cluster.ikada("logs", "-l", "app=access");
    assert.deepEqual(
      logs.stdout.trim().split("\n").sort(),
      names.flatMap((name) => [`[pod/${name}/main] I am ${name}`, `[pod/${name}/main] and this is stderr`]).sort(),
    );
    const limited = await cluster.ikada("logs", "first", "--limit-bytes", "4");
    assert.equal(limited.stdout, "I am");
    const later = await cluster.ikada("logs", "first", "--since-time", "2199-01-01T00:00:00Z");
    assert.equal(later.stdout, "");

    const forward = spawn(process.execPath, [
      "bin/ikada",
      "port-forward",
      "pod/second",
      ":8080",
      "--config",
      cluster.cluster.contextFile,
    ]);
    const port = await new Promise<string>((resolve, reject) => {
      forward.stdout.on("data", (chunk) => {
        const [, found] = /^Forwarding from 127\.0\.0\.1:(\d+) -> 8080/.exec(String(chunk)) ?? [];
        if (found !== undefined) resolve(found);
      });
      forward.stderr.on("data", (chunk) => reject(new Error(String(chunk))));
      forward.on("error", reject);
    });
    const pages = await Promise.all([1, 2, 3, 4].map(() => page(`http://127.0.0.1:${port}/index.html`)));
    assert.deepEqual(pages, Array(4).fill("second\n"));
    const ended = new Promise((resolve) => forward.once("exit", (code) => resolve(code)));
    forward.kill("SIGINT");
    assert.equal(await ended, 0);

    await cluster.eventually("numbers", async () => {
      const { stdout } = await cluster.ikada("top", "pods");
      return /^first +\d+m +\d+Mi$/m.test(stdout) && /^second +\d+m +\d+Mi$/m.test(stdout);
    });
    const nodes = await cluster.ikada("top", "nodes");
    assert.match(nodes.stdout, /^node-1 +\d+m +\d+% +\d+Mi +\d+%$/m);
  });

  it("logs -f, exec -it, attach, port-forward, cp and top through each server; a killed one ends what it carried with a hint, and all works again at once", async function () {
    this.timeout(300_000);
    for (const [at, name] of talkers.entries()) {
      await cluster.client.pods.create(talker(name, `node-${at + 1}`));
      await cluster.eventually(`numbers of ${name}`, async () => {
        await topWorks(cluster.client, name, namespace);
        return true;
      });
    }
    for (const { name: killed } of cluster.cluster.servers) await throughAllWhileKilled(killed);
  });

  /** Everything through each server, then one of them is killed. */
  async function throughAllWhileKilled(killed: string): Promise<void> {
    const open: { readonly server: string; readonly pod: string; readonly way: OpenWay }[] = [];
    const clients: Client[] = [];
    for (const { name: server } of cluster.cluster.servers) {
      const client = await cluster.clientOf(server);
      clients.push(client);
      const opened = talkers.map(async (pod) => {
        for (const way of await everyWay(client, pod, `${killed}-${server}`)) open.push({ server, pod, way });
      });
      await Promise.all(opened);
    }
    const doomed = await cluster.clientOf(killed);
    clients.push(doomed);
    for (const pod of talkers) open.push({ server: killed, pod, way: await openCopy(doomed, pod, namespace) });
    // Long after all were opened they still carry what is new.
    await Promise.all(open.map(({ way }) => way.works()));

    await cluster.kill(killed);
    const again = await cluster.anotherClient();
    clients.push(again);
    await Promise.all(
      talkers.map(async (pod) => {
        for (const way of await everyWay(again, pod, `${killed}-again`)) way.close();
      }),
    );
    for (const { server, pod, way } of open) {
      // What another server carries works on, or ends too: its node may have had its session with the killed one.
      const end = server === killed ? await way.end() : await endOrWorks(way);
      if (end === "works") continue;
      const what = `${way.name} ${pod} through ${server} when ${killed} was killed`;
      assert.equal(end?.reason, "Unavailable", `${what}: ${end?.message}`);
      assert.match(end.details.hint ?? "", /again/, `${what}: ${end.details.hint}`);
    }
    for (const { way } of open) way.close();
    for (const client of clients) await client.close();
    await cluster.eventually("all servers", async () => {
      const { members, leader } = await cluster.client.clusterStatus();
      return leader !== 0 && members.every(({ reachable }) => reachable);
    });
  }

  /** Ways that have worked and are still open, after a copy and a measurement. */
  async function everyWay(client: Client, pod: string, tag: string): Promise<OpenWay[]> {
    await copyWorks(client, pod, namespace);
    await topWorks(client, pod, namespace);
    const ways = await openWays(client, pod, namespace, tag);
    await Promise.all(ways.map((way) => way.works()));
    return ways;
  }
});

/** Who writes to a stream that has ended is told that alone; its reader is told why. */
async function endOrWorks(way: OpenWay): Promise<IkadaError | "works" | undefined> {
  try {
    await way.works();
    return "works";
  } catch {
    return way.end();
  }
}

function page(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => (text += chunk.toString()));
      response.on("end", () => resolve(text));
      response.on("error", reject);
    }).on("error", reject);
  });
}
