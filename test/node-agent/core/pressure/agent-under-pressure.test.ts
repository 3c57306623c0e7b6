import assert from "node:assert/strict";
import type { PodSpec } from "../../../../src/api/kinds/pod.js";
import type { Signal } from "../../../../node-agent/core/pressure/signals.js";
import { hardDefaults, parseThresholds } from "../../../../node-agent/core/pressure/thresholds.js";
import { roomyMachine } from "../../../../node-agent/core/fake-engine.js";
import { AgentWorld, podOf, testImage } from "../../agent-world.js";

const mebi = 2 ** 20;

function container(
  name: string,
  resources: { requests?: Record<string, string>; limits?: Record<string, string> } = {},
) {
  return { name, image: testImage, command: ["sleep", "9999999"], resources };
}

const spec = (resources: Parameters<typeof container>[1], more: Partial<PodSpec> = {}): Partial<PodSpec> => ({
  terminationGracePeriodSeconds: 1,
  containers: [container("main", resources)],
  ...more,
});

describe("an agent under pressure", () => {
  let world: AgentWorld;
  const until = (what: string, condition: () => boolean, limitMs = 60_000): void =>
    world.world.until(what, condition, limitMs);
  const phase = (name: string) => world.statuses.get(`uid-${name}`)?.phase;
  const conditions = () =>
    world.agent.pressureConditions.filter(({ status }) => status === "True").map(({ type }) => type);

  function boot(): void {
    const texts = { soft: {}, softGraceSeconds: {}, minimumReclaim: {} };
    world.pressure = {
      thresholds: parseThresholds({ hard: { ...hardDefaults, "pid.available": "100" }, ...texts }, "eviction"),
      holdMs: 300_000,
      intervalMs: 10_000,
      softGraceMsMax: 30_000,
      storageIntervalMs: 10_000,
    };
    world.boot();
    world.connect();
  }

  function have(signal: Signal, available: number): void {
    const { supplies } = world.engine.machine;
    const capacity = supplies[signal]?.capacity ?? 0;
    world.engine.machine = { ...world.engine.machine, supplies: { ...supplies, [signal]: { capacity, available } } };
  }

  /** Whatever ends gives back its memory. */
  function shareMemory(free: number, uses: Readonly<Record<string, number>>): void {
    for (const [name, memoryBytes] of Object.entries(uses)) world.engine.uses.set(`${name}/main`, { memoryBytes });
    const update = (): void => {
      const names = new Set(world.containers("running").map((key) => key.split("/")[0]));
      const given = Object.entries(uses).filter(([name]) => !names.has(`uid-${name}`));
      have("memory.available", free + given.reduce((sum, [, bytes]) => sum + bytes, 0));
      world.world.timers.after(100, update);
    };
    update();
  }

  beforeEach(() => {
    world = new AgentWorld();
    boot();
  });

  it("is well while there is enough, and says so", () => {
    world.assign(podOf("a"));
    until("ready", () => world.ready("a"));
    world.world.pass(120_000);
    assert.deepEqual([conditions(), phase("a"), world.turns], [[], "Running", 0]);
  });

  it("evicts one Pod after the other until there is enough, in order, and leaves the rest", () => {
    world.assign(podOf("small", spec({ requests: { memory: "1Gi" } })));
    world.assign(podOf("greedy", spec({ requests: { memory: "10Mi" } })));
    world.assign(podOf("nothing", spec({})));
    until("all ready", () => ["small", "greedy", "nothing"].every((name) => world.ready(name)));
    shareMemory(10 * mebi, { small: 500 * mebi, greedy: 60 * mebi, nothing: 50 * mebi });
    until("greedy evicted", () => phase("greedy") === "Failed");
    assert.equal(phase("nothing"), "Running", "one at a time, and then it is looked again");
    until("nothing evicted", () => phase("nothing") === "Failed");
    world.world.pass(120_000);
    assert.equal(phase("small"), "Running", "it has what it asked for");
    const { reason, message, conditions: said } = world.status("greedy");
    assert.equal(reason, "Evicted");
    assert.equal(
      message,
      "The node was low on resource: memory. Threshold quantity: 100Mi, available: 10Mi. " +
        "Container main was using 60Mi, request is 10Mi, has larger consumption of memory.",
    );
    const target = said?.find(({ type }) => type === "DisruptionTarget");
    assert.deepEqual([target?.status, target?.reason], ["True", "TerminationByKubelet"]);
    assert.ok(world.told("greedy").some((text) => text === `Evicted ${message}`));
    assert.ok(world.told().includes("NodeHasInsufficientMemory Node status is now: NodeHasInsufficientMemory"));
    assert.ok(world.told().includes("EvictionThresholdMet Attempting to reclaim memory"));
    assert.deepEqual(conditions(), ["MemoryPressure"]);
  });

  it("ends it at once, without hook or stop signal, and keeps its log", () => {
    const preStop = { sleep: { seconds: 20 } };
    const main = { ...container("main"), lifecycle: { preStop } };
    world.assign(podOf("a", { terminationGracePeriodSeconds: 600, containers: [main] }));
    until("ready", () => world.ready("a"));
    const begun = world.world.now;
    shareMemory(10 * mebi, { a: 200 * mebi });
    until("evicted", () => phase("a") === "Failed");
    assert.ok(world.world.now - begun < 15_000, `${world.world.now - begun} ms`);
    world.world.pass(5_000);
    assert.deepEqual(world.containers(), ["uid-a/main/0"], "the network is given back");
  });

  it("does not start it again, also in its next process, and the Pod goes when it is deleted", () => {
    world.assign(podOf("a", { volumes: [{ name: "v", emptyDir: {} }], ...spec({}) }));
    until("ready", () => world.ready("a"));
    shareMemory(10 * mebi, { a: 200 * mebi });
    until("evicted", () => phase("a") === "Failed");
    world.world.pass(60_000);
    assert.ok(!world.engine.volumes.pods.has("uid-a"), "its volumes are given back");
    world.crash();
    world.statuses.clear();
    boot();
    until("told again", () => phase("a") === "Failed");
    world.world.pass(400_000);
    assert.deepEqual(world.containers("running"), []);
    assert.equal(world.status("a").reason, "Evicted");
    world.assign(podOf("a", spec({}), { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 1 }));
    until("gone", () => world.gone.has("uid-a"));
    assert.deepEqual(world.containers(), []);
  });

  it("killed at any moment of an eviction it comes to the same end", () => {
    for (const at of ["agent.stop", "agent.remove", "agent.remove-volumes"]) {
      world = new AgentWorld();
      boot();
      world.assign(podOf("a", { volumes: [{ name: "v", emptyDir: {} }], ...spec({}) }));
      until("ready", () => world.ready("a"));
      let crashed = false;
      world.onFailpoint = (name) => {
        if (name !== at || crashed) return;
        crashed = true;
        world.crash();
      };
      shareMemory(10 * mebi, { a: 200 * mebi });
      until("crash", () => crashed);
      world.world.pass(1_000);
      boot();
      until("evicted", () => phase("a") === "Failed");
      world.world.pass(60_000);
      assert.deepEqual(world.containers(), ["uid-a/main/0"], at);
      assert.equal(world.status("a").reason, "Evicted", at);
    }
  });

  it("spares Pods of the system, and says that it can do nothing", () => {
    world.assign(podOf("a", spec({}, { priority: 2_000_001_000 })));
    until("ready", () => world.ready("a"));
    shareMemory(10 * mebi, { a: 500 * mebi });
    world.world.pass(120_000);
    assert.deepEqual([phase("a"), conditions()], ["Running", ["MemoryPressure"]]);
  });

  it("a condition goes five minutes after it was last met, also when the agent began anew meanwhile", () => {
    have("memory.available", 0);
    until("pressure", () => conditions().length === 1);
    have("memory.available", 12 * 2 ** 30);
    world.world.pass(120_000);
    world.crash();
    boot();
    assert.deepEqual(conditions(), ["MemoryPressure"], "from its first word on");
    world.world.pass(150_000);
    assert.deepEqual(conditions(), ["MemoryPressure"]);
    world.world.pass(60_000);
    assert.deepEqual(conditions(), []);
  });

  it("removes dead containers and images first when a disk is short, and evicts nobody when that is enough", () => {
    world.assign(podOf("a", spec({})));
    until("ready", () => world.ready("a"));
    world.engine.signal(world.find("uid-a/main/0"), "SIGKILL");
    until("again", () => world.containers("running").includes("uid-a/main/1"));
    assert.ok(world.containers("exited").includes("uid-a/main/0"));
    have("nodefs.available", 0);
    const roomAgain = (): void => {
      if (world.containers("exited").length === 0) have("nodefs.available", 90 * 2 ** 30);
      else world.world.timers.after(50, roomAgain);
    };
    roomAgain();
    until("pressure", () => conditions().includes("DiskPressure"));
    world.world.pass(60_000);
    assert.deepEqual(world.containers(), ["uid-a/main/1", "uid-a/sandbox/0"]);
    assert.equal(phase("a"), "Running");
  });

  it("who has most on the disk above its request goes with its containers' files", () => {
    for (const name of ["a", "b"]) world.assign(podOf(name, spec({ requests: { "ephemeral-storage": "1Mi" } })));
    until("ready", () => world.ready("a") && world.ready("b"));
    world.engine.uses.set("a/main", { writableBytes: 5 * mebi, logBytes: 3 * mebi });
    world.engine.uses.set("b/main", { writableBytes: 7 * mebi });
    have("imagefs.available", 2 ** 30);
    const roomAgain = (): void => {
      if (world.containers().some((key) => key.startsWith("uid-a/"))) world.world.timers.after(50, roomAgain);
      else have("imagefs.available", 90 * 2 ** 30);
    };
    roomAgain();
    until("evicted", () => phase("a") === "Failed");
    world.world.pass(60_000);
    assert.deepEqual(world.containers(), ["uid-b/main/0", "uid-b/sandbox/0"]);
    assert.equal(
      world.status("a").message,
      "The node was low on resource: ephemeral-storage. Threshold quantity: 15Gi, available: 1Gi. " +
        "Container main was using 8Mi, request is 1Mi, has larger consumption of ephemeral-storage.",
    );
  });

  it("who has most processes goes when those run short", () => {
    for (const name of ["a", "b"]) world.assign(podOf(name, spec({})));
    until("ready", () => world.ready("a") && world.ready("b"));
    world.engine.uses.set("b/main", { processes: 9_000 });
    have("pid.available", 99);
    until("evicted", () => phase("b") === "Failed");
    have("pid.available", 9_000);
    world.world.pass(60_000);
    assert.deepEqual([phase("a"), conditions()], ["Running", ["PIDPressure"]]);
  });

  it("under pressure of memory takes new Pods that ask for some, and no others; under that of a disk none", () => {
    have("memory.available", 0);
    until("pressure", () => conditions().length === 1);
    have("memory.available", 12 * 2 ** 30);
    world.assign(podOf("asks", spec({ requests: { memory: "1Mi" } })));
    world.assign(podOf("nothing", spec({})));
    const key = "node.kubernetes.io/memory-pressure";
    world.assign(podOf("tolerates", spec({}, { tolerations: [{ key, operator: "Exists" }] })));
    until("refused", () => phase("nothing") === "Failed");
    until("ready", () => world.ready("asks") && world.ready("tolerates"));
    assert.equal(world.status("nothing").message, "The node had condition: [MemoryPressure].");
    have("nodefs.available", 0);
    until("pressure of the disk", () => conditions().length === 2);
    world.engine.machine = roomyMachine;
    world.assign(podOf("late", spec({ requests: { memory: "1Mi" } })));
    until("refused", () => phase("late") === "Failed");
    assert.equal(world.status("late").message, "The node had condition: [MemoryPressure DiskPressure].");
    assert.ok(!world.containers().some((name) => name.startsWith("uid-late")));
    const exists = (what: string) => ({ key: `node.kubernetes.io/${what}-pressure`, operator: "Exists" as const });
    world.assign(podOf("daemon", spec({}, { tolerations: [exists("memory"), exists("disk")] })));
    until("one that tolerates all of it is taken", () => world.ready("daemon"));
  });

  it("decides nothing while the engine does not answer", () => {
    world.assign(podOf("a", spec({})));
    until("ready", () => world.ready("a"));
    world.engine.setDown(true);
    have("memory.available", 0);
    world.world.pass(60_000);
    assert.deepEqual(conditions(), ["MemoryPressure"]);
    have("memory.available", 12 * 2 ** 30);
    world.engine.setDown(false);
    world.world.pass(60_000);
    assert.equal(phase("a"), "Running");
  });

  it("a disk that takes nothing more does not end the agent: Pods go, and what it remembers is written then", () => {
    world.assign(podOf("a", spec({})));
    until("ready", () => world.ready("a"));
    world.disk.isFull = true;
    have("nodefs.available", 0);
    until("evicted", () => phase("a") === "Failed");
    assert.equal(world.fatal, undefined);
    world.disk.isFull = false;
    world.engine.machine = roomyMachine;
    world.world.pass(10_000);
    world.crash();
    world.statuses.clear();
    boot();
    until("still evicted", () => phase("a") === "Failed");
    world.world.pass(60_000);
    assert.deepEqual(world.containers("running"), []);
  });
});

describe("a Pod that the servers know as evicted", () => {
  it("is not started by an agent that has lost all that it knew of it, and what runs of it ends", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    world.assign(podOf("a"));
    world.world.until("ready", () => world.ready("a"));
    const status = { phase: "Failed", reason: "Evicted", message: "why" } as const;
    for (const name of ["a", "b"]) world.assign({ ...podOf(name), status });
    world.world.until("ended", () => world.containers().length === 0);
    world.world.pass(60_000);
    assert.deepEqual(world.containers(), []);
    assert.deepEqual([world.status("b").reason, world.status("b").message], ["Evicted", "why"]);
  });
});

describe("limits of what a Pod may write", () => {
  let world: AgentWorld;
  const phase = (name: string) => world.statuses.get(`uid-${name}`)?.phase;

  beforeEach(() => {
    world = new AgentWorld();
    world.pressure = {
      thresholds: [],
      holdMs: 300_000,
      intervalMs: 10_000,
      softGraceMsMax: 30_000,
      storageIntervalMs: 10_000,
    };
    world.boot();
    world.connect();
  });

  const limited = (limit: string) => spec({ limits: { "ephemeral-storage": limit } });
  const cases: readonly {
    what: string;
    spec: Partial<PodSpec>;
    message: string;
    write: (world: AgentWorld) => void;
  }[] = [
    {
      what: "an emptyDir on the disk that is over its sizeLimit",
      spec: spec({}, { volumes: [{ name: "work", emptyDir: { sizeLimit: "5Mi" } }] }),
      message: 'Usage of EmptyDir volume "work" exceeds the limit "5Mi".',
      write: ({ engine }) => engine.volumes.sizes.set("uid-p/work", 5 * mebi + 1),
    },
    {
      what: "a container's layer and log together",
      spec: {
        containers: [
          container("main", { limits: { "ephemeral-storage": "4Mi" } }),
          container("other", { limits: { "ephemeral-storage": "1Gi" } }),
        ],
      },
      message: 'Container main exceeded its local ephemeral storage limit "4Mi".',
      write: ({ engine }) => engine.uses.set("p/main", { writableBytes: 3 * mebi, logBytes: mebi + 1 }),
    },
    {
      what: "a Pod's layers, logs and emptyDirs together",
      spec: { ...limited("4Mi"), volumes: [{ name: "work", emptyDir: {} }] },
      message: "Pod ephemeral local storage usage exceeds the total limit of containers 4Mi.",
      write: ({ engine }) => {
        engine.uses.set("p/main", { writableBytes: mebi, logBytes: mebi });
        engine.volumes.sizes.set("uid-p/work", 2 * mebi + 1);
      },
    },
  ];
  for (const { what, spec: given, message, write } of cases) {
    it(`${what}: the Pod is evicted, and gives all back`, () => {
      world.assign(podOf("p", given));
      world.world.until("ready", () => world.ready("p"));
      world.world.pass(60_000);
      assert.equal(phase("p"), "Running");
      write(world);
      world.world.until("evicted", () => phase("p") === "Failed");
      assert.deepEqual([world.status("p").reason, world.status("p").message], ["Evicted", message]);
      world.world.pass(60_000);
      assert.deepEqual([world.containers(), world.engine.volumes.pods.size], [[], 0]);
      assert.ok(world.told("p").includes(`Evicted ${message}`));
    });
  }

  it("at the limit nothing happens, and what is in memory has its own", () => {
    const volumes = [
      { name: "work", emptyDir: { sizeLimit: "5Mi" } },
      { name: "memory", emptyDir: { sizeLimit: "5Mi", medium: "Memory" } },
    ];
    world.assign(podOf("p", spec({}, { volumes })));
    world.world.until("ready", () => world.ready("p"));
    world.engine.volumes.sizes.set("uid-p/work", 5 * mebi).set("uid-p/memory", 50 * mebi);
    world.world.pass(120_000);
    assert.equal(phase("p"), "Running");
  });
});
