import assert from "node:assert/strict";
import { VirtualWorld } from "../virtual-world.js";
import { IkadaError, type Reason } from "../../../src/base/errors.js";
import { Prober, type ProbeNetwork } from "../../../node-agent/core/prober.js";
import { podOf, testImage } from "../agent-world.js";

const container = {
  name: "main",
  image: testImage,
  livenessProbe: { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 2 },
};

/** What a liveness probe says within 10 s of a container whose every exec ends so. */
function verdict(reason: Reason): string | undefined {
  const world = new VirtualWorld();
  const failing = new IkadaError(reason, "engine: exec: as the test says");
  let unhealthy: string | undefined;
  const target = { containerId: "c1", pod: podOf("a"), container, podIP: "10.0.0.1", adopted: undefined };
  const prober = new Prober(
    {
      clock: world.clock,
      timers: world.timers,
      random: { next: () => 0.5, int: () => 0, bytes: (length) => new Uint8Array(length) },
    },
    { exec: (_, done) => done(failing, { exitCode: -1, output: "" }) },
    {} as ProbeNetwork,
    target,
    { onReadiness: () => undefined, onUnhealthy: (kind) => (unhealthy = kind) },
  );
  world.pass(10_000);
  prober.close();
  return unhealthy;
}

describe("an exec probe", () => {
  for (const reason of ["Unavailable", "Internal", "NotFound", "Conflict"] as const)
    it(`that the engine ends with ${reason} says nothing of the container`, () =>
      assert.equal(verdict(reason), undefined));
  for (const reason of ["Deadline", "Invalid"] as const)
    it(`that ends with ${reason} has failed`, () => assert.equal(verdict(reason), "liveness"));
});
