import assert from "node:assert/strict";
import type { ConsensusStatus } from "../../raft/consensus.js";
import { IkadaError, type Reason } from "../../src/base/errors.js";
import { limits } from "../../src/base/limits.js";
import { encodeKeyspace } from "../../store/codec.js";
import { failpoints } from "../../store/failpoints.js";
import { keyspaceKey } from "../../store/layout.js";
import { Replica } from "../../store/replica.js";
import type { WriteRequest } from "../../store/store.js";
import { type Rig, ScriptedConsensus, collect, load, openRig } from "./harness.js";
import { drain } from "./manual-env.js";
import { create, put, remove, text, txn } from "./requests.js";

const request = (...txns: WriteRequest["txns"]): WriteRequest => ({ txns, origin: "test" });
const refusedWith = (reason: Reason) => (error: unknown) => error instanceof IkadaError && error.reason === reason;

describe("replica", () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await openRig();
  });

  describe("writes", () => {
    it("answer with the results of this replica's apply, each caller its own", async () => {
      const { replica, consensus } = rig;
      const first = replica.write(request(create("a", "1")));
      const second = replica.write(request(create("a", "2"), put("b", "2")));
      consensus.commit();
      assert.deepEqual(await first, [{ succeeded: true, revision: 1 }]);
      assert.deepEqual(await second, [
        { succeeded: false, revision: 1 },
        { succeeded: true, revision: 2 },
      ]);
      assert.equal(replica.counts().writes, 0);
      assert.equal(rig.env.timersWaiting, 1, "only the flush");
    });

    it("are applied also when another replica proposed them", async () => {
      const other = await openRig();
      void other.replica.write(request(put("a", "1")));
      other.consensus.commit();
      rig.replica.onCommitted(other.consensus.log);
      assert.equal(text(rig.replica.peek("a")), "1");
      assert.equal(rig.replica.digest(), other.replica.digest());
    });

    it("are refused with the reason that consensus gives", async () => {
      for (const reason of ["NoLeader", "Overloaded", "TooLarge"] as const) {
        const write = rig.replica.write(request(put("a", "1")));
        const tag = rig.consensus.proposed.pop()?.tag ?? 0;
        rig.replica.onRefused(tag, reason);
        await assert.rejects(write, refusedWith(reason));
      }
    });

    it("are refused before consensus sees what the log must never hold", async () => {
      const many = Array.from({ length: limits.txnBatchMax + 1 }, () => put("a", "1"));
      const wide = txn(
        ...Array.from({ length: limits.txnOperationsMax + 1 }, (_, at) => ({ type: "delete" as const, key: `k${at}` })),
      );
      const big = "x".repeat(limits.entryBytesMax);
      const cases: [WriteRequest, Reason][] = [
        [request(...many), "TooLarge"],
        [request(wide), "TooLarge"],
        [request(put("a", big)), "TooLarge"],
        [request(txn(...put("a", "1").success, ...remove("a").success)), "BadRequest"],
        [request(put("", "1")), "BadRequest"],
        [request(put("\ud800", "1")), "BadRequest"],
        [request(put("k".repeat(2049), "1")), "BadRequest"],
        [request(put("a", "1", 2)), "BadRequest"],
        [request(put("a", "1", -2)), "BadRequest"],
        [{ ...request(), client: { id: "white space", sequence: 1 } }, "BadRequest"],
        [{ ...request(), client: { id: "c", sequence: 0 } }, "BadRequest"],
      ];
      for (const [bad, reason] of cases) await assert.rejects(rig.replica.write(bad), refusedWith(reason));
      assert.deepEqual(rig.consensus.proposed, []);
      assert.equal(rig.env.timersWaiting, 0);
    });

    it("are bounded in number", async () => {
      const writes = Array.from({ length: limits.requestsInWorkMax }, () => rig.replica.write(request(put("a", "1"))));
      await assert.rejects(rig.replica.write(request(put("a", "1"))), refusedWith("Overloaded"));
      rig.consensus.commit();
      await Promise.all(writes);
    });

    it("end at the deadline with an unknown outcome, and a late commit does no harm", async () => {
      const write = rig.replica.write(request(put("a", "1")), { deadlineMs: 100 });
      const failed = assert.rejects(write, refusedWith("Deadline"));
      await rig.env.advance(100);
      await failed;
      rig.consensus.commit();
      assert.equal(text(rig.replica.peek("a")), "1");
    });

    it("ask a new leader again, and what then stands in the log twice counts once", async () => {
      const status = (term: number, leader: number): ConsensusStatus => ({
        id: 1,
        role: "Follower",
        term,
        leader,
        commit: 0,
        lastIndex: 0,
        durableIndex: 0,
        progress: [],
        configuration: { voters: [1], outgoing: [], learners: [], learnersNext: [], autoLeave: false },
      });
      rig.replica.onStatus(status(1, 2));
      const write = rig.replica.write(request(create("a", "1")));
      const barrier = rig.replica.barrier();
      assert.equal(rig.consensus.proposed.length, 1);
      rig.replica.onStatus(status(2, 0));
      assert.equal(rig.consensus.proposed.length, 1);
      rig.replica.onStatus(status(2, 3));
      assert.equal(rig.consensus.proposed.length, 2);
      assert.equal(rig.consensus.reads.length, 2);
      rig.replica.onStatus(status(2, 3));
      assert.equal(rig.consensus.proposed.length, 2);
      rig.consensus.commit();
      assert.deepEqual(await write, [{ succeeded: true, revision: 1 }]);
      assert.equal(rig.replica.revision(), 1);
      rig.replica.onReadIndex(rig.consensus.reads[1]!, 1);
      assert.equal(await barrier, 1);
    });

    it("get the default deadline", async () => {
      const failed = assert.rejects(rig.replica.write(request(put("a", "1"))), refusedWith("Deadline"));
      await rig.env.advance(limits.requestMsDefault);
      await failed;
    });

    it("end when the caller gives up, before or after the call", async () => {
      const abort = new AbortController();
      const failed = assert.rejects(rig.replica.write(request(), { signal: abort.signal }), refusedWith("Cancelled"));
      abort.abort();
      await failed;
      await assert.rejects(rig.replica.write(request(), { signal: abort.signal }), refusedWith("Cancelled"));
      assert.equal(rig.consensus.proposed.length, 1);
    });

    it("with a client and sequence that were answered already are not proposed again", async () => {
      const once: WriteRequest = { ...request(create("a", "1")), client: { id: "c", sequence: 1 } };
      const first = rig.replica.write(once);
      const repeat = rig.replica.write(once);
      rig.consensus.commit();
      assert.deepEqual(await first, await repeat);
      assert.deepEqual(await rig.replica.write(once), await first);
      assert.equal(rig.consensus.proposed.length, 0);
      assert.deepEqual(rig.replica.answered({ id: "c", sequence: 1 }), await first);
      assert.equal(rig.replica.answered({ id: "c", sequence: 2 }), undefined);
      for (let sequence = 2; sequence <= limits.requestsPerClientMax + 1; sequence += 1)
        void rig.replica.write({ ...once, client: { id: "c", sequence } });
      rig.consensus.commit();
      await assert.rejects(rig.replica.write(once), refusedWith("Conflict"));
    });
  });

  describe("barriers", () => {
    it("share questions, but not one that was asked before they came", async () => {
      const { consensus } = rig;
      const first = [rig.replica.barrier()];
      assert.equal(consensus.reads.length, 1);
      const second = [rig.replica.barrier(), rig.replica.barrier()];
      assert.equal(consensus.reads.length, 1);
      rig.replica.onReadIndex(consensus.reads[0] ?? 0, 0);
      assert.deepEqual(await Promise.all(first), [0]);
      assert.equal(consensus.reads.length, 2);
      rig.replica.onReadIndex(consensus.reads[1] ?? 0, 0);
      assert.deepEqual(await Promise.all(second), [0, 0]);
    });

    it("wait until the index is applied", async () => {
      let answered = -1;
      rig.replica.barrierThen((error, revision) => {
        assert.ifError(error);
        answered = revision;
      });
      void rig.replica.write(request(put("a", "1")));
      void rig.replica.write(request(put("a", "2")));
      rig.replica.onReadIndex(rig.consensus.reads[0] ?? 0, 2);
      rig.consensus.commit(1);
      assert.equal(answered, -1);
      rig.consensus.commit(1);
      assert.equal(answered, 2);
    });

    it("ask again when the answer is lost, and ignore the late answer to the first question", async () => {
      const barrier = rig.replica.barrier();
      await rig.env.advance(500);
      assert.equal(rig.consensus.reads.length, 2);
      rig.replica.onReadIndex(rig.consensus.reads[0] ?? 0, 0);
      assert.equal(await Promise.race([barrier, drain().then(() => "waiting")]), "waiting");
      rig.replica.onReadIndex(rig.consensus.reads[1] ?? 0, 0);
      assert.equal(await barrier, 0);
    });

    it("are refused without a leader and end at their deadline", async () => {
      const refused = assert.rejects(rig.replica.barrier(), refusedWith("NoLeader"));
      rig.replica.onRefused(rig.consensus.reads[0] ?? 0, "NoLeader");
      await refused;
      const late = assert.rejects(rig.replica.barrier({ deadlineMs: 1200 }), refusedWith("Deadline"));
      await rig.env.advance(1200);
      await late;
      assert.equal(rig.env.timersWaiting, 1, "the last question's");
      await rig.env.advance(1000);
      assert.equal(rig.env.timersWaiting, 0);
    });
  });

  it("tells when a revision is reached, in order of the revisions", async () => {
    const reached: number[] = [];
    for (const revision of [2, 1, 0]) rig.replica.reachedThen(revision, () => reached.push(revision));
    const late = assert.rejects(rig.replica.reached(9, { deadlineMs: 5 }), refusedWith("Deadline"));
    void rig.replica.write(request(put("a", "1"), put("a", "2")));
    rig.consensus.commit();
    assert.deepEqual(reached, [0, 1, 2]);
    await rig.env.advance(5);
    await late;
  });

  describe("ranges", () => {
    it("wait for a revision that is still to come, and refuse what is compacted or senseless", async () => {
      const page = rig.replica.range({ prefix: "", limit: 1, revision: 1 });
      void rig.replica.write(request(put("a", "1")));
      rig.consensus.commit();
      assert.equal((await page).records[0]?.key, "a");
      await assert.rejects(rig.replica.range({ prefix: "", limit: 0 }), refusedWith("BadRequest"));
      const late = assert.rejects(
        rig.replica.range({ prefix: "", limit: 1, revision: 7 }, { deadlineMs: 9 }),
        refusedWith("Deadline"),
      );
      await rig.env.advance(9);
      await late;
    });
  });

  describe("watches", () => {
    it("are called before the writer is answered", async () => {
      const order: string[] = [];
      rig.replica.watch("", 0, { onBatch: () => order.push("watch"), onError: assert.fail });
      rig.replica.writeThen(request(put("a", "1")), () => order.push("writer"));
      rig.consensus.commit();
      assert.deepEqual(order, ["watch", "writer"]);
    });

    it("get each revision once when they are opened and closed by another watch's callback", async () => {
      const inner: ReturnType<typeof collect>[] = [];
      const outer = rig.replica.watch("", 0, {
        onBatch: ({ revision }) => {
          inner.push(collect(rig.replica, "a", revision), collect(rig.replica, "a", 0));
          if (revision === 2) outer.close();
        },
        onError: assert.fail,
      });
      void rig.replica.write(request(put("a", "1"), put("a", "2"), put("a", "3")));
      rig.consensus.commit();
      await rig.env.advance(10);
      const revisions = inner.map(({ batches }) => batches.map(({ revision }) => revision));
      assert.deepEqual(revisions, [[2, 3], [1, 2, 3], [3], [1, 2, 3]]);
    });

    it("from a revision that is still to come start there", async () => {
      const watch = collect(rig.replica, "", 2);
      void rig.replica.write(request(put("a", "1"), put("a", "2"), put("a", "3")));
      rig.consensus.commit();
      assert.deepEqual(
        watch.batches.map(({ revision }) => revision),
        [3],
      );
    });

    it("that fail are closed alone", async () => {
      const errors: Error[] = [];
      rig.replica.watch("", 0, {
        onBatch: () => {
          throw new Error("observer's fault");
        },
        onError: (error) => errors.push(error),
      });
      const healthy = collect(rig.replica, "", 0);
      void rig.replica.write(request(put("a", "1"), put("a", "2")));
      rig.consensus.commit();
      assert.equal(healthy.batches.length, 2);
      assert.match(errors.map(({ message }) => message).join(), /^observer's fault$/);
      assert.equal(rig.replica.counts().watches, 1);
      assert.deepEqual(rig.fatal, []);
    });

    it("are bounded in number", () => {
      const open = Array.from({ length: limits.watchesPerReplicaMax }, () => collect(rig.replica, "x", 0));
      assert.throws(() => collect(rig.replica, "x", 0), refusedWith("Overloaded"));
      for (const watch of open) watch.close();
      assert.equal(rig.replica.counts().watches, 0);
    });
  });

  describe("disk", () => {
    it("gets state, applied index and answers in one batch, and durable is told after a flush", async () => {
      void rig.replica.write({ ...request(put("a", "1")), client: { id: "c", sequence: 1 } });
      void rig.replica.write(request(put("b", "1")));
      rig.consensus.commit();
      const rows = rig.keyValue.batches[0]?.puts.map(({ key }) => String.fromCharCode(key[0] ?? 0)).sort();
      assert.deepEqual(rows, ["c", "k", "k", "m", "r", "r", "s", "s"]);
      await drain();
      void rig.replica.write(request(put("c", "1")));
      rig.consensus.commit();
      assert.deepEqual(rig.consensus.told.at(-1), [3, 0]);
      await rig.env.advance(5_000);
      assert.deepEqual(rig.consensus.told.at(-1), [3, 3]);
      assert.equal(rig.replica.durableIndex(), 3);
      assert.equal(rig.env.timersWaiting, 0, "no flush without a write");
    });

    it("that falls behind stops apply, and apply goes on when it catches up", async () => {
      rig.keyValue.holding = true;
      const value = "v".repeat(limits.entryBytesMax / 2);
      for (let at = 0; at < 40; at += 1) {
        void rig.replica.write(request(put("a", value)));
        rig.consensus.commit();
      }
      assert.equal(rig.keyValue.batches.length, 1, "the next one waits for the first");
      const applied = rig.replica.appliedIndex();
      assert.ok(applied > 1 && applied < 40, `applied up to ${applied}`);
      rig.keyValue.release();
      await drain();
      assert.equal(rig.replica.appliedIndex(), 40);
      assert.ok(rig.keyValue.batches.length < 10, "what had gathered went together");
    });

    it("that fails ends everything", async () => {
      rig.keyValue.failure = new Error("no space");
      const watch = collect(rig.replica, "", 0);
      rig.replica.writeThen(request(put("a", "1")), () => undefined);
      const waiting = assert.rejects(rig.replica.reached(9), refusedWith("Unavailable"));
      const barrier = assert.rejects(rig.replica.barrier(), refusedWith("Unavailable"));
      rig.consensus.commit();
      await drain();
      await Promise.all([waiting, barrier]);
      assert.deepEqual(
        rig.fatal.map(({ message }) => message),
        ["no space"],
      );
      assert.ok(refusedWith("Unavailable")(watch.errors[0]));
      await assert.rejects(rig.replica.write(request(put("a", "2"))), refusedWith("Unavailable"));
      await assert.rejects(rig.replica.range({ prefix: "", limit: 1 }), refusedWith("Unavailable"));
      assert.throws(() => collect(rig.replica, "", 0), refusedWith("Unavailable"));
      rig.consensus.commit();
      assert.equal(rig.replica.appliedIndex(), 1);
    });
  });

  it("passes its failpoints in order, and ends when one fails it", async () => {
    const passed: string[] = [];
    rig.env.failpoint = (name) => passed.push(name);
    rig.replica.writeThen(request(put("a", "1")), () => passed.push("answered"));
    rig.consensus.commit();
    await rig.env.advance(5_000);
    assert.deepEqual(passed, [
      failpoints.storeAfterApply,
      "answered",
      failpoints.storeBeforeWrite,
      failpoints.storeAfterWrite,
      failpoints.storeAfterFlush,
    ]);
    rig.env.failpoint = (name) => assert.fail(name);
    const write = assert.rejects(rig.replica.write(request(put("a", "2"))), refusedWith("Unavailable"));
    rig.consensus.commit();
    await write;
    assert.equal(rig.fatal.length, 1);
  });

  it("ends at an entry that it cannot understand, and at a gap", async () => {
    rig.replica.onCommitted([{ term: 1, index: 1, type: "Normal", data: Uint8Array.of(8, 7) }]);
    assert.match(rig.fatal[0]?.message ?? "", /log entry 1 has format 7/);
    assert.equal(rig.replica.appliedIndex(), 0);
    const other = await openRig();
    other.replica.onCommitted([{ term: 1, index: 2, type: "Normal", data: new Uint8Array(0) }]);
    assert.match(other.fatal[0]?.message ?? "", /entry 2 follows 0 without a gap/);
  });

  it("starts at what the disk holds, which is durable only after a flush of its own", async () => {
    void rig.replica.write(request(put("a", "1")));
    rig.consensus.commit();
    await drain();
    const { env, keyValue } = rig;
    const replica = new Replica({ env, keyValue, state: await load(keyValue), onFatal: assert.fail });
    const consensus = new ScriptedConsensus();
    replica.connect(consensus);
    await env.advance(10_000);
    assert.deepEqual(consensus.told, [
      [1, 0],
      [1, 1],
    ]);
  });

  it("skips entries that it applied before", async () => {
    void rig.replica.write(request(put("a", "1")));
    rig.consensus.commit();
    rig.replica.onCommitted(rig.consensus.log);
    assert.equal(rig.replica.revision(), 1);
    assert.deepEqual(rig.fatal, []);
  });

  it("refuses all who wait when it closes, and closes after the disk's last write", async () => {
    rig.keyValue.holding = true;
    void rig.replica.write(request(put("a", "1")));
    rig.consensus.commit();
    const write = assert.rejects(rig.replica.write(request(put("a", "2"))), refusedWith("Unavailable"));
    let closed = false;
    rig.replica.closeThen(() => {
      closed = true;
    });
    await write;
    assert.equal(closed, false);
    rig.keyValue.release();
    await drain();
    assert.equal(closed, true);
    assert.equal(rig.env.timersWaiting, 0);
  });

  it("refuses history below the compact revision", async () => {
    const compacted = await openRig();
    void compacted.replica.write(request(put("a", "1"), put("a", "2"), put("a", "3")));
    compacted.consensus.commit();
    await drain();
    const value = encodeKeyspace({ revision: 3, compactRevision: 2, timeMs: 0 });
    compacted.keyValue.inner.write({ puts: [{ key: keyspaceKey(0), value }], deletes: [] }, assert.ifError);
    const { env, keyValue } = compacted;
    const replica = new Replica({ env, keyValue, state: await load(keyValue), onFatal: assert.fail });
    await assert.rejects(replica.range({ prefix: "", limit: 1, revision: 1 }), (error) => {
      return refusedWith("Compacted")(error) && (error as IkadaError).details.revision === 2;
    });
    assert.throws(() => collect(replica, "", 1), refusedWith("Compacted"));
    assert.equal(text((await replica.range({ prefix: "", limit: 1, revision: 2 })).records[0]), "2");
    collect(replica, "", 2).close();
  });
});
