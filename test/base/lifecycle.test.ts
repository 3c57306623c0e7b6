import assert from "node:assert/strict";
import { IkadaError, invariant, InvariantError } from "../../src/base/errors.js";
import { checkLimits } from "../../src/base/limits.js";
import { Scope } from "../../src/base/lifecycle.js";

describe("base", () => {
  it("closes a scope's resources once, in reverse order, past failures", async () => {
    const closed: string[] = [];
    const scope = new Scope();
    scope.defer(() => void closed.push("first"));
    scope.defer(() => Promise.reject(new Error("stuck")));
    scope.use({ close: () => void closed.push("last") });
    assert.equal(scope.closed, false);
    await assert.rejects(scope.close(), /stuck/);
    await assert.rejects(scope.close(), /stuck/);
    assert.deepEqual(closed, ["last", "first"]);
    scope.use({ close: () => void closed.push("late") });
    assert.deepEqual(closed, ["last", "first", "late"]);
    assert.equal(scope.closed, true);
  });

  it("turns anything thrown into one error class with a code", () => {
    const known = new IkadaError("Conflict", "changed", { hint: "read again" });
    assert.equal(IkadaError.from(known), known);
    assert.equal(known.code, "ABORTED");
    const cause = new TypeError("broken");
    const wrapped = IkadaError.from(cause);
    assert.deepEqual([wrapped.reason, wrapped.message, wrapped.cause], ["Internal", "broken", cause]);
    assert.equal(IkadaError.from("text").message, "text");
    assert.throws(() => invariant(false, "one is one"), InvariantError);
  });

  it("has limits that fit each other", () => {
    checkLimits();
  });
});
