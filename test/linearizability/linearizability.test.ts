import assert from "node:assert/strict";
import { assert as check, array, constantFrom, nat, property, record } from "fast-check";
import { checkLinearizable, type Model, type Operation } from "./linearizability.js";

type What = { readonly write: number } | { readonly read: number };

const register: Model<number, What> = {
  initial: 0,
  step: (state, what) => ("write" in what ? what.write : what.read === state ? state : undefined),
  identify: String,
};

function operation(calledAt: number, returnedAt: number, what: What): Operation<What> {
  return { calledAt, returnedAt, what };
}

/** All orders that respect real time, tried one by one. */
function bruteForce(history: readonly Operation<What>[], state = 0): boolean {
  if (history.every((left) => left.returnedAt === Infinity)) return true;
  const earliestReturn = Math.min(...history.map((left) => left.returnedAt));
  return history.some((candidate) => {
    if (candidate.calledAt > earliestReturn) return false;
    const after = register.step(state, candidate.what);
    return (
      after !== undefined &&
      bruteForce(
        history.filter((left) => left !== candidate),
        after,
      )
    );
  });
}

describe("linearizability", () => {
  it("accepts concurrent operations and closed intervals", () => {
    const history = [
      operation(0, 10, { write: 1 }),
      operation(5, 6, { read: 1 }),
      operation(6, 12, { read: 1 }),
      operation(0, Infinity, { write: 2 }),
      operation(20, 21, { read: 2 }),
    ];
    assert.deepEqual(checkLinearizable(history, register), { result: "linearizable" });
  });

  it("refuses a stale read and says which", () => {
    const history = [
      operation(0, 1, { write: 1 }),
      operation(2, 3, { write: 2 }),
      operation(4, 5, { read: 1 }),
      operation(6, 7, { read: 2 }),
    ];
    const verdict = checkLinearizable(history, register);
    assert.deepEqual(verdict, { result: "illegal", prefix: [{ write: 1 }, { write: 2 }], stuck: { read: 1 } });
  });

  it("gives up within its budget", () => {
    const history = Array.from({ length: 30 }, (_, at) => operation(0, 100, { write: at }));
    history.push(operation(101, 102, { read: -1 }));
    assert.deepEqual(checkLinearizable(history, register, 1000), { result: "unknown" });
  });

  it("agrees with trying all orders", () => {
    const seen = { linearizable: 0, illegal: 0, unknown: 0 };
    const one = record({
      calledAt: nat(12),
      length: nat(8),
      value: nat(2),
      kind: constantFrom("read", "write", "lost"),
    });
    check(
      property(array(one, { maxLength: 7 }), (drawn) => {
        const history = drawn.map(({ calledAt, length, value, kind }) =>
          operation(
            calledAt,
            kind === "lost" ? Infinity : calledAt + length,
            kind === "read" ? { read: value } : { write: value },
          ),
        );
        const { result } = checkLinearizable(history, register);
        seen[result]++;
        assert.equal(result === "linearizable", bruteForce(history));
      }),
      { numRuns: 2000 },
    );
    assert.ok(seen.linearizable > 100 && seen.illegal > 100, JSON.stringify(seen));
  });
});
