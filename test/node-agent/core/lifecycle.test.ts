import assert from "node:assert/strict";
import { shellImage, type FakeImage } from "../../../node-agent/core/fake-program.js";
import type { Container, PodSpec } from "../../../src/api/kinds/pod.js";
import { AgentWorld, podOf } from "../agent-world.js";

const image = "ikada-test/app:1";
const sleeper: Container = { name: "main", image, command: ["sleep", "9999999"] };
/** Ends on SIGTERM. */
const polite = (name: string, more: Partial<Container> = {}): Container => ({
  name,
  image,
  command: ["sh", "-c", "trap 'exit 0' TERM; sleep 9999999 & wait"],
  ...more,
});
const sidecar = (name: string, more: Partial<Container> = {}): Container =>
  polite(name, { restartPolicy: "Always", ...more });

/** A world with an image whose commands are noted, and what a Pod of this spec does in it. */
class Trial {
  readonly commands: string[] = [];
  /** By the first word of a command. */
  readonly takesMs: Record<string, number> = {};
  readonly failing = new Set<string>();
  serving = new Map<number, number>();
  readonly world: AgentWorld;

  constructor(spec: Partial<PodSpec>) {
    const app: FakeImage = {
      ...shellImage,
      exec: (command) => {
        this.commands.push(`${command.join(" ")} @${this.world.world.now}`);
        const [word = ""] = command;
        return { exitCode: this.failing.has(word) ? 1 : 0, output: "", takesMs: this.takesMs[word] ?? 5 };
      },
      serve: (port) => {
        const status = this.serving.get(port);
        return status === undefined ? undefined : { status, takesMs: 1 };
      },
    };
    this.world = new AgentWorld({ [image]: app });
    this.world.boot();
    this.world.connect();
    this.spec = spec;
  }

  spec: Partial<PodSpec>;

  begin(): AgentWorld {
    this.world.assign(podOf("a", this.spec));
    return this.world;
  }

  /** Deletes the Pod with this grace, and says how long it took until it was gone. */
  end(graceSeconds: number): number {
    const { world } = this;
    const at = world.world.now;
    const deletion = { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: graceSeconds };
    world.assign(podOf("a", this.spec, deletion));
    world.world.until("gone", () => world.gone.has("uid-a"), 120_000);
    return world.world.now - at;
  }

  running(): string[] {
    return this.world.containers("running").map((key) => key.replace("uid-a/", ""));
  }

  /** Virtual time at which a container of this name ended. */
  endOf(name: string): number {
    const ended = this.world.status("a");
    const all = [...(ended.initContainerStatuses ?? []), ...(ended.containerStatuses ?? [])];
    return Date.parse(all.find((one) => one.name === name)?.state?.terminated?.finishedAt ?? "");
  }
}

describe("sidecars", () => {
  it("start in their turn, each when the one before has started, and the containers last", () => {
    const probe = { exec: { command: ["started"] }, periodSeconds: 1, failureThreshold: 100 };
    const trial = new Trial({
      initContainers: [
        sidecar("proxy", { startupProbe: probe }),
        { name: "once", image, command: ["sh", "-c", "sleep 1"] },
        sidecar("logs"),
      ],
      containers: [sleeper],
    });
    trial.failing.add("started");
    const world = trial.begin();
    world.world.until("proxy runs", () => trial.running().includes("proxy/0"));
    world.world.pass(10_000);
    assert.deepEqual(trial.running(), ["proxy/0", "sandbox/0"], "what has not started holds up the next");
    assert.equal(world.status("a").initContainerStatuses?.[0]?.started, false);
    assert.equal(world.status("a").initContainerStatuses?.[1]?.state?.waiting?.reason, "PodInitializing");
    trial.failing.clear();
    world.world.until("once runs", () => trial.running().includes("once/0"));
    assert.ok(!trial.running().includes("logs/0"));
    world.world.until("ready", () => world.ready("a"));
    assert.deepEqual(trial.running(), ["logs/0", "main/0", "proxy/0", "sandbox/0"]);
    assert.ok(world.status("a").initContainerStatuses?.every(({ ready }) => ready));
  });

  it("are started again whatever the Pod's policy, without the others noticing", () => {
    const trial = new Trial({
      restartPolicy: "Never",
      initContainers: [sidecar("proxy"), sidecar("logs")],
      containers: [sleeper],
    });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    world.engine.signal(world.find("uid-a/proxy/0"), "SIGKILL");
    world.world.until("again", () => trial.running().includes("proxy/1"));
    world.world.until("ready again", () => world.ready("a"));
    assert.deepEqual(trial.running(), ["logs/0", "main/0", "proxy/1", "sandbox/0"]);
    assert.equal(world.status("a").conditions?.find(({ type }) => type === "Initialized")?.status, "True");
    assert.equal(world.status("a").phase, "Running");
  });

  it("do not keep a Pod from its end, and go after it in reverse order", () => {
    const trial = new Trial({
      restartPolicy: "Never",
      initContainers: [sidecar("first"), sidecar("second")],
      containers: [{ name: "main", image, command: ["sh", "-c", "sleep 5"] }],
    });
    const world = trial.begin();
    const order: string[] = [];
    world.world.until("succeeded", () => {
      for (const name of ["main", "second", "first"])
        if (!order.includes(name) && world.containers("exited").includes(`uid-a/${name}/0`)) order.push(name);
      return world.statuses.get("uid-a")?.phase === "Succeeded";
    });
    assert.deepEqual(order, ["main", "second", "first"]);
    world.world.pass(60_000);
    assert.deepEqual(trial.running(), [], "and none comes back");
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.terminated?.reason, "Completed");
  });

  it("run until the containers have ended, within the grace", () => {
    const trial = new Trial({
      initContainers: [sidecar("first"), sidecar("second")],
      containers: [polite("main", { lifecycle: { preStop: { sleep: { seconds: 5 } } } })],
    });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    const tookMs = trial.end(30);
    assert.ok(tookMs >= 5_000 && tookMs < 8_000, String(tookMs));
    assert.ok(trial.endOf("main") <= trial.endOf("second") && trial.endOf("second") <= trial.endOf("first"));
  });

  it("all go when the grace is over, with a moment for each", () => {
    const trial = new Trial({ initContainers: [sidecar("first"), sidecar("second")], containers: [sleeper] });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    const tookMs = trial.end(5);
    assert.ok(tookMs >= 5_000 && tookMs < 8_000, String(tookMs));
    const codes = world.status("a").initContainerStatuses?.map(({ state }) => state?.terminated?.exitCode);
    assert.deepEqual(codes, [0, 0], "they heard SIGTERM");
  });

  it("begin anew in another sandbox, init containers too", () => {
    const trial = new Trial({
      initContainers: [{ name: "once", image, command: ["sh", "-c", "sleep 1"] }, sidecar("proxy")],
      containers: [sleeper],
      terminationGracePeriodSeconds: 1,
    });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    world.engine.signal(world.find("uid-a/sandbox/0"), "SIGKILL");
    world.world.until("another init", () => trial.running().includes("once/1"));
    assert.deepEqual(trial.running(), ["once/1", "sandbox/1"], "nothing runs ahead of it");
    world.world.until("ready", () => world.ready("a") && trial.running().includes("main/1"));
  });
});

describe("lifecycle hooks", () => {
  it("postStart: the container counts as made when it has succeeded", () => {
    const trial = new Trial({
      containers: [{ ...sleeper, lifecycle: { postStart: { exec: { command: ["begin"] } } } }],
    });
    trial.takesMs["begin"] = 3_000;
    const world = trial.begin();
    world.world.until("runs", () => trial.running().includes("main/0"));
    world.world.pass(2_500);
    assert.equal(world.status("a").phase, "Pending");
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.waiting?.reason, "ContainerCreating");
    world.world.until("ready", () => world.ready("a"));
    world.world.pass(60_000);
    assert.equal(trial.commands.length, 1, "once");
  });

  it("postStart: its failure ends the container, and the restart policy goes on", () => {
    const trial = new Trial({
      containers: [polite("main", { lifecycle: { postStart: { exec: { command: ["begin"] } } } })],
    });
    trial.failing.add("begin");
    const world = trial.begin();
    world.world.until("again", () => (world.statuses.get("uid-a")?.containerStatuses?.[0]?.restartCount ?? 0) >= 2);
    trial.failing.clear();
    world.world.until("ready", () => world.ready("a"));
  });

  it("postStart is not repeated by an agent that adopts the container, unless it was on its way", () => {
    const trial = new Trial({
      containers: [{ ...sleeper, lifecycle: { postStart: { exec: { command: ["begin"] } } } }],
    });
    trial.takesMs["begin"] = 3_000;
    const world = trial.begin();
    world.world.until("hook runs", () => trial.commands.length === 1);
    world.world.pass(500);
    world.crash();
    world.boot();
    world.connect();
    world.world.until("ready", () => world.ready("a"));
    assert.equal(trial.commands.length, 2);
    world.world.pass(1_000);
    world.crash();
    world.statuses.clear();
    world.boot();
    world.connect();
    world.world.until("ready", () => world.ready("a"));
    assert.equal(trial.commands.length, 2);
  });

  it("preStop comes before the signal and spends the same grace", () => {
    const trial = new Trial({
      containers: [{ ...sleeper, lifecycle: { preStop: { exec: { command: ["farewell"] } } } }],
    });
    trial.takesMs["farewell"] = 4_000;
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    const tookMs = trial.end(10);
    assert.equal(trial.commands.length, 1);
    assert.ok(tookMs >= 10_000 && tookMs < 12_000, `sleep hears no SIGTERM, so SIGKILL ends it: ${tookMs}`);
  });

  it("after a preStop that takes all the grace the signal still gets two seconds", () => {
    const trial = new Trial({
      containers: [{ ...sleeper, lifecycle: { preStop: { sleep: { seconds: 60 } } } }],
    });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    const tookMs = trial.end(5);
    assert.ok(tookMs >= 7_000 && tookMs < 8_500, String(tookMs));
  });

  it("preStop does not outlive its container, nor an order to hurry", () => {
    const lifecycle = { preStop: { sleep: { seconds: 60 } } };
    const trial = new Trial({ containers: [{ name: "main", image, command: ["sh", "-c", "sleep 20"], lifecycle }] });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    assert.ok(trial.end(100) < 21_000);

    const hurried = new Trial({ containers: [{ ...sleeper, lifecycle }] });
    const other = hurried.begin();
    other.world.until("ready", () => other.ready("a"));
    other.assign(
      podOf("a", hurried.spec, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 100 }),
    );
    other.world.pass(1_000);
    assert.ok(hurried.end(0) < 1_000);
  });

  it("preStop comes before an unhealthy container's end, within its probe's own grace", () => {
    const trial = new Trial({
      terminationGracePeriodSeconds: 100,
      containers: [
        {
          ...sleeper,
          livenessProbe: {
            exec: { command: ["alive"] },
            periodSeconds: 1,
            failureThreshold: 1,
            terminationGracePeriodSeconds: 3,
          },
          lifecycle: { preStop: { exec: { command: ["farewell"] } } },
        },
      ],
    });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    trial.failing.add("alive");
    const at = world.world.now;
    world.world.until("again", () => trial.running().includes("main/1"));
    assert.ok(world.world.now - at < 6_000, String(world.world.now - at));
    assert.equal(trial.commands.filter((command) => command.startsWith("farewell")).length, 1);
  });

  it("an HTTP hook asks the Pod, and any answer will do", () => {
    const postStart = { httpGet: { path: "/begin", port: 8080 } };
    const trial = new Trial({ containers: [polite("main", { lifecycle: { postStart } })] });
    trial.serving.set(8080, 500);
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    assert.equal(world.status("a").containerStatuses?.[0]?.restartCount, 0);
    trial.serving.clear();
    world.engine.signal(world.find("uid-a/main/0"), "SIGKILL");
    world.world.until("again and again", () => (world.status("a").containerStatuses?.[0]?.restartCount ?? 0) >= 2);
  });
});

describe("a Pod's settings", () => {
  const waiting = (world: AgentWorld): string =>
    world.statuses.get("uid-a")?.containerStatuses?.[0]?.state?.waiting?.reason ?? "";

  it("gRPC probes: only SERVING is ready", () => {
    const trial = new Trial({
      containers: [{ ...sleeper, readinessProbe: { grpc: { port: 9000 }, periodSeconds: 1 } }],
    });
    const world = trial.begin();
    trial.serving.set(9000, 503);
    world.world.until("runs", () => trial.running().includes("main/0"));
    world.world.pass(10_000);
    assert.equal(world.ready("a"), false);
    trial.serving.set(9000, 200);
    world.world.until("ready", () => world.ready("a"));
  });

  it("readiness gates: others' conditions count, and are not repeated", () => {
    const trial = new Trial({ containers: [sleeper], readinessGates: [{ conditionType: "example.org/routed" }] });
    const world = trial.begin();
    const condition = (type: string) => world.statuses.get("uid-a")?.conditions?.find((one) => one.type === type);
    world.world.until("containers ready", () => condition("ContainersReady")?.status === "True");
    assert.equal(condition("Ready")?.reason, "ReadinessGatesNotReady");
    const routed = { type: "example.org/routed", status: "True" as const };
    world.assign({ ...podOf("a", trial.spec), status: { conditions: [routed] } });
    world.world.until("ready", () => world.ready("a"));
    assert.equal(condition("example.org/routed"), undefined);
  });

  it("a container that must not be root, of an image that is", () => {
    const trial = new Trial({ containers: [sleeper], securityContext: { runAsNonRoot: true } });
    const world = trial.begin();
    world.world.until("refused", () => waiting(world) === "CreateContainerConfigError");
    assert.match(
      world.status("a").containerStatuses?.[0]?.state?.waiting?.message ?? "",
      /runAsNonRoot and image will run as root/,
    );
    const other = new Trial({ containers: [sleeper], securityContext: { runAsNonRoot: true, runAsUser: 1000 } });
    const fine = other.begin();
    fine.world.until("ready", () => fine.ready("a"));
  });

  it("a port of the node that it does not give", () => {
    const ports = [{ containerPort: 80, hostPort: 80 }];
    const trial = new Trial({ containers: [{ ...sleeper, ports }] });
    const world = trial.begin();
    world.world.until("refused", () => waiting(world) === "CreateContainerConfigError");
    assert.deepEqual(trial.running(), []);
  });

  it("last words are in the status", () => {
    const command = ["sh", "-c", "echo farewell > /dev/termination-log; exit 3"];
    const trial = new Trial({ restartPolicy: "Never", containers: [{ name: "main", image, command }] });
    const world = trial.begin();
    world.world.until("failed", () => world.statuses.get("uid-a")?.phase === "Failed");
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.terminated?.message, "farewell\n");
  });

  it("what somebody made with the labels of a Pod is taken away, and the Pod runs on", () => {
    const trial = new Trial({ containers: [sleeper] });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    const { owner, spec } = world.engine.require(world.find("uid-a/main/0"));
    const at = world.world.now;
    const foreign = [
      world.engine.create(owner, spec, true),
      world.engine.create(owner, { ...spec, containerName: "guest", attempt: 3 }, true),
    ];
    for (const id of foreign) world.engine.start(id);
    world.world.until("gone", () => !foreign.some((id) => world.engine.containers.has(id)));
    assert.ok(world.world.now - at < 2_000);
    assert.deepEqual(trial.running(), ["main/0", "sandbox/0"]);
    assert.equal(world.status("a").containerStatuses?.length, 1);
  });
});

describe("an engine that hangs", () => {
  it("is told within seconds, changes nothing, and is caught up with when it answers again", () => {
    const trial = new Trial({ containers: [sleeper] });
    const world = trial.begin();
    world.world.until("ready", () => world.ready("a"));
    world.engine.hung = true;
    const at = world.world.now;
    world.world.until("told", () => /no answer/.test(world.engineErrors.at(-1) ?? ""));
    assert.ok(world.world.now - at <= 10_000);
    world.engine.signal(world.find("uid-a/main/0"), "SIGKILL");
    world.world.pass(120_000);
    assert.deepEqual(world.containers(), ["uid-a/main/0", "uid-a/sandbox/0"]);
    assert.equal(world.fatal, undefined);
    world.engine.hung = false;
    world.world.until("answers", () => world.engineErrors.at(-1) === undefined);
    world.world.until("again", () => trial.running().includes("main/1"));
  });
});
