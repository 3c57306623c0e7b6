import assert from "node:assert/strict";
import { Endpoints } from "../../sdk/endpoints.js";

/** Nobody is dialled: no channel is opened. */
const endpoints = (pinned = false) => new Endpoints(["a", "b", "c"], { authority: "" }, 0, pinned);

describe("the servers as a client sees them", () => {
  it("asks the one that is named as leader, also one it had not heard of, unless it is pinned", () => {
    const servers = endpoints();
    servers.prefer("c");
    assert.equal(servers.current, "c");
    servers.prefer("d");
    assert.deepEqual([servers.current, servers.count], ["d", 4]);
    const pinned = endpoints(true);
    pinned.prefer("d");
    assert.deepEqual([pinned.current, pinned.count], ["a", 3]);
  });

  it("does not go back to one that did not serve because another one names it", () => {
    const servers = endpoints();
    servers.leave("a");
    assert.equal(servers.current, "b");
    servers.prefer("a");
    assert.equal(servers.current, "b");
  });

  it("leaves one for the next that did not fail lately, and goes round when all did", () => {
    const servers = endpoints();
    servers.leave("b");
    assert.equal(servers.current, "a");
    servers.leave("a");
    assert.equal(servers.current, "c");
    servers.leave("c");
    assert.equal(servers.current, "a");
    servers.leave("a");
    assert.equal(servers.current, "b");
  });

  it("keeps a bounded number of them", () => {
    const servers = endpoints();
    for (let at = 0; at < 100; at += 1) servers.prefer(`server-${at}`);
    assert.equal(servers.count, 32);
  });
});
