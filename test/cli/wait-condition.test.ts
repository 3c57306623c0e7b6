import assert from "node:assert/strict";
import { parseAwaited, type AwaitedState } from "../../cli/wait-condition.js";
import type { AnyObject } from "../../src/api/object.js";

const pod = (status: object, generation = 1): AnyObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", generation },
  status,
});

function state(text: string): AwaitedState {
  const awaited = parseAwaited(text);
  assert.equal(awaited.type, "state");
  return awaited as AwaitedState;
}

describe("what is waited for", () => {
  const ready = pod({ phase: "Running", conditions: [{ type: "Ready", status: "True" }], a: [{ n: 1 }, { n: 2 }] });
  const unready = pod({
    phase: "Pending",
    conditions: [{ type: "Ready", status: "False", reason: "Slow", message: "not yet" }],
  });

  it("a condition, whatever its case, True unless said otherwise", () => {
    const cases: readonly (readonly [string, AnyObject, boolean])[] = [
      ["condition=Ready", ready, true],
      ["condition=ready", ready, true],
      ["condition=Ready=true", ready, true],
      ["condition=Ready", unready, false],
      ["condition=Ready=False", unready, true],
      ["condition=Ready=Unknown", unready, false],
      ["condition=Other", ready, false],
      ["condition=Ready", pod({}), false],
    ];
    for (const [text, object, holds] of cases) assert.equal(state(text).holds(object), holds, text);
  });

  it("a condition from before the object's last change does not count", () => {
    const old = (observedGeneration: number) =>
      pod({ observedGeneration, conditions: [{ type: "Available", status: "True" }] }, 3);
    const available = state("condition=Available");
    assert.deepEqual(
      [2, 3].map((generation) => available.holds(old(generation))),
      [false, true],
    );
    const own = pod({ conditions: [{ type: "Available", status: "True", observedGeneration: 2 }] }, 3);
    assert.equal(available.holds(own), false);
    assert.match(available.standing(own), /Available is True, as of before its last change/);
  });

  it("a value at a path, or that there is one", () => {
    const cases: readonly (readonly [string, AnyObject, boolean])[] = [
      ["jsonpath={.status.phase}=Running", ready, true],
      ["jsonpath='{.status.phase}'=Running", ready, true],
      ["jsonpath={.status.phase}='Running'", ready, true],
      ["jsonpath=.status.phase=Running", ready, true],
      ["jsonpath={.status.phase}=Running", unready, false],
      ["jsonpath={.status.phase}", unready, true],
      ["jsonpath={.status.podIP}", ready, false],
      ["jsonpath={.status.a[1].n}=2", ready, true],
      ["jsonpath={.status.a[5].n}=2", ready, false],
      ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', ready, true],
    ];
    for (const [text, object, holds] of cases) assert.equal(state(text).holds(object), holds, text);
    assert.throws(() => state("jsonpath={.status.a[*].n}=2").holds(ready), /there are 2 values, not one/);
    assert.throws(() => state("jsonpath={.status.a}=2").holds(ready), /that is \[.*\], not one value/);
  });

  it("how it stands is said with reason and message", () => {
    assert.equal(state("condition=ready").standing(unready), "condition Ready is False (Slow: not yet)");
    assert.equal(state("condition=Other").standing(unready), "it has no condition Other");
    assert.equal(state("jsonpath={.status.phase}=Running").standing(unready), "{.status.phase} is Pending");
    assert.equal(state("jsonpath={.status.podIP}").standing(unready), "it has nothing at {.status.podIP}");
  });

  it("what makes no sense is refused with what would", () => {
    assert.deepEqual([parseAwaited("delete").type, parseAwaited("Create").type], ["delete", "create"]);
    assert.throws(() => parseAwaited("ready"), /--for "ready": there is no such condition/);
    assert.throws(() => parseAwaited("condition="), /a condition is TYPE/);
    assert.throws(() => parseAwaited("condition=Ready="), /a condition is TYPE/);
    assert.throws(() => parseAwaited("jsonpath={.a}="), /PATH=VALUE/);
    assert.throws(() => parseAwaited("jsonpath={.a[}=x"), /at character 5/);
  });
});
