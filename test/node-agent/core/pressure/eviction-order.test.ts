import assert from "node:assert/strict";
import type { PodSpec } from "../../../../src/api/kinds/pod.js";
import { evictionOrder, isSpared } from "../../../../node-agent/core/pressure/eviction-order.js";
import { evictionMessage } from "../../../../node-agent/core/pressure/eviction-message.js";
import type { PodUsage } from "../../../../node-agent/core/pressure/pod-usage.js";
import type { Starved } from "../../../../node-agent/core/pressure/signals.js";
import type { DiskUsage } from "../../../../node-agent/core/runtime.js";
import { podOf, testImage } from "../../agent-world.js";

interface Given {
  readonly name: string;
  readonly priority?: number;
  readonly request?: string;
  readonly used?: number;
  readonly cut?: boolean;
}

const files = (bytes: number, isComplete = true): DiskUsage => ({ bytes, inodes: bytes, isComplete });

function usageOf({ name, priority, request, used, cut = false }: Given): PodUsage {
  const requests = request === undefined ? {} : { memory: request, "ephemeral-storage": request };
  const spec: Partial<PodSpec> = {
    containers: [{ name: "main", image: testImage, resources: { requests } }],
    ...(priority !== undefined && { priority }),
  };
  const use =
    used === undefined ? {} : { memoryBytes: used, processes: used, writable: files(used, !cut), log: files(0) };
  return { uid: name, pod: podOf(name, spec), containers: new Map([["main", use]]), volumes: new Map() };
}

/** What is left, the first to go first. */
const table: readonly { readonly what: string; readonly starved?: Starved; readonly pods: readonly Given[] }[] = [
  {
    what: "who uses more than it asked for, however little and important",
    pods: [
      { name: "above", priority: 1000, request: "10", used: 11 },
      { name: "below", priority: 0, request: "1000", used: 999 },
    ],
  },
  {
    what: "of those the one of lower priority, though it uses less",
    pods: [
      { name: "low", priority: 1, request: "10", used: 20 },
      { name: "high", priority: 2, request: "10", used: 500 },
    ],
  },
  {
    what: "of one priority who is further above its request, not who uses most",
    pods: [
      { name: "far", request: "10", used: 200 },
      { name: "most", request: "900", used: 1000 },
    ],
  },
  {
    what: "below the requests the lower priority, then who is nearest to it",
    pods: [
      { name: "low", priority: -5, request: "1000", used: 1 },
      { name: "near", request: "100", used: 99 },
      { name: "far", request: "100", used: 2 },
    ],
  },
  {
    what: "who asked for nothing is above its request by all that it uses",
    pods: [
      { name: "best-effort", used: 50 },
      { name: "burstable", request: "100", used: 140 },
    ],
  },
  {
    what: "whose use is not known, as in Kubernetes",
    pods: [
      { name: "unknown", priority: 7, request: "10" },
      { name: "above", priority: 0, used: 500 },
    ],
  },
  {
    what: "of disk too",
    starved: "ephemeral-storage",
    pods: [
      { name: "above", request: "10", used: 30 },
      { name: "below", request: "100", used: 90 },
    ],
  },
  {
    what: "who has so much on the disk that it was not counted to its end",
    starved: "ephemeral-storage",
    pods: [
      { name: "cut", request: "1000", used: 10, cut: true },
      { name: "below", request: "1000", used: 900 },
    ],
  },
  {
    what: "of inodes, which nobody can ask for, by priority and number",
    starved: "inodes",
    pods: [
      { name: "many", used: 900, request: "100000" },
      { name: "few", used: 3 },
      { name: "high", priority: 10, used: 5000 },
    ],
  },
  {
    what: "of processes, by priority and number alone",
    starved: "pids",
    pods: [
      { name: "low", priority: -1, used: 1 },
      { name: "many", used: 100, request: "1000" },
      { name: "few", used: 2 },
    ],
  },
];

describe("the order of evictions: first goes", () => {
  for (const { what, starved = "memory", pods } of table) {
    it(what, () => {
      const expected = pods.map(({ name }) => name);
      // In whatever order they come.
      for (const given of [pods, [...pods].reverse()]) {
        const order = evictionOrder(given.map(usageOf), starved).map(({ uid }) => uid);
        assert.deepEqual(order, expected);
      }
    });
  }

  it("what is on the disk that is short counts, and no other", () => {
    const one = { ...usageOf({ name: "layer", used: 100 }), volumes: new Map([["v", files(5)]]) };
    const other = { ...usageOf({ name: "volume", used: 5 }), volumes: new Map([["v", files(100)]]) };
    const first = (part: "all" | "image disk" | "node disk") =>
      evictionOrder([one, other], "ephemeral-storage", part)[0]?.uid;
    assert.equal(first("image disk"), "layer");
    assert.equal(first("node disk"), "volume");
  });

  it("and who has nothing on it goes last, not as one of whom nothing is known", () => {
    const idle = usageOf({ name: "a-idle", used: 0 });
    const busy = { ...usageOf({ name: "busy", used: 0 }), volumes: new Map([["v", files(100)]]) };
    const first = evictionOrder([idle, busy], "ephemeral-storage", "node disk")[0];
    assert.equal(first?.uid, "busy");
  });

  it("never a Pod of the system", () => {
    assert.ok(isSpared(podOf("p", { priority: 2_000_000_000 })));
    assert.ok(!isSpared(podOf("p", { priority: 1_999_999_999 })));
    assert.ok(!isSpared(podOf("p")));
  });
});

describe("the message of an eviction", () => {
  const threshold = { amount: { units: 1 }, graceMs: 0, reclaim: { units: 0 } } as const;

  it("has Kubernetes' words for memory, with each container that used more than it asked for", () => {
    const pod = podOf("p", {
      containers: [
        { name: "hog", image: testImage },
        { name: "modest", image: testImage, resources: { requests: { memory: "1Gi" } } },
        { name: "above", image: testImage, resources: { requests: { memory: "128M" } } },
      ],
    });
    const containers = new Map([
      ["hog", { memoryBytes: 4_395_616 * 1024 }],
      ["modest", { memoryBytes: 5 }],
      ["above", { memoryBytes: 788_244 * 1024 }],
    ]);
    const usage: PodUsage = { uid: "p", pod, containers, volumes: new Map() };
    const met = {
      threshold: { ...threshold, signal: "memory.available" as const },
      wantedUnits: 750 * 2 ** 20,
      availableUnits: 225_800 * 1024,
    };
    assert.equal(
      evictionMessage(met, usage),
      "The node was low on resource: memory. Threshold quantity: 750Mi, available: 225800Ki. " +
        "Container hog was using 4395616Ki, request is 0, has larger consumption of memory. " +
        "Container above was using 788244Ki, request is 128M, has larger consumption of memory.",
    );
  });

  it("and for the disk, inodes and processes", () => {
    const usage = usageOf({ name: "p", used: 108 * 1024 });
    const words = (signal: "nodefs.available" | "imagefs.inodesFree" | "pid.available"): string =>
      evictionMessage(
        { threshold: { ...threshold, signal }, wantedUnits: 46_993_491_787, availableUnits: 2048 },
        usage,
      );
    assert.equal(
      words("nodefs.available"),
      "The node was low on resource: ephemeral-storage. Threshold quantity: 46993491787, available: 2Ki. " +
        "Container main was using 108Ki, request is 0, has larger consumption of ephemeral-storage.",
    );
    assert.equal(
      words("imagefs.inodesFree"),
      "The node was low on resource: inodes. Threshold quantity: 46993491787, available: 2048.",
    );
    assert.equal(
      words("pid.available"),
      "The node was low on resource: pids. Threshold quantity: 46993491787, available: 2048.",
    );
  });
});
