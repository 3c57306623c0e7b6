import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { ikada } from "#proto/api.js";
import { apiMethods } from "../../src/host/api-methods.js";
import { callUnary } from "../../src/host/grpc.js";
import { createClient } from "../../src/host/tls.js";
import { Harness } from "./harness.js";

/** Writes all the time through whoever answers, and remembers what was acknowledged. */
class Writer {
  readonly acknowledged: string[] = [];
  readonly #harness: Harness;
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(harness: Harness) {
    this.#harness = harness;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let at = 0; !this.#isOver; at += 1) {
      const name = `write-${at}`;
      await this.#harness.client.configMaps.create({ metadata: { name, namespace: "default" }, data: { at: `${at}` } });
      this.acknowledged.push(name);
    }
  }
}

/** Without the SDK, which would look again and repeat. */
async function askOnce({ cluster }: Harness, request: ikada.api.v1.IChangeMembersRequest): Promise<void> {
  const read = (name: string): string => readFileSync(join(cluster.folder, "pki", name), "utf8").trim();
  const channel = createClient(cluster.servers[0]!.api, { authority: read("ca.pem") });
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${read("admin.token")}`);
  try {
    await callUnary(channel, apiMethods.changeMembers, request, { metadata, deadlineMs: 10_000 });
  } finally {
    channel.close();
  }
}

describe("changing the servers of a running cluster, under writes", () => {
  it("adds a fourth, lets it vote, removes the leader and replaces another; nothing is lost", async function () {
    this.timeout(300_000);
    const harness = await Harness.start({ servers: 3, joining: 2, agents: 0, runtime: "fake" });
    const said = async (...words: string[]): Promise<string> => {
      const { code, stdout, stderr } = await harness.ikada(...words);
      assert.equal(code, 0, `${words.join(" ")}: ${stdout}${stderr}`);
      return stdout;
    };
    const voters = async (): Promise<number[]> =>
      (await harness.client.cluster.members()).filter(({ membership }) => membership === "Voter").map(({ id }) => id);
    try {
      const writer = new Writer(harness);
      const [fourth, fifth] = harness.cluster.joining;
      assert(fourth && fifth);
      await harness.eventually("some writes", () => Promise.resolve(writer.acknowledged.length > 50));
      const before = writer.acknowledged.length;
      await assertRefused(harness, /there is no server 4/, "promote", "4");
      const addresses = (server: typeof fourth): string[] => [
        "--id",
        `${server.id}`,
        "--api",
        server.api,
        "--agents",
        server.agents,
        "--replicas",
        server.replicas,
        "--raft",
        server.raft,
      ];
      assert.match(await said("cluster", "add", "server-4", ...addresses(fourth)), /is a learner/);
      await said("cluster", "add", "server-4", ...addresses(fourth));
      const { members } = await harness.client.clusterStatus();
      await said("cluster", "promote", "server-4");
      assert.deepEqual(await voters(), [1, 2, 3, 4]);
      // As one arrives that lay in the socket of a stopped server, and was done by another one long ago.
      const late = { demote: 4, asOf: Math.max(...members.map(({ commit }) => commit)) };
      await assert.rejects(askOnce(harness, late), { reason: "Conflict" });
      assert.deepEqual(await voters(), [1, 2, 3, 4]);

      const leader = await harness.leaderName();
      assert(leader);
      await said("cluster", "remove", leader);
      await harness.eventually("the end of the removed one", () => Promise.resolve(harness.pid(leader) === undefined));
      assert.match(harness.logs(), /was removed from the cluster/);
      await assertRefused(harness, /never used again/, "add", "server-9", ...addresses({ ...fifth, id: idOf(leader) }));

      const other = ["server-1", "server-2", "server-3"].find((name) => name !== leader) ?? "";
      await said("cluster", "replace", other, "server-5", ...addresses(fifth));
      const expected = [1, 2, 3, 4, 5].filter((id) => id !== idOf(leader) && id !== idOf(other));
      assert.deepEqual(await voters(), expected);
      await said("cluster", "transfer", "server-5");
      assert.match(await said("cluster", "members"), /5 +server-5 +Leader/);
      await writer.stop();

      const client = await harness.clientOf("server-5");
      const kept = new Set<string>();
      for await (const { metadata } of client.list("configmaps", { namespace: "default" })) kept.add(metadata.name);
      await client.close();
      assert.deepEqual(
        writer.acknowledged.filter((name) => !kept.has(name)),
        [],
      );
      assert(writer.acknowledged.length > before, "writes go on meanwhile");
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      assert.equal(harness.pid(leader), undefined, "a removed server is not started again and again");

      const moved = await move(harness, "server-4");
      await harness.eventually("a server that is reached where it has moved to", async () => {
        const { raft, api } = (await harness.client.cluster.members()).find(({ id }) => id === 4)!;
        const { members } = await harness.client.clusterStatus();
        return raft === moved.raft && api === moved.api && members.some(({ id, reachable }) => id === 4 && reachable);
      });
      await said("cluster", "transfer", "server-4");
    } catch (caught) {
      process.stderr.write(harness.logs());
      throw caught;
    } finally {
      await harness.close();
    }
  });
});

async function assertRefused(harness: Harness, reason: RegExp, ...words: string[]): Promise<void> {
  const { code, stderr } = await harness.ikada("cluster", ...words);
  assert.equal(code, 1);
  assert.match(stderr, reason);
}

/** Starts it at other ports, of which only its own configuration knows. */
async function move(harness: Harness, name: string): Promise<{ readonly raft: string; readonly api: string }> {
  await harness.stop(name);
  const file = join(harness.cluster.folder, `${name}.json`);
  const config = JSON.parse(readFileSync(file, "utf8")) as {
    readonly members: (Record<string, string> & MovedMember)[];
  };
  const own = config.members[0]!;
  for (const listener of ["api", "agents", "replicas", "raft"] as const)
    own[listener] = own[listener].replace(/\d$/, "9");
  writeFileSync(file, JSON.stringify(config));
  harness.startStopped();
  return own;
}

type MovedMember = Record<"api" | "agents" | "replicas" | "raft", string>;

function idOf(name: string): number {
  return Number(name.slice("server-".length));
}
