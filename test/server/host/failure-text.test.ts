import assert from "node:assert/strict";
import { IkadaError } from "../../../src/base/errors.js";
import { failureText } from "../../../src/host/failure-text.js";

describe("the last words of a process", () => {
  it("name reason, fields and what to do", () => {
    const faults = [{ field: "tls.key", reason: "Required", message: "is required" }] as const;
    const error = new IkadaError("Invalid", "server.json is faulty", { faults, hint: "see the example" });
    assert.equal(
      failureText(error),
      "error (Invalid): server.json is faulty\n  tls.key: is required\n  see the example\n",
    );
  });

  it("show where a defect is, and no stack of what is none", () => {
    assert.match(failureText(new TypeError("boom")), /^error \(Internal\): boom\nTypeError: boom\n {4}at /);
    assert.doesNotMatch(failureText(new IkadaError("NotFound", "gone", {}, new Error("ENOENT"))), / at /);
  });
});
