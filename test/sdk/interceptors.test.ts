import assert from "node:assert/strict";
import { IkadaError, type Attempt, type Interceptor } from "../../sdk/index.js";
import { AnsweringServer } from "../server/answering-server.js";
import { connectTo } from "./connect-to.js";
import { Client } from "../../sdk/client.js";
import { TestCluster, tokens } from "../server/harness.js";
import { configMap } from "../server/objects.js";

const namespace = "default";
const status = () => Promise.resolve({ clusterId: "c", leader: 1, members: [] });

/** Starts a server and a client of it for one test. */
async function using(
  interceptors: readonly Interceptor[],
  work: (client: Client, server: AnsweringServer) => Promise<void>,
  answers: Parameters<typeof AnsweringServer.start>[0] = { clusterStatus: status },
  more: { readonly interceptorsSeeToken?: boolean } = {},
): Promise<void> {
  const server = await AnsweringServer.start(answers);
  const client = await connectTo(server, { interceptors, ...more });
  try {
    await work(client, server);
  } finally {
    await client.close();
    await server.close();
  }
}

describe("interceptors", () => {
  it("are around each question, the first outermost, and see what goes and comes", async () => {
    const seen: string[] = [];
    let attempt: Attempt | undefined;
    const named =
      (name: string): Interceptor =>
      async (each, next) => {
        attempt = each;
        seen.push(`${name} before`);
        const { response, messages } = await next();
        seen.push(`${name} after ${messages} ${(response as { clusterId: string }).clusterId}`);
      };
    await using([named("outer"), named("inner")], async (client, server) => {
      assert.equal((await client.clusterStatus()).clusterId, "c");
      assert.deepEqual(seen, ["outer before", "inner before", "inner after 1 c", "outer after 1 c"]);
      const { method, server: address, number, isStream } = attempt!;
      assert.deepEqual([method, address, number, isStream], ["Cluster/Status", server.address, 1, false]);
    });
  });

  it("do not see the token unless they are meant to, and may send headers, a token of their own too", async () => {
    const seen: (string | undefined)[] = [];
    const look: Interceptor = async ({ headers }, next) => {
      seen.push(headers.get("authorization"));
      headers.set("x-trace", "7");
      await next();
    };
    const own: Interceptor = async ({ headers }, next) => {
      headers.set("authorization", "Bearer fresh");
      await next();
    };
    const sent = (server: AnsweringServer) =>
      server.headers.at(-1)?.getMap()["authorization"] + " " + server.headers.at(-1)?.getMap()["x-trace"];
    await using([look], async (client, server) => {
      await client.clusterStatus();
      assert.equal(sent(server), "Bearer secret 7");
    });
    const more = { interceptorsSeeToken: true };
    await using(
      [look, own],
      async (client, server) => {
        await client.clusterStatus();
        assert.equal(sent(server), "Bearer fresh 7");
      },
      undefined,
      more,
    );
    assert.deepEqual(seen, [undefined, "Bearer secret"]);
    const bad: Interceptor = async ({ headers }, next) => {
      headers.set("x trace", "7");
      await next();
    };
    await using([bad], async (client) => {
      await assert.rejects(client.clusterStatus(), { reason: "BadRequest" });
    });
    const server = await AnsweringServer.start();
    const untrimmed = await connectTo(server, { token: "secret\n" });
    await assert.rejects(untrimmed.clusterStatus(), (error: unknown) => {
      assert.ok(error instanceof IkadaError && error.reason === "BadRequest");
      assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /secret/);
      return true;
    });
    await untrimmed.close();
    await server.close();
  });

  it("see each repeat with its number, and can't hide an error", async () => {
    const seen: string[] = [];
    const swallow: Interceptor = async ({ number }, next) => {
      await next().then(
        () => seen.push(`${number} well`),
        (error: unknown) => seen.push(`${number} ${IkadaError.from(error).reason}`),
      );
    };
    let failures = 2;
    const flaky = () => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(new IkadaError("Overloaded", "busy")) : status();
    };
    await using(
      [swallow],
      async (client) => {
        await client.clusterStatus();
        await assert.rejects(client.get("pods", "x", { namespace }), { reason: "NotFound" });
      },
      { clusterStatus: flaky, get: () => Promise.reject(new IkadaError("NotFound", "none")) },
    );
    assert.deepEqual(seen, ["1 Overloaded", "2 Overloaded", "3 well", "1 NotFound"]);
  });

  it("end the attempt with what they throw; one that never goes on ends with the call's time", async () => {
    const refuse: Interceptor = () => Promise.reject(new IkadaError("Forbidden", "by an interceptor"));
    await using([refuse], async (client, server) => {
      await assert.rejects(client.clusterStatus(), /by an interceptor/);
      const watch = client.pods.watch({ namespace });
      await assert.rejects(watch.next(), /by an interceptor/);
      assert.equal(server.headers.length, 0);
    });
    const stuck: Interceptor = () => new Promise(() => undefined);
    await using([stuck], async (client) => {
      await assert.rejects(client.clusterStatus({ deadlineMs: 50 }), { reason: "Deadline" });
      await assert.rejects(client.pods.watch({ deadlineMs: 50 }).next(), { reason: "Deadline" });
    });
    const lazy: Interceptor = () => Promise.resolve();
    await using([lazy], async (client) => {
      await assert.rejects(client.clusterStatus(), { reason: "Internal", message: /had not called next/ });
    });
  });

  it("are around streams until these end, also when the reader leaves", async () => {
    const cluster = await TestCluster.start(1);
    const ends: string[] = [];
    const count: Interceptor = async ({ method, isStream }, next) => {
      const { messages } = await next();
      ends.push(`${method} ${isStream} ${messages}`);
    };
    const endpoints = cluster.addresses.map(({ api }) => api);
    const ca = cluster.authority.certificate;
    const client = await Client.connect({ endpoints, ca, token: tokens.admin, interceptors: [count] });
    try {
      await client.create(configMap("a"));
      for await (const event of client.configMaps.watch({ namespace })) if (event.type === "BOOKMARK") break;
      assert.deepEqual(ends, ["Resources/Create false 1", "Resources/Watch true 2"]);
    } finally {
      await client.close();
      await cluster.close();
    }
  });
});

describe("a server that is too old", () => {
  it("is named, with the method it does not know", async () => {
    const server = await AnsweringServer.start({}, ["table"]);
    const client = await connectTo(server);
    await assert.rejects(client.table("pods"), (error: unknown) => {
      assert.ok(error instanceof IkadaError);
      assert.equal(error.reason, "Unsupported");
      assert.equal(
        error.message,
        `${server.address} does not know the method Resources/Table: its version is older than this client's`,
      );
      assert.match(error.details.hint ?? "", /cluster status/);
      return true;
    });
    await client.close();
    await server.close();
  });
});
