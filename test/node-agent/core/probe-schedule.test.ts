import assert from "node:assert/strict";
import { backoffMs, pullBackoff, restartDelayMs } from "../../../node-agent/core/backoff.js";
import { ProbeSchedule, probeTiming, type ProbeKind } from "../../../node-agent/core/probe-schedule.js";

describe("backoff", () => {
  it("restarts: at once, 1 s, doubling to 300 s", () => {
    const delays = Array.from({ length: 12 }, (_, crashes) => restartDelayMs(crashes) / 1000);
    assert.deepEqual(delays, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    assert.equal(restartDelayMs(1_000_000), 300_000);
  });

  it("pulls: 10 s, doubling to 300 s", () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map((failures) => backoffMs(pullBackoff, failures) / 1000);
    assert.deepEqual(delays, [10, 20, 40, 80, 160, 300, 300]);
  });
});

describe("schedule of a probe", () => {
  const timing = { initialDelayMs: 0, periodMs: 10_000, timeoutMs: 1_000, successThreshold: 1, failureThreshold: 3 };

  it("has Kubernetes' defaults", () => {
    assert.deepEqual(probeTiming({ tcpSocket: { port: 1 } }), timing);
    const set = {
      initialDelaySeconds: 3,
      periodSeconds: 4,
      timeoutSeconds: 5,
      successThreshold: 6,
      failureThreshold: 7,
    };
    assert.deepEqual(probeTiming({ ...set, tcpSocket: { port: 1 } }), {
      initialDelayMs: 3_000,
      periodMs: 4_000,
      timeoutMs: 5_000,
      successThreshold: 6,
      failureThreshold: 7,
    });
  });

  /** The result after each outcome (s: success, f: failure), as a text of T, F and ? */
  function results(kind: ProbeKind, outcomes: string, thresholds: { success?: number; failure?: number } = {}): string {
    const { success = 1, failure = 3 } = thresholds;
    const schedule = new ProbeSchedule(
      kind,
      { ...timing, successThreshold: success, failureThreshold: failure },
      0,
      undefined,
    );
    const shown = () => (schedule.result === undefined ? "?" : schedule.result ? "T" : "F");
    return (
      shown() +
      Array.from(outcomes, String)
        .map((outcome) => (schedule.finish(outcome === "s", 0, 0), shown()))
        .join("")
    );
  }

  const table: readonly [string, ProbeKind, string, { success?: number; failure?: number }, string][] = [
    ["readiness begins with failure and takes one success", "readiness", "ffs", {}, "FFFT"],
    ["readiness needs three failures in a row", "readiness", "sffsfff", {}, "FTTTTTTF"],
    ["readiness with a success threshold", "readiness", "ssfsss", { success: 3 }, "FFFFFFT"],
    ["liveness begins with success", "liveness", "fffs", {}, "TTTFT"],
    ["liveness with one failure", "liveness", "f", { failure: 1 }, "TF"],
    ["startup begins unknown", "startup", "fsff", {}, "??TTT"],
    ["startup fails for good", "startup", "fff", {}, "???F"],
  ];
  for (const [name, kind, outcomes, thresholds, expected] of table) {
    it(name, () => assert.equal(results(kind, outcomes, thresholds), expected));
  }

  /** Times of the probes when each takes no time. */
  function times(schedule: ProbeSchedule, count: number, success: boolean): number[] {
    return Array.from({ length: count }, () => {
      const at = schedule.nextAt;
      schedule.finish(success, at, at);
      return at;
    });
  }

  it("liveness and startup keep the period, after the initial delay", () => {
    for (const kind of ["liveness", "startup"] as const) {
      const schedule = new ProbeSchedule(kind, { ...timing, initialDelayMs: 3_000 }, 1_000, undefined);
      assert.deepEqual(times(schedule, 3, false), [4_000, 14_000, 24_000], kind);
    }
  });

  it("readiness is asked for more often until it succeeds first", () => {
    const schedule = new ProbeSchedule("readiness", timing, 0, undefined);
    assert.deepEqual(times(schedule, 9, false), [0, 100, 300, 700, 1_500, 3_100, 6_300, 12_700, 22_700]);
    assert.deepEqual(times(schedule, 2, true), [32_700, 42_700]);
  });

  it("a slow probe does not pile up", () => {
    const schedule = new ProbeSchedule("liveness", { ...timing, periodMs: 1_000 }, 0, undefined);
    schedule.finish(true, 0, 5_000);
    assert.equal(schedule.nextAt, 5_000);
  });

  it("an adopted container keeps its readiness, and its next probe is somewhere in the period", () => {
    const adopted = { startedMs: 60_000, known: true, jitter: 0.25 };
    const schedule = new ProbeSchedule("readiness", { ...timing, initialDelayMs: 30_000 }, 1_000, adopted);
    assert.equal(schedule.result, true);
    assert.equal(schedule.nextAt, 3_500);
  });
});
