import * as http2 from "node:http2";
import { ikada } from "#proto/api.js";
import { etcdserverpb as pb } from "#proto/etcd.js";
import { apiMethods } from "../../src/host/api-methods.js";
import { etcdMethods } from "../../src/host/etcd-methods.js";
import type { Endpoint } from "../contestant.js";
import { framed } from "../kv/h2load.js";
import { DelayHistogram } from "./delay-histogram.js";
import { stampsIn } from "./stamp.js";
import { watchedNamespace, watchedPrefix, type Service } from "./watched.js";

/**
 * The watchers of the bench, in a process of their own. Forked; takes one question after the other over IPC. They read HTTP/2 streams
 * as they come and look for the writer's stamps in them, without decoding messages: a client that costs little.
 */

export type WatchersQuestion =
  | {
      readonly type: "open";
      readonly endpoint: Endpoint;
      readonly service: Service;
      readonly watchers: number;
      /** One more that never reads. */
      readonly stuck: boolean;
    }
  /** Counts from now on. */
  | { readonly type: "begin" }
  /** What was seen since then. */
  | { readonly type: "seen" }
  /** Reads what the stuck one was sent, to the end of its stream. */
  | { readonly type: "unstick" }
  | { readonly type: "close" };

export type WatchersAnswer =
  | { readonly type: "open" | "close" }
  | {
      readonly type: "seen";
      readonly events: number;
      readonly p50Ms: number;
      readonly p99Ms: number;
      readonly maxMs: number;
      readonly cpuUs: number;
    }
  | { readonly type: "unstick"; readonly events: number; readonly end: string };

const connectionsPerServer = 2;
const windowBytes = 4 * 1024 * 1024;
const standMsMax = 30_000;
const endMsMax = 20_000;

const delays = new DelayHistogram();
const sessions: http2.ClientHttp2Session[] = [];
let stuck: http2.ClientHttp2Stream | undefined;
let isStuckEtcd = false;

async function open({
  endpoint,
  service,
  watchers,
  stuck: wantsStuck,
}: WatchersQuestion & { type: "open" }): Promise<void> {
  for (const address of endpoint.all)
    for (let at = 0; at < connectionsPerServer; at += 1) sessions.push(connect(address, endpoint));
  await Promise.all(
    Array.from({ length: watchers }, (_, at) => watch(sessions[at % sessions.length]!, endpoint, service)),
  );
  if (!wantsStuck) return;
  const session = connect(endpoint.address, endpoint);
  sessions.push(session);
  isStuckEtcd = service === "etcd";
  stuck = request(session, endpoint, service);
  stuck.pause();
}

function connect(address: string, { authority }: Endpoint): http2.ClientHttp2Session {
  const session = http2.connect(`https://${address}`, { ca: authority, settings: { initialWindowSize: windowBytes } });
  session.on("connect", () => session.setLocalWindowSize(4 * windowBytes));
  session.on("error", (error) => fail(error));
  return session;
}

function request(session: http2.ClientHttp2Session, { token }: Endpoint, service: Service): http2.ClientHttp2Stream {
  const [path, message] = asked[service];
  const headers = { ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", token };
  const stream = session.request(headers);
  // A call of etcd's is open to further requests as long as it lasts.
  if (service === "etcd") stream.write(framed(message));
  else stream.end(framed(message));
  return stream;
}

const asked: Readonly<Record<Service, readonly [string, Buffer]>> = {
  resources: [
    apiMethods.watch.path,
    apiMethods.watch.serializeRequest({ version: "v1", kind: "ConfigMap", namespace: watchedNamespace }),
  ],
  etcd: [
    etcdMethods.watch.path,
    etcdMethods.watch.serializeRequest({
      createRequest: { key: Buffer.from(`${watchedPrefix}/`), rangeEnd: Buffer.from(`${watchedPrefix}0`) },
    }),
  ],
};

/** Resolves when it stands: it was told so, or of what was there before. */
function watch(session: http2.ClientHttp2Session, endpoint: Endpoint, service: Service): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("a watch was not told that it stands")), standMsMax);
    const stream = request(session, endpoint, service);
    let rest: Buffer | undefined;
    let stands = false;
    stream.on("data", (chunk: Buffer) => {
      const now = nowUs();
      const { stamps, others, rest: left } = stampsIn(rest ? Buffer.concat([rest, chunk]) : chunk);
      rest = left;
      for (const stamp of stamps) if (stands) delays.add(now - stamp);
      if (stands || others.length === 0) return;
      stands = true;
      clearTimeout(timer);
      resolve();
    });
    stream.on("trailers", (trailers) => fail(new Error(`a watch has ended: ${JSON.stringify(trailers)}`)));
    stream.on("error", fail);
  });
}

function seen(): WatchersAnswer {
  const { user, system } = process.cpuUsage();
  return { type: "seen", ...delays.summary(), cpuUs: user + system };
}

function unstick(): Promise<WatchersAnswer> {
  const stream = stuck!;
  let events = 0;
  let rest: Buffer | undefined;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the stuck watch has no end: nobody closed it")), endMsMax);
    const done = (end: string): void => {
      clearTimeout(timer);
      resolve({ type: "unstick", events, end });
    };
    stream.on("trailers", (trailers) => {
      const details = trailers["ikada-error-bin"];
      const { reason, revision } = ikada.api.v1.ErrorDetails.decode(Buffer.from(String(details ?? ""), "base64"));
      done(`${reason || `status ${String(trailers["grpc-status"])}`}, resume from ${revision}`);
    });
    stream.on("data", (chunk: Buffer) => {
      const { stamps, rest: left, others } = stampsIn(rest ? Buffer.concat([rest, chunk]) : chunk);
      rest = left;
      events += stamps.length;
      for (const message of isStuckEtcd ? others : []) {
        const { canceled, cancelReason } = pb.WatchResponse.decode(message);
        if (canceled) done(cancelReason);
      }
    });
    stream.resume();
  });
}

function close(): void {
  for (const session of sessions.splice(0)) session.destroy();
  stuck = undefined;
}

function nowUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

let isClosing = false;
function fail(error: Error): void {
  if (isClosing) return;
  process.stderr.write(`bench watchers: ${error.stack}\n`);
  process.exit(1);
}

async function answer(question: WatchersQuestion): Promise<WatchersAnswer> {
  isClosing = question.type === "close";
  switch (question.type) {
    case "open":
      await open(question);
      return { type: "open" };
    case "begin":
      delays.clear();
      return seen();
    case "seen":
      return seen();
    case "unstick":
      return await unstick();
    default:
      close();
      return { type: "close" };
  }
}

process.on("message", (question: WatchersQuestion) => {
  answer(question).then((made) => process.send!(made), fail);
});
