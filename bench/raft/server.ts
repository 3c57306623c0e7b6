import { join } from "node:path";
import * as grpc from "@grpc/grpc-js";
import type { NodeId } from "../../raft/core/types.js";
import { startConsensus } from "../../raft/worker/handle.js";
import type { PeerAddress } from "../../raft/worker/known-members.js";
import { hostEnv } from "../../src/host/env.js";
import { bind, shutDown } from "../../src/host/grpc.js";
import { silentLog } from "../../src/host/log.js";
import { loadTlsFiles, ServerTls, type TlsFiles } from "../../src/host/tls.js";
import { loadState } from "../../store/load.js";
import { Replica } from "../../store/replica.js";
import { RocksKeyValue } from "../../store/rocks/rocks-key-value.js";
import type { StateMachine } from "../../store/state-machine.js";
import type { Txn, TxnResult } from "../../store/store.js";
import { decodePuts, encodeAnswers, packedStreamPath, putPath, same, streamPath, type Put } from "./frames.js";

/**
 * One server of the Raft bench: consensus in its thread, log and RocksDB on disk, the store's replica, as in a real
 * server; in front of them a service that takes bare puts instead of Kubernetes objects. Forked, and asked over IPC.
 */

export interface ServerOptions {
  readonly id: NodeId;
  readonly members: readonly PeerAddress[];
  readonly dataFolder: string;
  readonly tls: TlsFiles;
}

/** What the bench asks over IPC; each is answered by one message, in order. */
export type ServerQuestion = { readonly type: "state" } | { readonly type: "versions"; readonly prefix: string };

export interface ServerState {
  /** Of the service. */
  readonly port: number;
  readonly leader: NodeId;
  readonly appliedIndex: number;
  readonly digest: string;
  /** Processor time of all threads since the start. */
  readonly cpuUs: number;
}

/** Of each key, how often it was written and when last. */
export type Versions = ReadonlyMap<string, { readonly version: number; readonly revision: number }>;

const origin = "bench";

async function start(options: ServerOptions): Promise<void> {
  const { id, members, dataFolder, tls } = options;
  const onFatal = (error: Error): never => {
    throw error;
  };
  const env = hostEnv({ dataFolder, log: silentLog });
  const keyValue = await RocksKeyValue.open(join(dataFolder, "state"));
  const state = await new Promise<StateMachine>((resolve, reject) => {
    loadState(keyValue, (error, loaded) => (error ? reject(error) : resolve(loaded)));
  });
  const store = new Replica({ env, keyValue, state, onFatal });
  const listen = members.find((member) => member.id === id)!.address;
  const consensus = await startConsensus(
    { id, clusterId: "bench", members, listen, dataFolder, tls, appliedIndex: 0 },
    store,
    silentLog,
  );
  store.connect(consensus);
  const server = new grpc.Server();
  register(server, store);
  const port = await bind(server, "127.0.0.1:0", new ServerTls(loadTlsFiles(tls), "required"));

  const stateNow = (): ServerState => {
    const { user, system } = process.cpuUsage();
    const leader = store.status()?.leader ?? 0;
    return { port, leader, appliedIndex: store.appliedIndex(), digest: store.digest(), cpuUs: user + system };
  };
  process.on("message", (question: ServerQuestion) => {
    process.send!(question.type === "state" ? stateNow() : versions(store, question.prefix));
  });
  process.once("disconnect", () => {
    void (async () => {
      await shutDown(server, 0);
      await consensus.stop();
      await store.close();
      await keyValue.close();
      await env.close();
    })();
  });
  process.send!(stateNow());
}

function register(server: grpc.Server, store: Replica): void {
  const unary: grpc.handleUnaryCall<Buffer, Buffer> = ({ request }, answer) => {
    const [put] = decodePuts(request);
    store.writeThen({ txns: [txnOf(put!)], origin }, (error, results) => answer(error, revisionsOf(results)));
  };
  const stream = (write: Write): grpc.handleBidiStreamingCall<Buffer, Buffer> => {
    return (call) => {
      call.on("data", (message: Buffer) => {
        write(store, decodePuts(message), (revisions) => call.write(encodeAnswers(revisions)));
      });
      call.on("end", () => call.end());
      call.on("error", () => undefined);
    };
  };
  server.register(putPath, unary, same, same, "unary");
  server.register(streamPath, stream(writeEach), same, same, "bidi");
  server.register(packedStreamPath, stream(writePacked), same, same, "bidi");
}

/** Calls back with one revision per put, in their order; 0 for one that failed. */
type Write = (store: Replica, puts: readonly Put[], done: (revisions: readonly number[]) => void) => void;

/** Every put is a request of its own: own log entry, own revision, own answer. */
function writeEach(store: Replica, puts: readonly Put[], done: (revisions: readonly number[]) => void): void {
  const revisions: number[] = Array.from(puts, () => 0);
  let left = puts.length;
  for (const [at, put] of puts.entries())
    store.writeThen({ txns: [txnOf(put)], origin }, (error, results) => {
      if (!error) revisions[at] = results[0]!.revision;
      left -= 1;
      if (left === 0) done(revisions);
    });
}

/** One request with a transaction for each put: one log entry, but each its own revision. */
function writePacked(store: Replica, puts: readonly Put[], done: (revisions: readonly number[]) => void): void {
  store.writeThen({ txns: puts.map(txnOf), origin }, (error, results) =>
    done(puts.map((_, at) => (error ? 0 : results[at]!.revision))),
  );
}

function txnOf({ key, value }: Put): Txn {
  return { compares: [], success: [{ type: "put", key, value, revisionAt: -1 }], failure: [] };
}

function revisionsOf(results: readonly TxnResult[]): Buffer {
  return encodeAnswers(results.map(({ revision }) => revision));
}

function versions(store: Replica, prefix: string): Versions {
  const found = new Map<string, { version: number; revision: number }>();
  for (const { key, version, modRevision } of store.peekPrefix(prefix))
    found.set(key, { version, revision: modRevision });
  return found;
}

process.once("message", (options: ServerOptions) => {
  start(options).catch((error: unknown) => {
    process.stderr.write(`bench server ${options.id}: ${(error as Error).stack}\n`);
    process.exit(1);
  });
});
