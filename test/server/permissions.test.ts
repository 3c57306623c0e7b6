import assert from "node:assert/strict";
import * as grpc from "@grpc/grpc-js";
import { ikada as agentProto } from "#proto/agent.js";
import { ikada as apiProto } from "#proto/api.js";
import { etcdserverpb as etcd } from "#proto/etcd.js";
import { InvariantError } from "../../src/base/errors.js";
import type { IkadaError } from "../../src/base/errors.js";
import { apiMethods } from "../../src/host/api-methods.js";
import { callUnary, method } from "../../src/host/grpc.js";
import { errorFromStatus } from "../../src/host/grpc-errors.js";
import { createAuthority, issueCertificate, type CertificateRequest } from "../../src/host/pki.js";
import { userAuthentication } from "../../src/server/authentication.js";
import { Listener } from "../../src/server/listener.js";
import { methodPermissions } from "../../src/server/permissions.js";
import { ServerMetrics } from "../../src/server/server-metrics.js";
import { Registry } from "prom-client";
import { bearer, silentLog, TestCluster, tokens, users } from "./harness.js";
import { read, wire } from "./objects.js";

interface Rpc {
  readonly path: string;
  readonly requestStream: true | undefined;
  readonly responseStream: true | undefined;
}

function rpcsOf(service: { readonly prototype: object }): Rpc[] {
  return Object.getOwnPropertyNames(service.prototype)
    .filter((name) => name !== "constructor")
    .map((name) => (service.prototype as Readonly<Record<string, Rpc>>)[name])
    .filter((rpc): rpc is Rpc => typeof rpc?.path === "string");
}

const { Agent, Replicas } = agentProto.agent.v1;
const { Cluster, Images, Nodes, Pods, Resources } = apiProto.api.v1;
const etcdServices = [etcd.KV, etcd.Watch, etcd.Lease, etcd.Cluster, etcd.Maintenance, etcd.Auth];
const apiServices = [Cluster, Images, Nodes, Pods, Resources, ...etcdServices];
const all = [Agent, Replicas, ...apiServices].flatMap(rpcsOf);
/** Its request holds the token. */
const authenticate = "/etcdserverpb.Auth/Authenticate";

/** What each kind of caller of the API listener may do; written down a second time, on purpose. */
const readers = new Set([
  "Get",
  "List",
  "Watch",
  "History",
  "RevisionAt",
  "Kinds",
  "Table",
  "Explain",
  "Logs",
  "Stats",
  "Status",
]);

/** A user's certificate, still to be issued. */
function userNamed(name: string): CertificateRequest {
  return { role: "user", name, addresses: [], days: 1 };
}

function unknown({ path }: Rpc): string {
  return path === authenticate ? "passed" : "Unauthenticated";
}

describe("permissions", () => {
  let cluster: TestCluster;
  before(async () => {
    cluster = await TestCluster.start(1);
    await cluster.seed({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "hidden", namespace: "default", uid: "secret-1" },
      data: { a: "Yg==" },
    });
  });
  after(() => cluster.close());

  it("has an entry for every method of the protocol, and for none besides those of libraries", () => {
    const paths = new Set(all.map(({ path }) => path));
    assert.equal(paths.size, 56);
    for (const path of paths) assert.ok(Object.hasOwn(methodPermissions, path), `${path} has no permission`);
    const others = Object.keys(methodPermissions).filter((path) => !paths.has(path));
    assert.ok(others.every((path) => path.startsWith("/grpc.health.v1.") || path.startsWith("/grpc.reflection.")));
  });

  it("refuses to build a server with a method that has none", () => {
    const metrics = new ServerMetrics(new Registry());
    const options = {
      authenticate: userAuthentication(users),
      metrics,
      log: silentLog,
      leaderAddress: () => undefined,
    };
    const listener = new Listener(options, 10);
    const rpc = { path: "/ikada.api.v1.Resources/Nuke", requestStream: undefined, responseStream: undefined };
    const { KindsRequest, KindsResponse } = apiProto.api.v1;
    assert.throws(
      () => listener.unary(method(rpc, KindsRequest, KindsResponse), () => Promise.resolve({})),
      InvariantError,
    );
  });

  /** The reason a call is refused for, or "passed" when the guard let it through. */
  async function outcome(client: grpc.Client, rpc: Rpc, metadata: grpc.Metadata): Promise<string> {
    const empty = () => Buffer.alloc(0);
    const call = client.makeBidiStreamRequest(rpc.path, empty, () => ({}), metadata, { deadline: Date.now() + 3_000 });
    return await new Promise((resolve) => {
      call.on("data", () => resolve("passed"));
      call.on("error", (error) => {
        const { reason, message } = errorFromStatus(error) as IkadaError;
        // The guard let it through when what is refused is what the empty message says of itself.
        const denied =
          (["Unauthenticated", "Forbidden"].includes(reason) && !/is replica 1, not 0/.test(message)) ||
          /does not implement/.test(message);
        resolve(denied ? (reason === "Unsupported" ? "not there" : reason) : "passed");
      });
      call.on("end", () => resolve("passed"));
      // A watch says nothing by itself; its headers say that it was let in.
      call.on("metadata", () => setTimeout(() => resolve("passed"), 150));
      call.write({});
      if (!rpc.requestStream) call.end();
    }).then((result) => {
      call.cancel();
      return result as string;
    });
  }

  it("lets each caller of the API do what it may and nothing else", async () => {
    const node = await cluster.identity("node", "worker");
    const [alice, victor, root] = await Promise.all(
      ["alice", "victor", "root"].map((name) => cluster.identity("user", name)),
    );
    const foreign = await issueCertificate(await createAuthority("foreign"), userNamed("alice"));
    const late = await issueCertificate(cluster.authority, { ...userNamed("alice"), days: 1e-9 });
    const ofView = ({ path }: Rpc): string => {
      const reads = !path.startsWith("/etcdserverpb.") && readers.has(path.split("/")[2] ?? "");
      return reads || path === authenticate ? "passed" : "Forbidden";
    };
    const callers: readonly (readonly [string, grpc.Client, grpc.Metadata, (rpc: Rpc) => string])[] = [
      ["nobody", cluster.client("api"), new grpc.Metadata(), unknown],
      ["a wrong token", cluster.client("api"), bearer("guess"), () => "Unauthenticated"],
      ["an empty token", cluster.client("api"), bearer(""), unknown],
      ["the hash as token", cluster.client("api"), bearer(users[0]?.sha256 ?? ""), () => "Unauthenticated"],
      ["a node's certificate", cluster.client("api", 1, node), new grpc.Metadata(), unknown],
      ["a stranger's certificate", cluster.client("api", 1, root), new grpc.Metadata(), () => "Unauthenticated"],
      ["another authority's certificate", cluster.client("api", 1, foreign), new grpc.Metadata(), unknown],
      ["a certificate that has ended", cluster.client("api", 1, late), new grpc.Metadata(), unknown],
      ["admin's certificate, view's token", cluster.client("api", 1, alice), bearer(tokens.view), ofView],
      ["admin's certificate, wrong token", cluster.client("api", 1, alice), bearer("guess"), () => "Unauthenticated"],
      ["view's certificate", cluster.client("api", 1, victor), new grpc.Metadata(), ofView],
      ["admin's certificate", cluster.client("api", 1, alice), new grpc.Metadata(), () => "passed"],
      ["view", cluster.client("api"), bearer(tokens.view), ofView],
      ["admin", cluster.client("api"), bearer(tokens.admin), () => "passed"],
    ];
    const api = apiServices.flatMap(rpcsOf);
    for (const [who, client, metadata, expected] of callers) {
      const got = await Promise.all(api.map((rpc) => outcome(client, rpc, metadata)));
      assert.deepEqual(
        api.map(({ path }, at) => `${who} ${path} ${got[at]}`),
        api.map((rpc) => `${who} ${rpc.path} ${expected(rpc)}`),
      );
    }
  });

  it("offers the parts' own services on their own listeners only, to their certificates only", async () => {
    const node = await cluster.identity("node", "worker");
    const server = await cluster.identity("server", "server-1");
    const stranger = await cluster.identity("server", "server-9");
    const user = await cluster.identity("user", "alice");
    const own = { agents: rpcsOf(Agent), replicas: rpcsOf(Replicas) } as const;
    const asked = (["agents", "replicas"] as const).flatMap((listener) =>
      Object.entries({ node, server, stranger, user }).map(async ([who, identity]) => {
        const client = cluster.client(listener, 1, identity);
        const got = await Promise.all(own[listener].map((rpc) => outcome(client, rpc, bearer(tokens.admin))));
        return [...new Set(got)].map((result) => `${listener} ${who} ${result}`);
      }),
    );
    const results = (await Promise.all(asked)).flat();
    const expected = [
      "agents node passed",
      "agents server Unauthenticated",
      "agents stranger Unauthenticated",
      "agents user Unauthenticated",
      "replicas node Unauthenticated",
      "replicas server passed",
      "replicas stranger Unauthenticated",
      "replicas user Unauthenticated",
    ];
    assert.deepEqual(results, expected);
    const [api, agents] = [cluster.client("api"), cluster.client("agents", 1, node)];
    const elsewhere = all.map((rpc) =>
      outcome(rpc.path.startsWith("/ikada.agent.") ? api : agents, rpc, bearer(tokens.admin)),
    );
    assert.deepEqual([...new Set(await Promise.all(elsewhere))], ["not there"]);
  });

  it("shows no Secret to those who may only view", async () => {
    const client = cluster.client("api");
    const view = { metadata: bearer(tokens.view) };
    const secrets = { group: "", version: "v1", kind: "Secret", namespace: "default" };
    await assert.rejects(callUnary(client, apiMethods.get, { reference: { ...secrets, name: "hidden" } }, view), {
      reason: "Forbidden",
    });
    await assert.rejects(callUnary(client, apiMethods.list, secrets, view), { reason: "Forbidden" });
    const admin = { metadata: bearer(tokens.admin) };
    const { object } = await callUnary(client, apiMethods.get, { reference: { ...secrets, name: "hidden" } }, admin);
    assert.equal(read(object).metadata.name, "hidden");
  });

  it("says nothing of a token in what it answers", async () => {
    const metadata = bearer("very-secret-guess");
    const object = wire({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "x" } });
    await assert.rejects(
      callUnary(cluster.client("api"), apiMethods.create, { object }, { metadata }),
      (error: Error) => {
        assert.equal(
          JSON.stringify([error.message, (error as IkadaError).details]).includes("very-secret-guess"),
          false,
        );
        return true;
      },
    );
  });
});
