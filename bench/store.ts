/** The store alone, without Raft: what one replica can apply, answer and hand to watches. `node dist/bench/store.js` */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Env, Log } from "../src/base/env.js";
import { hostEnv } from "../src/host/env.js";
import { encodeCommand } from "../store/codec.js";
import { LocalConsensus } from "../store/local-consensus.js";
import { loadState } from "../store/load.js";
import { MemoryKeyValue } from "../store/memory-key-value.js";
import type { KeyValue } from "../store/key-value.js";
import { Replica } from "../store/replica.js";
import { RocksKeyValue } from "../store/rocks/rocks-key-value.js";
import { StateMachine } from "../store/state-machine.js";
import type { Txn } from "../store/store.js";

const valueBytes = 1024;
const keyCount = 5_000;
const writeCount = 20_000;
const underWay = 64;
const watchCount = 1_000;

const value = new Uint8Array(valueBytes).fill(97);
const silent: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, with: () => silent };

const folder = await mkdtemp(join(tmpdir(), "ikada-bench-"));
const env = hostEnv({ dataFolder: join(folder, "files"), log: silent });
try {
  row("operation", "per second", "us each");
  applyAlone(1);
  applyAlone(64);
  await writes("write, memory", new MemoryKeyValue());
  const database = join(folder, "state");
  await writes("write, RocksDB", await RocksKeyValue.open(database));
  await reads(await RocksKeyValue.open(database));
} finally {
  await env.close();
  await rm(folder, { recursive: true });
}

/** The state machine by itself, from encoded entries. */
function applyAlone(txnsPerEntry: number): void {
  const entries = writeCount / txnsPerEntry;
  const encoded = Array.from({ length: entries }, (_, at) => {
    const txns = Array.from({ length: txnsPerEntry }, (_, index) => put(at * txnsPerEntry + index));
    return encodeCommand(at + 1, { txns, origin: "bench" });
  });
  const state = new StateMachine();
  const took = timed(() => {
    for (const [at, data] of encoded.entries()) {
      state.apply({ term: 1, index: at + 1, type: "Normal", data });
      if (at % 16 === 0) state.takeBatch();
    }
  });
  report(`apply, ${txnsPerEntry} transactions an entry`, Math.floor(entries) * txnsPerEntry, took);
}

/** Callers that each wait for their answer, with watches of one namespace each beside them. */
async function writes(name: string, keyValue: KeyValue): Promise<void> {
  for (const watches of [0, watchCount]) {
    const replica = await openReplica(env, keyValue);
    let events = 0;
    const onBatch = (): void => {
      events += 1;
    };
    for (let at = 0; at < watches; at += 1) replica.watch(`key/${at}/`, replica.revision(), { onBatch, onError: fail });
    let next = 0;
    const caller = async (): Promise<void> => {
      for (next += 1; next <= writeCount; next += 1) await replica.write({ txns: [put(next)], origin: "bench" });
    };
    const start = env.clock.monotonic();
    await Promise.all(Array.from({ length: underWay }, caller));
    report(`${name}, ${underWay} callers, ${watches} watches`, writeCount, env.clock.monotonic() - start);
    if (watches > 0 && events === 0) throw new Error("the watches were given nothing");
    await replica.close();
  }
  await keyValue.close();
}

async function reads(keyValue: KeyValue): Promise<void> {
  const start = env.clock.monotonic();
  const replica = await openReplica(env, keyValue);
  report(`load ${keyCount} keys, ${2 * writeCount} versions`, 1, env.clock.monotonic() - start);
  const count = 200;
  for (const [name, revision] of [
    ["now", undefined],
    ["from memory", replica.revision()],
    ["from disk", replica.revision() - writeCount / 2],
  ] as const) {
    const from = env.clock.monotonic();
    for (let at = 0; at < count; at += 1)
      await replica.range({ prefix: `key/${at}/`, limit: 500, ...(revision === undefined ? {} : { revision }) });
    report(`list 5 of ${keyCount} keys, ${name}`, count, env.clock.monotonic() - from);
  }
  const from = env.clock.monotonic();
  let events = 0;
  await new Promise<void>((resolve, reject) => {
    replica.watch("", 0, {
      onBatch: (batch) => {
        events += batch.events.length;
        if (batch.revision === replica.revision()) resolve();
      },
      onError: reject,
    });
  });
  report("replay a watch from revision 0, events", events, env.clock.monotonic() - from);
  await replica.close();
  await keyValue.close();
}

function openReplica(env: Env, keyValue: KeyValue): Promise<Replica> {
  return new Promise((resolve, reject) => {
    loadState(keyValue, (error, state) => {
      if (error) return reject(error);
      const replica = new Replica({ env, keyValue, state, onFatal: fail });
      replica.connect(new LocalConsensus(replica, state.appliedIndex));
      return resolve(replica);
    });
  });
}

function put(at: number): Txn {
  const number = at % keyCount;
  const key = `key/${number % watchCount}/${number}`;
  return { compares: [], success: [{ type: "put", key, value, revisionAt: 0 }], failure: [] };
}

function timed(run: () => void): number {
  const start = env.clock.monotonic();
  run();
  return env.clock.monotonic() - start;
}

function report(name: string, count: number, tookMs: number): void {
  row(name, ((count * 1000) / tookMs).toFixed(0), ((tookMs * 1000) / count).toFixed(1));
}

function row(name: string, ...columns: readonly string[]): void {
  process.stdout.write(`${name.padEnd(52)}${columns.map((column) => column.padStart(12)).join("")}\n`);
}

function fail(error: Error): never {
  throw error;
}

function nothing(): void {
  // The bench prints its table and nothing else.
}
