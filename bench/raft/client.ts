import type * as grpc from "@grpc/grpc-js";
import { createClient, type ClientTls } from "../../src/host/tls.js";
import { putRequest } from "../etcd-messages.js";
import { percentile } from "../measure.js";
import { decodeAnswers, encodePuts, packedStreamPath, putPath, same, streamPath, type Put } from "./frames.js";

/** The load of the Raft bench, in a process of its own. Forked; takes one `Load` after the other over IPC. */

export interface Load {
  /** Of the leader. */
  readonly address: string;
  readonly tls: ClientTls;
  /** `etcd` is unary under etcd's names. */
  readonly call: "unary" | "stream" | "packed" | "etcd";
  /** Puts under way at every moment. */
  readonly inFlight: number;
  readonly durationMs: number;
}

export interface LoadResult {
  readonly commits: number;
  readonly failures: number;
  readonly tookMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: number;
  /** Of each key, the acknowledged puts and the highest revision among them. */
  readonly acknowledged: ReadonlyMap<string, { readonly count: number; readonly revision: number }>;
}

/** Puts in one message of a stream, at most. */
const messagePutsMax = 32;
/** Connections for unary calls, at most: enough that one connection's flow control is not what is measured. */
const connectionsMax = 8;
const valueBytes = 256;
/** Enough that keys seldom repeat within what is in flight; few enough that the state stays the same size while it runs. */
const keyCount = 65_536;
const keyPrefix = "bench/";
/** Longer than a leader needs to be replaced. */
const callMsMax = 20_000;

const acknowledged = new Map<string, { count: number; revision: number }>();
let written = 0;

async function run(load: Load): Promise<LoadResult> {
  const connections = load.call === "unary" || load.call === "etcd" ? Math.min(load.inFlight, connectionsMax) : 1;
  const clients = Array.from({ length: connections }, () => createClient(load.address, load.tls));
  acknowledged.clear();
  const took: number[] = [];
  let failures = 0;
  const { user, system } = process.cpuUsage();
  const start = performance.now();
  const isOver = (): boolean => performance.now() - start >= load.durationMs;
  const answered = (puts: readonly Put[], sinceMs: number, revisions: readonly number[]): void => {
    const tookMs = performance.now() - sinceMs;
    for (const [at, { key }] of puts.entries()) {
      const revision = revisions[at] ?? 0;
      if (revision === 0) failures += 1;
      else acknowledge(key, revision);
      took.push(tookMs);
    }
  };
  const work: Promise<void>[] = [];
  if (load.call === "unary" || load.call === "etcd") {
    const call = load.call === "unary" ? putOnce : putEtcd;
    for (let caller = 0; caller < load.inFlight; caller += 1) {
      const client = clients[caller % connections]!;
      work.push(
        repeat(isOver, async () => {
          const put = nextPut();
          const sinceMs = performance.now();
          answered([put], sinceMs, [await call(client, put)]);
        }),
      );
    }
  } else {
    const path = load.call === "stream" ? streamPath : packedStreamPath;
    work.push(streamPuts(clients[0]!, path, load.inFlight, isOver, answered));
  }
  await Promise.all(work);
  const tookMs = performance.now() - start;
  const used = process.cpuUsage();
  for (const client of clients) client.close();
  return {
    commits: took.length - failures,
    failures,
    tookMs,
    p50Ms: percentile(took, 0.5),
    p99Ms: percentile(took, 0.99),
    cpuUs: used.user + used.system - user - system,
    acknowledged,
  };
}

async function repeat(isOver: () => boolean, once: () => Promise<void>): Promise<void> {
  while (!isOver()) await once();
}

/** The revision it made; 0 when it failed. */
function putOnce(client: grpc.Client, put: Put): Promise<number> {
  return unary(client, putPath, encodePuts([put]), (answer) => decodeAnswers(answer)[0] ?? 0);
}

/** As above; what etcd answers is not read. */
function putEtcd(client: grpc.Client, { key, value }: Put): Promise<number> {
  return unary(client, "/etcdserverpb.KV/Put", putRequest(key, value), () => 1);
}

function unary(client: grpc.Client, path: string, request: Buffer, read: (answer: Buffer) => number): Promise<number> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, same, same, request, { deadline: Date.now() + callMsMax }, (error, answer) =>
      resolve(error ? 0 : read(answer!)),
    );
  });
}

/** Keeps messages of up to `messagePutsMax` puts under way on one stream, as many as make up `inFlight`; each answered one is followed by the next. */
function streamPuts(
  client: grpc.Client,
  path: string,
  inFlight: number,
  isOver: () => boolean,
  answered: (puts: readonly Put[], sinceMs: number, revisions: readonly number[]) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = client.makeBidiStreamRequest(path, same, same);
    const size = Math.min(inFlight, messagePutsMax);
    const waiting: { readonly puts: readonly Put[]; readonly sinceMs: number }[] = [];
    const send = (): void => {
      const puts = Array.from({ length: size }, nextPut);
      waiting.push({ puts, sinceMs: performance.now() });
      stream.write(encodePuts(puts));
    };
    stream.on("data", (answer: Buffer) => {
      // Committed in the order of the log, so answered in the order sent.
      const { puts, sinceMs } = waiting.shift()!;
      answered(puts, sinceMs, decodeAnswers(answer));
      if (!isOver()) send();
      else if (waiting.length === 0) stream.end();
    });
    stream.on("error", reject);
    stream.on("end", resolve);
    for (let sent = 0; sent < inFlight; sent += size) send();
  });
}

function nextPut(): Put {
  written += 1;
  const value = Buffer.alloc(valueBytes, "v");
  value.writeDoubleLE(written, 0);
  return { key: `${keyPrefix}${written % keyCount}`, value };
}

function acknowledge(key: string, revision: number): void {
  const known = acknowledged.get(key);
  if (!known) acknowledged.set(key, { count: 1, revision });
  else {
    known.count += 1;
    known.revision = Math.max(known.revision, revision);
  }
}

process.on("message", (load: Load) => {
  run(load).then(
    (result) => process.send!(result),
    (error: unknown) => {
      process.stderr.write(`bench client: ${(error as Error).stack}\n`);
      process.exit(1);
    },
  );
});
