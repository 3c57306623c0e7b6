import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Cluster,
  IkadaError,
  Informer,
  NodeImages,
  PodAccess,
  Resource,
  ScalableResource,
  StatusResource,
  type AnyObject,
  type CallOptions,
  type Scale,
} from "../../sdk/index.js";
import { Client } from "../../sdk/client.js";
import { ClientConnection } from "../../sdk/connection.js";
import { limits } from "../../src/base/limits.js";
import { eventually } from "../server/harness.js";
import { configMap, deployment } from "../server/objects.js";
import { AnsweringServer } from "../server/answering-server.js";
import { connectTo } from "./connect-to.js";

const namespace = "default";
const server = { id: 4, name: "server-4", api: "a:1", agents: "a:2", replicas: "a:3", raft: "a:4" };
const scale: Scale = {
  apiVersion: "autoscaling/v1",
  kind: "Scale",
  metadata: { name: "web", namespace },
  spec: { replicas: 1 },
  status: { replicas: 0, selector: "" },
};
const change = (): void => undefined;
const web = deployment("web", 1) as never;

async function* nothing(): AsyncGenerator<Uint8Array> {}

type Run = (client: Client, options: CallOptions) => Promise<unknown> | AsyncGenerator;

/** How each public method is called. `local`: those that wait for nothing. */
const methods: Record<string, Record<string, Run | "local">> = {
  Client: {
    close: "local",
    get: (client, options) => client.get("pods", "web", options),
    list: (client, options) => client.list("pods", options),
    listPage: (client, options) => client.listPage("pods", options),
    table: (client, options) => client.table("pods", options),
    watch: (client, options) => client.watch("pods", options),
    informer: (client, options) => client.informer("pods", options).synced,
    create: (client, options) => client.create(configMap("a"), options),
    update: (client, options) => client.update(configMap("a"), options),
    modify: (client, options) => client.modify("configmaps", "a", change, options),
    apply: (client, options) => client.apply(configMap("a"), options),
    patch: (client, options) => client.patch("configmaps", "a", {}, options),
    delete: (client, options) => client.delete("configmaps", "a", options),
    deleteCollection: (client, options) => client.deleteCollection("configmaps", { namespace, ...options }),
    evict: (client, options) => client.evict("web-1", { namespace, ...options }),
    explain: (client, options) => client.explain("pods", "web-1", { namespace, ...options }),
    scale: (client, options) => client.scale("deployments", "web", 1, options),
    history: (client, options) => client.history("configmaps", "a", options),
    revisionAt: (client, options) => client.revisionAt(new Date(0), options),
    undo: (client, options) => client.undo("configmaps", "a", 1, options),
    getScale: (client, options) => client.getScale("deployments", "web", options),
    updateScale: (client, options) => client.updateScale("deployments", scale, options),
    logs: (client, options) => client.logs("web", { namespace, ...options }),
    clusterStatus: (client, options) => client.clusterStatus(options),
  },
  Resource: {
    get: (client, options) => client.configMaps.get("a", options),
    list: (client, options) => client.configMaps.list(options),
    listPage: (client, options) => client.configMaps.listPage(options),
    table: (client, options) => client.configMaps.table(options),
    watch: (client, options) => client.configMaps.watch(options),
    informer: (client, options) => client.configMaps.informer(options).synced,
    create: (client, options) => client.configMaps.create({ metadata: { name: "a" } }, options),
    update: (client, options) => client.configMaps.update({ metadata: { name: "a" } }, options),
    modify: (client, options) => client.configMaps.modify("a", change, options),
    apply: (client, options) => client.configMaps.apply({ metadata: { name: "a" } }, options),
    patch: (client, options) => client.configMaps.patch("a", {}, options),
    delete: (client, options) => client.configMaps.delete("a", options),
    deleteCollection: (client, options) => client.configMaps.deleteCollection({ namespace, ...options }),
    history: (client, options) => client.configMaps.history("a", options),
    undo: (client, options) => client.configMaps.undo("a", 1, options),
    named: "local",
  },
  StatusResource: {
    updateStatus: (client, options) => client.deployments.updateStatus(web, options),
    modifyStatus: (client, options) => client.deployments.modifyStatus("web", change, options),
    applyStatus: (client, options) => client.deployments.applyStatus(web, options),
    patchStatus: (client, options) => client.deployments.patchStatus("web", {}, options),
  },
  ScalableResource: {
    scale: (client, options) => client.deployments.scale("web", 1, options),
    getScale: (client, options) => client.deployments.getScale("web", options),
    updateScale: (client, options) => client.deployments.updateScale(scale, options),
  },
  Cluster: {
    members: (client, options) => client.cluster.members(options),
    add: (client, options) => client.cluster.add(server, options),
    promote: (client, options) => client.cluster.promote(4, options),
    demote: (client, options) => client.cluster.demote(4, options),
    remove: (client, options) => client.cluster.remove(4, options),
    replace: (client, options) => client.cluster.replace(1, server, options),
    transfer: (client, options) => client.cluster.transfer(2, options),
    backup: (client, options) => client.cluster.backup(options),
    backupTo: (client, options) => client.cluster.backupTo(join(tmpdir(), `ikada-deadline-${process.pid}`), options),
  },
  PodAccess: {
    exec: (client, options) => client.access.exec("web", ["true"], { namespace, ...options }),
    attach: (client, options) => client.access.attach("web", { namespace, ...options }),
    connect: (client, options) => client.access.connect("web", 80, { namespace, ...options }),
    readArchive: (client, options) => client.access.readArchive("web", "/", { namespace, ...options }),
    writeArchive: (client, options) => client.access.writeArchive("web", "/", nothing(), { namespace, ...options }),
    podStats: (client, options) => client.access.podStats(options),
    nodeStats: (client, options) => client.access.nodeStats(options),
  },
  NodeImages: {
    load: (client, options) => client.images.load("node-1", nothing(), options),
    list: (client, options) => client.images.list(options),
  },
  ClientConnection: {
    changes: (client, options) => client.connection.changes(options),
    // The client's own parts call these.
    asked: "local",
    answered: "local",
    named: "local",
    failed: "local",
    close: "local",
  },
  // Its options are those of `informer`; these read what it has in memory.
  Informer: { get: "local", list: "local", by: "local", on: "local", close: "local" },
};
const classes = {
  Client,
  NodeImages,
  PodAccess,
  Resource,
  StatusResource,
  ScalableResource,
  Cluster,
  ClientConnection,
  Informer,
};

/** Until a method is done, whichever of the two it gives. */
async function finish(run: Run, client: Client, options: CallOptions): Promise<void> {
  const given = run(client, options);
  if (given instanceof Promise) await given;
  else for await (const each of given) void each;
}

describe("every public method of the client library", () => {
  let silent: AnsweringServer;
  before(async () => {
    silent = await AnsweringServer.start();
  });
  after(() => silent.close());

  it("is in the table of this test, and no other", () => {
    const found = Object.entries(classes).map(([name, { prototype }]) => {
      const own = Object.getOwnPropertyDescriptors(prototype) as Record<string, PropertyDescriptor>;
      const names = Object.keys(own).filter((key) => key !== "constructor" && typeof own[key]?.value === "function");
      return [name, names.sort()];
    });
    const known = Object.entries(methods).map(([name, table]) => [name, Object.keys(table).sort()]);
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(known));
  });

  for (const [className, table] of Object.entries(methods)) {
    for (const [name, run] of Object.entries(table)) {
      if (run === "local") continue;
      it(`${className}.${name} ends at its deadline, and at its signal before and while it waits`, async () => {
        const client = await connectTo(silent);
        try {
          await assert.rejects(finish(run, client, { deadlineMs: 50 }), { reason: "Deadline" });
          await assert.rejects(finish(run, client, { signal: AbortSignal.abort() }), { reason: "Cancelled" });
          const controller = new AbortController();
          const waiting = finish(run, client, { signal: controller.signal });
          setTimeout(() => controller.abort(), 20);
          await assert.rejects(waiting, { reason: "Cancelled" });
          await assert.rejects(finish(run, client, { deadlineMs: -1 }), { reason: "BadRequest" });
        } finally {
          await client.close();
        }
      });
    }
  }
});

describe("one deadline", () => {
  const pause = () => new Promise((resolve) => setTimeout(resolve, 10));
  const endless = async (answer: object): Promise<object> => {
    await pause();
    return answer;
  };
  let server: AnsweringServer;
  let client: Client;
  before(async () => {
    const json = new TextEncoder().encode(JSON.stringify(configMap("a", {}, { uid: "u", resourceVersion: "1" })));
    server = await AnsweringServer.start({
      list: () => endless({ objects: [{ json }], revision: 1, continue: "more" }),
      table: () => endless({ rows: [], columns: [], continue: "more" }),
      history: () => endless({ changes: [{ revision: 2 }], before: 1 }),
      deleteCollection: () => endless({ outcomes: [], continue: "more" }),
    });
    client = await connectTo(server);
  });
  after(async () => {
    await client.close();
    await server.close();
  });

  const paged: Record<string, Run> = {
    list: (each, options) => each.list("configmaps", options),
    table: (each, options) => each.table("configmaps", options),
    history: (each, options) => each.history("configmaps", "a", options),
    deleteCollection: (each, options) => each.deleteCollection("configmaps", { namespace, ...options }),
  };
  for (const [name, run] of Object.entries(paged)) {
    it(`holds for all pages of ${name} together`, async () => {
      await assert.rejects(finish(run, client, { deadlineMs: 200 }), { reason: "Deadline" });
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 50);
      await assert.rejects(finish(run, client, { signal: controller.signal }), { reason: "Cancelled" });
    });
  }

  it("holds for a write that waits for its turn among others", async () => {
    const silent = await AnsweringServer.start();
    const busy = await connectTo(silent);
    const object: AnyObject = configMap("a");
    const others = Array.from({ length: limits.requestsPerClientMax - 1 }, () => busy.create(object));
    const ended = Promise.allSettled(others);
    await assert.rejects(busy.create(object, { deadlineMs: 50 }), { reason: "Deadline" });
    const controller = new AbortController();
    const waiting = [1, 2].map(() => busy.create(object, { signal: controller.signal }));
    setTimeout(() => controller.abort(), 20);
    for (const each of waiting) await assert.rejects(each, { reason: "Cancelled" });
    await busy.close();
    for (const { status } of await ended) assert.equal(status, "rejected");
    await silent.close();
  });

  it("or none, a watch and a call end with their client", async () => {
    const silent = await AnsweringServer.start();
    const ending = await connectTo(silent);
    const calls = [
      finish((each) => each.watch("pods"), ending, {}),
      finish((each) => each.get("pods", "a"), ending, {}),
    ];
    const ended = Promise.allSettled(calls);
    await eventually(() => silent.headers.length === 2);
    await ending.close();
    for (const each of await ended)
      assert.equal(each.status === "rejected" && (each.reason as IkadaError).message, "the client is closed");
    await silent.close();
  });

  it("of a change of members ends while it waits for a member that is not ready", async () => {
    const refusing = await AnsweringServer.start({
      clusterStatus: () => Promise.resolve({}),
      changeMembers: () => Promise.reject(new IkadaError("NotReady", "server 4 is 9 entries behind")),
    });
    const patient = await connectTo(refusing);
    try {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 50);
      await assert.rejects(patient.cluster.promote(4, { signal: controller.signal }), { reason: "Cancelled" });
      await assert.rejects(patient.cluster.promote(4, { deadlineMs: 100 }), { reason: "NotReady" });
    } finally {
      await patient.close();
      await refusing.close();
    }
  });
});
