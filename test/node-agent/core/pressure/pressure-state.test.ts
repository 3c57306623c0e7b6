import assert from "node:assert/strict";
import {
  look,
  nodeConditions,
  noPressure,
  type PressureState,
} from "../../../../node-agent/core/pressure/pressure-state.js";
import type { MachineSupplies, Signal } from "../../../../node-agent/core/pressure/signals.js";
import { hardDefaults, parseThresholds, type ThresholdTexts } from "../../../../node-agent/core/pressure/thresholds.js";

const start = Date.UTC(2026, 0, 1);
const holdMs = 300_000;

function thresholds(more: Partial<ThresholdTexts> = {}) {
  return parseThresholds({ hard: {}, soft: {}, softGraceSeconds: {}, minimumReclaim: {}, ...more }, "eviction");
}

function machine(signal: Signal, available: number, capacity = 1000): MachineSupplies {
  return { supplies: { [signal]: { capacity, available } }, hasImageDisk: false };
}

/** Looks at these amounts, at seconds since the start. */
function looks(
  texts: Partial<ThresholdTexts>,
  signal: Signal,
  amounts: readonly (readonly [seconds: number, available: number])[],
  state: PressureState = noPressure,
) {
  const found = amounts.map(([seconds, available]) => {
    const now = start + seconds * 1000;
    const seen = look(state, machine(signal, available), thresholds(texts), holdMs, now);
    ({ state } = seen);
    const pressed = nodeConditions(state, now).filter(({ status }) => status === "True");
    return {
      seconds,
      pressed: pressed.map(({ type }) => type),
      due: seen.due.map(({ threshold }) => threshold.signal),
    };
  });
  return { found, state };
}

describe("pressure on a node", () => {
  const memory = { hard: { "memory.available": "100" } };

  it("has three conditions that say it is well, from the first word on", () => {
    assert.deepEqual(
      nodeConditions(noPressure, start).map(({ type, status, reason, lastTransitionTime }) => [
        type,
        status,
        reason,
        lastTransitionTime,
      ]),
      [
        ["MemoryPressure", "False", "AgentHasSufficientMemory", "2026-01-01T00:00:00Z"],
        ["DiskPressure", "False", "AgentHasNoDiskPressure", "2026-01-01T00:00:00Z"],
        ["PIDPressure", "False", "AgentHasSufficientPID", "2026-01-01T00:00:00Z"],
      ],
    );
  });

  it("is there below the threshold and not at it, and something is due at once", () => {
    const { found } = looks(memory, "memory.available", [
      [0, 100],
      [10, 99],
    ]);
    assert.deepEqual(found, [
      { seconds: 0, pressed: [], due: [] },
      { seconds: 10, pressed: ["MemoryPressure"], due: ["memory.available"] },
    ]);
  });

  it("stays for the whole period after it was last met, and begins that anew when it is met again", () => {
    const { found, state } = looks(memory, "memory.available", [
      [0, 50],
      [10, 500],
      [200, 50],
      [499, 500],
      [500, 500],
    ]);
    assert.deepEqual(
      found.map(({ seconds, pressed, due }) => [seconds, pressed.length, due.length]),
      [
        [0, 1, 1],
        [10, 1, 0],
        [200, 1, 1],
        [499, 1, 0],
        [500, 0, 0],
      ],
    );
    const [condition] = nodeConditions(state, start);
    assert.equal(condition?.lastTransitionTime, "2026-01-01T00:08:20Z", "when it went");
  });

  it("goes on in the agent's next process where it was", () => {
    const { state } = looks(memory, "memory.available", [
      [0, 50],
      [100, 50],
    ]);
    const kept = JSON.parse(JSON.stringify(state)) as PressureState;
    const { found, state: after } = looks(
      memory,
      "memory.available",
      [
        [390, 500],
        [401, 500],
      ],
      kept,
    );
    assert.deepEqual(
      found.map(({ pressed }) => pressed.length),
      [1, 0],
    );
    assert.equal(nodeConditions(kept, 0)[0]?.lastTransitionTime, "2026-01-01T00:00:00Z");
    assert.equal(nodeConditions(after, 0)[0]?.lastTransitionTime, "2026-01-01T00:06:41Z");
  });

  it("a clock that was set back makes nothing longer", () => {
    const { state } = looks(memory, "memory.available", [[1000, 50]]);
    const { found } = looks(
      memory,
      "memory.available",
      [
        [0, 500],
        [299, 500],
        [300, 500],
      ],
      state,
    );
    assert.deepEqual(
      found.map(({ pressed }) => pressed.length),
      [1, 1, 0],
    );
  });

  it("of a soft threshold is told at once, and acted on when its grace is over without a gap", () => {
    const soft = { soft: { "memory.available": "200" }, softGraceSeconds: { "memory.available": 60 } };
    const amounts = [
      [0, 150],
      [30, 250],
      [40, 150],
      [99, 150],
      [100, 150],
    ] as const;
    const { found } = looks(soft, "memory.available", amounts);
    assert.deepEqual(
      found.map(({ pressed }) => pressed.length),
      [1, 1, 1, 1, 1],
    );
    assert.deepEqual(
      found.map(({ due }) => due.length),
      [0, 0, 0, 0, 1],
    );
  });

  it("is over only when the least that is to be reclaimed is there as well", () => {
    const texts = { ...memory, minimumReclaim: { "memory.available": "50" } };
    const { found } = looks(texts, "memory.available", [
      [0, 120],
      [1, 99],
      [2, 149],
      [3, 150],
      [4, 149],
    ]);
    assert.deepEqual(
      found.map(({ due }) => due.length),
      [0, 1, 1, 0, 0],
    );
  });

  it("takes percentages of the capacity, and both disks for one condition", () => {
    for (const signal of [
      "nodefs.available",
      "imagefs.available",
      "nodefs.inodesFree",
      "imagefs.inodesFree",
    ] as const) {
      const share = Number.parseInt(hardDefaults[signal] ?? "", 10) * 10;
      const { found } = looks({ hard: hardDefaults }, signal, [
        [0, share],
        [1, share - 1],
      ]);
      assert.deepEqual(
        found.map(({ pressed }) => pressed),
        [[], ["DiskPressure"]],
        signal,
      );
    }
    const { found } = looks({ hard: { "pid.available": "10%" } }, "pid.available", [[0, 99]]);
    assert.deepEqual(found[0]?.pressed, ["PIDPressure"]);
    assert.deepEqual(looks({ hard: hardDefaults }, "pid.available", [[0, 1]]).found[0]?.pressed, [], "no default");
  });

  it("memory comes before disks, hard thresholds before soft ones", () => {
    const supplies = Object.fromEntries(
      (["nodefs.available", "memory.available"] as const).map((signal) => [signal, { capacity: 1000, available: 0 }]),
    );
    const all = thresholds({
      hard: { "nodefs.available": "10", "memory.available": "10" },
      soft: { "memory.available": "20" },
      softGraceSeconds: { "memory.available": 1 },
    });
    const before = look(noPressure, { supplies, hasImageDisk: false }, all, holdMs, start).state;
    const { due } = look(before, { supplies, hasImageDisk: false }, all, holdMs, start + 5_000);
    assert.deepEqual(
      due.map(({ threshold }) => `${threshold.signal} ${threshold.graceMs}`),
      ["memory.available 0", "memory.available 1000", "nodefs.available 0"],
    );
  });

  it("what the machine does not tell is not short", () => {
    const { due, state } = look(
      noPressure,
      { supplies: {}, hasImageDisk: false },
      thresholds({ hard: hardDefaults }),
      holdMs,
      start,
    );
    assert.deepEqual([due.length, nodeConditions(state, start).every(({ status }) => status === "False")], [0, true]);
  });
});

describe("thresholds", () => {
  it("are Kubernetes' by default, and 0% and 100% switch one off", () => {
    assert.equal(thresholds({ hard: hardDefaults }).length, 5);
    assert.deepEqual(thresholds({ hard: { "nodefs.available": "0%", "imagefs.available": "100%" } }), []);
  });

  it("that make no sense are refused with their place", () => {
    const wrong: readonly (readonly [Partial<ThresholdTexts>, RegExp])[] = [
      [{ hard: { "memory.free": "1" } }, /eviction\.hard\.memory\.free: there is no signal.*memory\.available/],
      [{ hard: { "memory.available": "101%" } }, /eviction\.hard\.memory\.available: "101%"/],
      [{ hard: { "memory.available": "-5Mi" } }, /"-5Mi"/],
      [{ hard: { "memory.available": "much" } }, /"much"/],
      [{ soft: { "memory.available": "5" } }, /softGraceSeconds\.memory\.available: a soft threshold needs/],
      [{ softGraceSeconds: { "memory.available": 5 } }, /there is no soft threshold/],
      [{ minimumReclaim: { x: "5" } }, /minimumReclaim\.x: there is no signal/],
    ];
    for (const [texts, message] of wrong) assert.throws(() => thresholds(texts), { reason: "Invalid", message });
  });
});
