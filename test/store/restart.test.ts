import assert from "node:assert/strict";
import * as fc from "fast-check";
import { limits } from "../../src/base/limits.js";
import { encodeCommand } from "../../store/codec.js";
import { loadState } from "../../store/load.js";
import { MemoryKeyValue } from "../../store/memory-key-value.js";
import { StateMachine } from "../../store/state-machine.js";
import type { KeyValueBatch } from "../../store/key-value.js";
import type { Entry } from "../../raft/core/types.js";
import { load, openRig } from "./harness.js";
import { drain } from "./manual-env.js";
import { arbitraryTxn } from "./model.js";
import { create } from "./requests.js";

const bounds = { clientsMax: 3, answersMax: 2 };
const client = fc.option(
  fc.record({ id: fc.constantFrom("c", "d", "e", "f"), sequence: fc.integer({ min: 1, max: 4 }) }),
  { nil: undefined },
);
const commands = fc.array(fc.record({ client, txns: fc.array(arbitraryTxn, { maxLength: 2 }) }), {
  minLength: 1,
  maxLength: 25,
});

describe("restart", () => {
  it("from any batch that reached the disk and the log behind it ends in the same state", async () => {
    await fc.assert(
      fc.asyncProperty(commands, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 25 }), async (all, sizes) => {
        const log = all.map(({ client: from, txns }, at): Entry => {
          const request = { txns, origin: "test", ...(from ? { client: from } : {}) };
          return { term: 1, index: at + 1, type: "Normal", data: encodeCommand(at + 1, request) };
        });
        const state = new StateMachine(bounds);
        const batches: KeyValueBatch[] = [];
        const digests = [state.digest()];
        for (let next = 0; next < log.length; batches.push(state.takeBatch())) {
          for (const entry of log.slice(next, next + (sizes[batches.length] ?? 1))) {
            state.apply(entry);
            digests.push(state.digest());
          }
          next = state.appliedIndex;
        }
        for (let count = 0; count <= batches.length; count += 1) {
          const restarted = await afterLoss(batches.slice(0, count));
          assert.equal(restarted.digest(), digests[restarted.appliedIndex]);
          for (const entry of log.slice(restarted.appliedIndex)) restarted.apply(entry);
          assert.equal(restarted.digest(), state.digest());
          assert.deepEqual([...restarted.records("")], [...state.records("")]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("does not do a request again that was answered before", async () => {
    const { replica, consensus, keyValue } = await openRig();
    const request = { txns: [create("a", "1")], origin: "test", client: { id: "c", sequence: 1 } };
    const first = replica.write(request);
    consensus.commit();
    const results = await first;
    await drain();
    const state = await load(keyValue);
    const repeat = { term: 2, index: 2, type: "Normal" as const, data: encodeCommand(99, request) };
    assert.deepEqual(state.apply(repeat).results, results);
    assert.equal(state.revision, 1);
  });

  it("keeps the table of requests within its bounds, on disk too", async () => {
    const { replica, consensus, keyValue } = await openRig();
    const clients = limits.requestClientsMax + 10;
    for (let at = 1; at <= clients; at += 1) {
      replica.writeThen({ txns: [], origin: "test", client: { id: `c${at}`, sequence: 1 } }, assert.ifError);
      if (at % 500 > 0) continue;
      consensus.commit();
      await drain();
    }
    consensus.commit();
    await drain();
    assert.equal(replica.answered({ id: "c10", sequence: 1 }), undefined);
    assert.deepEqual(replica.answered({ id: "c11", sequence: 1 }), []);
    const loaded = await load(keyValue);
    assert.equal(loaded.digest(), replica.digest());
    assert.equal(loaded.answered({ id: "c10", sequence: 1 }), undefined);
  });
});

/** The state as loaded from a disk that only these batches reached. */
async function afterLoss(batches: readonly KeyValueBatch[]): Promise<StateMachine> {
  const keyValue = new MemoryKeyValue();
  for (const batch of batches) keyValue.write(batch, assert.ifError);
  return new Promise((resolve, reject) => {
    loadState(keyValue, (error, state) => (error ? reject(error) : resolve(state)), bounds);
  });
}
