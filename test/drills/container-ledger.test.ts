import assert from "node:assert/strict";
import type { EngineEvent } from "../e2e/engine-events.js";
import { ContainerLedger } from "./container-ledger.js";

describe("the ledger of the drills", () => {
  let ledger: ContainerLedger;
  beforeEach(() => {
    ledger = new ContainerLedger("ours");
  });

  function take(
    action: string,
    id: string,
    at: number,
    { pod = "web", role = "container", cluster = "ours" } = {},
  ): void {
    const labels = { "ikada.cluster": cluster, "ikada.role": role, "ikada.pod-name": pod, "ikada.container": "main" };
    const event: EngineEvent = { action, id, attributes: { ...labels, name: `name of ${id}` }, atNano: BigInt(at) };
    ledger.take(event);
  }

  it("sees two containers of one Pod that run at once, however briefly", () => {
    take("start", "a", 1);
    take("start", "b", 10);
    take("die", "a", 11);
    take("destroy", "a", 12);
    assert.deepEqual(ledger.doubles, ["container main of pod web: name of a and name of b"]);
  });

  it("lets one follow the other, run beside another Pod's, and start again", () => {
    take("start", "sandbox", 1, { role: "sandbox" });
    take("start", "a", 2);
    take("start", "other", 3, { pod: "other" });
    take("die", "a", 4);
    take("start", "b", 5);
    take("die", "b", 6);
    take("start", "b", 7);
    assert.deepEqual(ledger.doubles, []);
    assert.deepEqual(ledger.running, ["sandbox", "other", "b"]);
    assert.deepEqual(Object.fromEntries(ledger.starts), { web: 3, other: 1 });
  });

  it("takes the end of a container that no event told from the container", () => {
    take("start", "a", 1);
    ledger.ended("a", 5n);
    take("start", "b", 6);
    assert.deepEqual(ledger.doubles, []);
    ledger.ended("b", 9n);
    take("start", "c", 8);
    assert.deepEqual(ledger.doubles, ["container main of pod web: name of b and name of c"]);
  });

  it("counts what is done to others, an exec too, and begins anew with each round", () => {
    take("start", "a", 1);
    take("exec_start: /bin/true", "x", 2, { cluster: "another" });
    take("kill", "y", 3, { cluster: "" });
    assert.deepEqual(ledger.foreign, ["exec_start: /bin/true of name of x", "kill of name of y"]);
    ledger.mark();
    assert.deepEqual([ledger.foreign, [...ledger.starts]], [[], []]);
    take("start", "b", 9);
    assert.equal(ledger.doubles.length, 1);
  });
});
