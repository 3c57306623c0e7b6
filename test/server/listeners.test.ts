import assert from "node:assert/strict";
import { request } from "node:https";
import { createConnection } from "node:net";
import * as grpc from "@grpc/grpc-js";
import { ikada } from "#proto/api.js";
import { createMetrics, serveMetrics } from "../../src/host/metrics.js";
import { apiMethods } from "../../src/host/api-methods.js";
import { errorTrailer } from "../../src/host/grpc-errors.js";
import { callBidi, callUnary, method, readStream } from "../../src/host/grpc.js";
import { limits } from "../../src/base/limits.js";
import { tokenOwner } from "../../src/host/tokens.js";
import { ServerMetrics } from "../../src/server/server-metrics.js";
import { Guard } from "../../src/server/guard.js";
import { bearer, eventually, silentLog, TestCluster, tokens, users } from "./harness.js";

const metadata = bearer(tokens.admin);

describe("listeners", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start(1);
  });
  after(() => cluster.close());

  it("tell their health to anybody", async () => {
    const check = method(
      { path: "/grpc.health.v1.Health/Check", requestStream: undefined, responseStream: undefined },
      { encode: () => ({ finish: () => new Uint8Array() }), decode: () => ({}) },
      { encode: () => ({ finish: () => new Uint8Array() }), decode: (bytes) => bytes[1] ?? 0 },
    );
    const client = cluster.client("api");
    const [serving, notServing] = [1, 2];
    assert.equal(await callUnary(client, check, {}), notServing);
    cluster.servers[0]?.setServing(true);
    assert.equal(await callUnary(client, check, {}), serving);
  });

  it("describe the API by reflection to those who may read it", async () => {
    // list_services = "*": field 7, two bytes of text.
    const ask = Buffer.from([0x3a, 0x01, 0x2a]);
    const reflect = method(
      { path: "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", requestStream: true, responseStream: true },
      { encode: () => ({ finish: () => ask }), decode: () => ({}) },
      { encode: () => ({ finish: () => new Uint8Array() }), decode: (bytes) => Buffer.from(bytes).toString("latin1") },
    );
    const call = callBidi(cluster.client("api"), reflect, { metadata });
    call.write({});
    call.end();
    let text = "";
    for await (const answer of readStream<string>(call as never)) text += answer;
    for (const service of ["Resources", "Pods", "Cluster"]) assert.ok(text.includes(`ikada.api.v1.${service}`));
    assert.ok(!text.includes("Replicas"));
    const anonymous = callBidi(cluster.client("api"), reflect);
    anonymous.write({});
    await assert.rejects(readStream(anonymous as never).next(), { reason: "Unauthenticated" });
  });

  it("give a reason also for what the gRPC library refuses by itself", async () => {
    const call = (
      bytes: readonly number[],
      headers: Record<string, string> = {},
    ): Promise<[number, string | undefined]> =>
      new Promise((resolve) => {
        const sent = metadata.clone();
        for (const [name, value] of Object.entries(headers)) sent.set(name, value);
        cluster.client("api").makeUnaryRequest(
          apiMethods.get.path,
          () => Buffer.from(bytes),
          (answer) => answer,
          {},
          sent,
          (error) => {
            const trailer = error?.metadata.get(errorTrailer)[0];
            const details = Buffer.isBuffer(trailer) ? ikada.api.v1.ErrorDetails.decode(trailer) : undefined;
            resolve([error?.code ?? 0, details?.reason]);
          },
        );
      });
    const malformed = [grpc.status.INVALID_ARGUMENT, "BadRequest"];
    assert.deepEqual(await call([0x0a, 0x7f]), malformed);
    assert.deepEqual(await call([0x07]), malformed);
    assert.deepEqual(await call([]), malformed);
  });

  it("say nothing to what speaks no TLS", async () => {
    const [host, port] = (cluster.addresses[0]?.api ?? "").split(":");
    const answer = await new Promise<string>((resolve) => {
      const socket = createConnection({ host, port: Number(port) }, () =>
        socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
      );
      let text = "";
      socket.on("data", (chunk) => (text += chunk.toString("latin1")));
      socket.on("error", () => resolve(text));
      socket.on("close", () => resolve(text));
    });
    assert.ok(!answer.includes("HTTP"));
    assert.ok(answer.length < 16, "at most a TLS alert");
  });

  it("refuse what is more than their quota, and have room again afterwards", async () => {
    const registry = createMetrics();
    const metrics = new ServerMetrics(registry);
    metrics.inWork("requests", 1); // At another listener of the process, all the time.
    const guard = new Guard({
      authenticate: () => ({ name: "alice", role: "admin" }),
      metrics,
      log: silentLog,
      leaderAddress: () => undefined,
    });
    const server = new grpc.Server({ interceptors: [guard.interceptor] });
    const waiting: (() => void)[] = [];
    const { path, serializeResponse, deserializeRequest } = apiMethods.kinds;
    const handler: grpc.handleUnaryCall<unknown, ikada.api.v1.IKindsResponse> = (_call, callback) => {
      waiting.push(() => callback(null, {}));
    };
    server.register(path, handler, serializeResponse, deserializeRequest, "unary");
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const calls = Array.from({ length: limits.requestsInWorkMax }, () => callUnary(client, apiMethods.kinds, {}));
    await eventually(() => waiting.length === limits.requestsInWorkMax);
    await assert.rejects(callUnary(client, apiMethods.kinds, {}), { reason: "Overloaded" });
    const cancelled = new AbortController();
    for (const answer of waiting.splice(0)) answer();
    await Promise.all(calls);
    const next = callUnary(client, apiMethods.kinds, {}, { signal: cancelled.signal });
    await eventually(() => waiting.length === 1);
    cancelled.abort();
    await assert.rejects(next, { reason: "Cancelled" });
    await eventually(async () => /ikada_grpc_calls_in_work\{class="requests"\} 1\n/.test(await registry.metrics()));
    assert.match(await registry.metrics(), /ikada_grpc_calls_total\{method="[^"]*Kinds",code="RESOURCE_EXHAUSTED"\} 1/);
    client.close();
    server.forceShutdown();
  });

  it("give metrics to those with a token", async () => {
    const registry = createMetrics({ server: "one" });
    const metrics = new ServerMetrics(registry);
    metrics.observeReplica(() => cluster.status(1));
    metrics.callStarted("/x/Y")(grpc.status.OK);
    const identity = await cluster.identity("server", "server-1");
    const listener = await serveMetrics({
      registry,
      address: "127.0.0.1:0",
      tls: { ...identity, authority: cluster.authority.certificate },
      ownerOf: tokenOwner(users),
    });
    const get = (path: string, token?: string) =>
      new Promise<{ status: number; text: string; sniff: unknown }>((resolve, reject) => {
        const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
        const options = { host: "127.0.0.1", port: listener.port, path, headers, ca: cluster.authority.certificate };
        request(options, (response) => {
          let text = "";
          response.on("data", (chunk: Buffer) => (text += chunk.toString()));
          response.on("end", () =>
            resolve({ status: response.statusCode ?? 0, text, sniff: response.headers["x-content-type-options"] }),
          );
        })
          .on("error", reject)
          .end();
      });
    assert.equal((await get("/metrics")).status, 401);
    assert.equal((await get("/metrics", "guess")).status, 401);
    assert.equal((await get("/", tokens.view)).status, 404);
    const { status, text, sniff } = await get("/metrics", tokens.view);
    assert.equal(status, 200);
    assert.equal(sniff, "nosniff");
    for (const name of ["nodejs_eventloop_lag_seconds", "process_cpu_seconds_total", "ikada_raft_term"])
      assert.ok(text.includes(name), name);
    assert.match(text, /ikada_grpc_calls_total\{method="\/x\/Y",code="OK",server="one"\} 1/);
    await listener.close();
  });
});
