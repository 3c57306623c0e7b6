import * as grpc from "@grpc/grpc-js";
import { apiMethods } from "../../src/host/api-methods.js";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import { callUnary } from "../../src/host/grpc.js";
import { createClient } from "../../src/host/tls.js";
import type { Endpoint } from "../contestant.js";
import { stampOf } from "./stamp.js";
import { watchedNamespace, watchedPrefix, type Service } from "./watched.js";

/** The writer of the watch bench, in a process of its own. Forked; each `Changes` is answered when all were acknowledged. */

export interface Changes {
  readonly endpoint: Endpoint;
  readonly service: Service;
  readonly perSecond: number;
  readonly durationMs: number;
}

export interface ChangesDone {
  readonly changes: number;
  readonly tookMs: number;
}

/** Keys, or objects, that are changed in turn. */
const keyCount = 100;
const inFlightMax = 512;
const padding = "x".repeat(200);

async function run({ endpoint, service, perSecond, durationMs }: Changes): Promise<ChangesDone> {
  const client = createClient(endpoint.address, { authority: endpoint.authority });
  const metadata = new grpc.Metadata();
  metadata.set("token", endpoint.token);
  const change = service === "etcd" ? putKey : applyObject;
  const began = performance.now();
  let [sent, inFlight] = [0, 0];
  try {
    await new Promise<void>((resolve, reject) => {
      const one = async (at: number): Promise<void> => {
        inFlight += 1;
        await change(client, metadata, at);
        inFlight -= 1;
        if (inFlight === 0 && performance.now() - began >= durationMs) resolve();
      };
      const timer = setInterval(() => {
        const elapsed = performance.now() - began;
        if (elapsed >= durationMs) {
          clearInterval(timer);
          if (inFlight === 0) resolve();
          return;
        }
        const due = Math.floor((elapsed * perSecond) / 1000);
        const sendable = Math.min(due - sent, inFlightMax - inFlight);
        for (const end = sent + sendable; sent < end; sent += 1) one(sent % keyCount).catch(reject);
      }, 1);
    });
  } finally {
    client.close();
  }
  return { changes: sent, tookMs: performance.now() - began };
}

function stampNow(): string {
  return stampOf(Number(process.hrtime.bigint() / 1000n));
}

async function putKey(client: grpc.Client, metadata: grpc.Metadata, at: number): Promise<void> {
  const request = { key: Buffer.from(`${watchedPrefix}/${at}`), value: Buffer.from(stampNow() + padding) };
  await callUnary(client, etcdMethods.put, request, { metadata });
}

async function applyObject(client: grpc.Client, metadata: grpc.Metadata, at: number): Promise<void> {
  const object = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: watchedNamespace, name: `watched-${at}` },
    data: { value: stampNow() + padding },
  };
  const { name, namespace } = object.metadata;
  const json = Buffer.from(JSON.stringify(object));
  const request = { object: { version: "v1", kind: "ConfigMap", namespace, name, json } };
  await callUnary(client, apiMethods.apply, request, { metadata });
}

process.on("message", (changes: Changes) => {
  run(changes).then(
    (made) => process.send!(made),
    (error: unknown) => {
      process.stderr.write(`bench writer: ${(error as Error).stack}\n`);
      process.exit(1);
    },
  );
});
