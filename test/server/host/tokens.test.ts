import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { tokenOwner } from "../../../src/host/tokens.js";

describe("tokens", () => {
  const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex");

  it("belong to the user with their hash, in either case of letters", () => {
    const ownerOf = tokenOwner([
      { name: "ann", sha256: hashOf("one") },
      { name: "bob", sha256: hashOf("two").toUpperCase() },
    ]);
    assert.equal(ownerOf("one")?.name, "ann");
    assert.equal(ownerOf("two")?.name, "bob");
    assert.equal(ownerOf("three"), undefined);
    assert.equal(ownerOf(""), undefined);
  });

  it("are refused at once when a hash in the configuration is none", () => {
    assert.throws(() => tokenOwner([{ name: "ann", sha256: "abc" }]), { reason: "Invalid", message: /user ann/ });
  });
});
