import assert from "node:assert/strict";
import * as fc from "fast-check";
import { encodeCommand } from "../../store/codec.js";
import { StateMachine } from "../../store/state-machine.js";
import type { Txn, WriteRequest } from "../../store/store.js";
import { InvariantError } from "../../src/base/errors.js";
import { Model, arbitraryTxn, prefixes } from "./model.js";
import { create, put, remove, text, txn } from "./requests.js";

/** Applies requests as entries of consecutive indexes. */
class Machine {
  readonly state = new StateMachine({ clientsMax: 3, answersMax: 4 });

  write(request: Partial<WriteRequest>, proposal = 7): ReturnType<StateMachine["apply"]> {
    return this.entry(encodeCommand(proposal, { txns: [], origin: "test", ...request }));
  }

  entry(data: Uint8Array, type: "Normal" | "ConfChange" = "Normal"): ReturnType<StateMachine["apply"]> {
    return this.state.apply({ term: 2, index: this.state.appliedIndex + 1, type, data });
  }

  from(client: string, sequence: number, ...txns: Txn[]): ReturnType<StateMachine["apply"]>["results"] {
    return this.write({ client: { id: client, sequence }, txns }).results;
  }
}

describe("state machine", () => {
  it("does what the model does", () => {
    fc.assert(
      fc.property(fc.array(fc.array(arbitraryTxn, { maxLength: 3 }), { maxLength: 30 }), (requests) => {
        const machine = new Machine();
        const model = new Model();
        for (const txns of requests) {
          const from = model.revision;
          const applied = machine.write({ txns });
          assert.deepEqual(
            applied.results,
            txns.map((each) => model.run(each)),
          );
          assert.deepEqual(applied.batches, model.changes("", from));
          assert.equal(machine.state.revision, model.revision);
        }
        for (const prefix of prefixes)
          assert.deepEqual([...machine.state.records(prefix)], model.range(prefix, model.revision));
      }),
      { numRuns: 150 },
    );
  });

  it("has one digest for one state, whatever the batches, and another for another", () => {
    fc.assert(
      fc.property(fc.array(arbitraryTxn, { minLength: 1, maxLength: 20 }), fc.nat(19), (txns, skipped) => {
        const left = new Machine();
        const right = new Machine();
        for (const each of txns) left.write({ txns: [each] });
        right.write({ txns });
        assert.equal(left.state.digest(), right.state.digest());
        const other = new Machine();
        other.write({ txns: txns.filter((_, at) => at !== skipped) });
        const same = JSON.stringify([...other.state.records("")]) === JSON.stringify([...left.state.records("")]);
        if (!same) assert.notEqual(other.state.digest(), left.state.digest());
      }),
      { numRuns: 100 },
    );
  });

  it("covers values, revisions and answers with its digest", () => {
    const digests = [
      [put("a", "1")],
      [put("a", "2")],
      [put("b", "1")],
      [put("a", "1"), put("a", "1")],
      [put("a", "0"), remove("a"), put("a", "1")],
    ].map((txns) => {
      const machine = new Machine();
      machine.write({ txns });
      return machine.state.digest();
    });
    const machine = new Machine();
    machine.from("client", 1, put("a", "1"));
    assert.equal(new Set([...digests, machine.state.digest()]).size, 6);
  });

  it("splices the revision's digits where the put says", () => {
    const machine = new Machine();
    machine.write({ txns: [put("a", "x"), put("b", '{"rev":""}', 8), put("c", "", 0), put("d", "end", 3)] });
    assert.deepEqual(
      ["b", "c", "d"].map((key) => text(machine.state.get(key))),
      ['{"rev":"2"}', "3", "end4"],
    );
  });

  it("keeps no part of an entry alive", () => {
    const machine = new Machine();
    const data = encodeCommand(1, { txns: [put("a", "one"), put("b", "two", 0)], origin: "" });
    machine.entry(data);
    data.fill(0);
    assert.deepEqual(
      ["a", "b"].map((key) => text(machine.state.get(key))),
      ["one", "2two"],
    );
  });

  it("makes no revision for a transaction that changes nothing", () => {
    const machine = new Machine();
    const { results, batches } = machine.write({ txns: [remove("a"), create("a", "1"), create("a", "2"), txn()] });
    assert.deepEqual(results, [
      { succeeded: true, revision: 0 },
      { succeeded: true, revision: 1 },
      { succeeded: false, revision: 1 },
      { succeeded: true, revision: 1 },
    ]);
    assert.equal(batches.length, 1);
  });

  it("counts a key's last operation when an entry has two on it", () => {
    const machine = new Machine();
    const both = txn({ type: "delete", key: "a" }, ...put("a", "1").success, ...put("a", "2").success);
    const { batches } = machine.write({ txns: [both] });
    assert.equal(batches[0]?.events.length, 1);
    assert.equal(text(machine.state.get("a")), "2");
    assert.equal(machine.state.get("a")?.version, 1);
  });

  it("only moves on with a leader's no-op and a configuration change", () => {
    const machine = new Machine();
    machine.write({ txns: [put("a", "1")] });
    const before = machine.state.digest();
    machine.entry(new Uint8Array(0));
    machine.entry(Uint8Array.of(1, 2, 3), "ConfChange");
    assert.equal(machine.state.appliedIndex, 3);
    assert.equal(machine.state.digest(), before);
  });

  it("stops at an entry that it cannot understand, and says which", () => {
    const newer = encodeCommand(1, { txns: [], origin: "" });
    newer[1] = 9;
    const machine = new Machine();
    assert.throws(() => machine.entry(newer), /log entry 1 has format 9.*reads formats 1 to 2/);
    assert.throws(() => machine.entry(Uint8Array.of(0xff, 0xff)), /log entry 1 cannot be decoded/);
    assert.throws(() => machine.entry(Uint8Array.of(8, 1, 16, 5)), /encrypted with key 5/);
    assert.throws(() => machine.entry(Uint8Array.of(8, 1, 58, 4, 10, 2, 24, 9)), /unknown comparison/);
    assert.throws(() => machine.entry(Uint8Array.of(8, 1, 58, 4, 18, 2, 8, 9)), /unknown operation/);
    assert.throws(
      () => machine.state.apply({ term: 1, index: 5, type: "Normal", data: new Uint8Array(0) }),
      InvariantError,
    );
    assert.equal(machine.state.appliedIndex, 0);
  });

  describe("exactly once", () => {
    it("answers a repeat as the first time, without doing it again", () => {
      const machine = new Machine();
      const first = machine.from("c", 1, create("a", "1"), create("a", "2"));
      machine.from("c", 2, remove("a"));
      assert.deepEqual(machine.from("c", 1, create("a", "1"), create("a", "2")), first);
      assert.equal(machine.state.get("a"), undefined);
      assert.equal(machine.state.revision, 2);
      assert.deepEqual(machine.state.answered({ id: "c", sequence: 1 }), first);
    });

    it("keeps clients apart and takes sequences in any order", () => {
      const machine = new Machine();
      machine.from("c", 3, put("a", "c3"));
      machine.from("d", 3, put("a", "d3"));
      machine.from("c", 1, put("a", "c1"));
      assert.equal(text(machine.state.get("a")), "c1");
      assert.equal(machine.state.revision, 3);
    });

    it("never does again what is older than the answers it kept", () => {
      const machine = new Machine();
      for (let sequence = 1; sequence <= 6; sequence += 1) machine.from("c", sequence, put("a", String(sequence)));
      assert.equal(machine.from("c", 2, put("a", "again")), "forgotten");
      assert.equal(machine.from("c", 1, put("a", "again")), "forgotten");
      assert.deepEqual(machine.from("c", 3, put("a", "again")), [{ succeeded: true, revision: 3 }]);
      assert.equal(text(machine.state.get("a")), "6");
    });

    it("drops the client that was silent longest", () => {
      const machine = new Machine();
      for (const client of ["c", "d", "e", "c", "f"])
        machine.from(client, machine.state.appliedIndex + 1, put("a", client));
      assert.equal(machine.state.answered({ id: "d", sequence: 2 }), undefined);
      for (const [id, sequence] of [
        ["c", 1],
        ["c", 4],
        ["e", 3],
        ["f", 5],
      ] as const)
        assert.ok(machine.state.answered({ id, sequence }), `${id} ${sequence}`);
    });
  });
});
