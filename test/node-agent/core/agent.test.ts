import assert from "node:assert/strict";
import type { FakeImage } from "../../../node-agent/core/fake-program.js";
import { obligingImage, shellImage } from "../../../node-agent/core/fake-program.js";
import { AgentWorld, podOf, testImage } from "../agent-world.js";

function running(names = ["a"]): AgentWorld {
  const world = new AgentWorld();
  world.boot();
  world.connect();
  world.assign(...names.map((name) => podOf(name)));
  world.world.until("all ready", () => names.every((name) => world.ready(name)));
  return world;
}

describe("agent: assignments", () => {
  it("runs what is assigned: sandbox, container, status", () => {
    const world = running();
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
    const { phase, podIP, containerStatuses, hostIP } = world.status("a");
    assert.equal(phase, "Running");
    assert.match(podIP ?? "", /^10\.99\./);
    assert.equal(hostIP, "192.0.2.1");
    assert.equal(containerStatuses?.[0]?.restartCount, 0);
    assert.equal(containerStatuses?.[0]?.ready, true);
  });

  it("removes what is not assigned any more, sandbox last, and says that it is gone", () => {
    const world = running(["a", "b"]);
    world.unassign("uid-a");
    world.world.until("a is gone", () => !world.containers().some((key) => key.startsWith("uid-a")));
    assert.deepEqual(world.containers("running"), ["uid-b/main/0", "uid-b/sandbox/0"]);
    const removals = world.engine.history.filter((name) => name === "remove");
    assert.equal(removals.length, 2);
  });

  it("a terminating Pod ends within its grace and is reported gone with its last state", () => {
    const world = running();
    const at = world.world.now;
    world.assign(podOf("a", {}, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 5 }));
    world.world.until("gone", () => world.gone.has("uid-a"));
    assert.ok(world.world.now - at >= 5_000, "sleep ignores SIGTERM, so SIGKILL comes at the end of the grace");
    assert.ok(world.world.now - at < 6_500);
    assert.deepEqual(world.containers(), []);
    const { phase, containerStatuses } = world.status("a");
    assert.equal(phase, "Failed");
    assert.equal(containerStatuses?.[0]?.state?.terminated?.exitCode, 137);
    world.unassign("uid-a");
    world.world.pass(1_000);
    assert.equal(world.agent.statistics.pods, 0);
  });

  it("a later order shortens the grace", () => {
    const world = running();
    const ending = (seconds: number) =>
      podOf("a", {}, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: seconds });
    world.assign(ending(300));
    world.world.pass(2_000);
    const at = world.world.now;
    world.assign(ending(0));
    world.world.until("gone", () => world.gone.has("uid-a"));
    assert.ok(world.world.now - at < 1_000);
  });

  it("refuses older terms and revisions, gaps, and increments before the complete one", () => {
    const world = running();
    const { term, revision } = world.agent.position;
    const base = world.message("complete", [], []);
    assert.match(world.agent.receive({ ...base, term: term - 1 }) ?? "", /older term/);
    assert.match(world.agent.receive({ ...base, resultsIn: revision - 1 }) ?? "", /older than revision/);
    const gap = { ...base, type: "increment" as const, appliesTo: revision - 1, resultsIn: revision + 1 };
    assert.match(world.agent.receive(gap) ?? "", /was reached/);
    world.disconnect();
    world.agent.connect(
      "",
      () => undefined,
      () => undefined,
      () => undefined,
    );
    const early = { ...base, type: "increment" as const, appliesTo: revision, resultsIn: revision + 1 };
    assert.match(world.agent.receive(early) ?? "", /before the complete/);
    world.world.pass(60_000);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
  });
});

describe("agent: durability", () => {
  it("acts on assignments only once they are on disk", () => {
    const world = running(["a"]);
    world.disk.stalled = true;
    world.assign(podOf("b"));
    world.unassign("uid-a");
    world.world.pass(60_000);
    assert.deepEqual(world.containers(), ["uid-a/main/0", "uid-a/sandbox/0"]);
    world.disk.resume();
    world.world.until("b instead of a", () => world.containers().join() === "uid-b/main/0,uid-b/sandbox/0");
  });

  it("takes attempts from the containers' labels when its own memory is lost", () => {
    const world = running();
    for (const attempt of [0, 1, 2]) {
      world.engine.signal(world.find(`uid-a/main/${attempt}`), "SIGKILL");
      world.world.until("restart", () => world.containers("running").includes(`uid-a/main/${attempt + 1}`));
    }
    world.world.pass(1_000);
    const before = world.containers();
    world.crash();
    for (const name of world.disk.names) world.disk.damage(name);
    world.statuses.clear();
    world.boot();
    world.connect();
    world.world.until("reported", () => world.ready("a"));
    assert.deepEqual(world.containers(), before);
    assert.equal(world.status("a").containerStatuses?.[0]?.restartCount, 3);
    assert.equal(world.status("a").containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
  });

  it("ends when the disk fails", () => {
    const world = running();
    const { disk } = world;
    disk.failing = true;
    world.assign(podOf("b"));
    world.world.until("fatal", () => world.fatal !== undefined);
    world.world.pass(10_000);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
  });
});

describe("agent: without a control plane", () => {
  it("restarts at once, then after 1 s, 2 s, …, and counts", () => {
    const world = running();
    world.disconnect();
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      world.engine.signal(world.find(`uid-a/main/${attempt}`), "SIGKILL");
      const at = world.world.now;
      world.world.until("restart", () => world.containers("running").includes(`uid-a/main/${attempt + 1}`));
      pauses.push(Math.round((world.world.now - at) / 1000));
    }
    assert.deepEqual(pauses, [0, 1, 2, 4, 8]);
    world.connect();
    world.world.until("reported", () => world.status("a").containerStatuses?.[0]?.restartCount === 5);
    assert.equal(world.status("a").containerStatuses?.[0]?.lastState?.terminated?.exitCode, 137);
    // Of the old containers only the last is kept, for its logs.
    world.world.pass(1_000);
    assert.deepEqual(world.containers(), ["uid-a/main/4", "uid-a/main/5", "uid-a/sandbox/0"]);
  });

  it("keeps the backoff and the count over its own restart", () => {
    const world = running();
    for (const attempt of [0, 1, 2, 3]) {
      world.engine.signal(world.find(`uid-a/main/${attempt}`), "SIGKILL");
      world.world.until("restart", () => world.containers("running").includes(`uid-a/main/${attempt + 1}`));
    }
    world.engine.signal(world.find("uid-a/main/4"), "SIGKILL");
    const at = world.world.now;
    world.world.pass(3_000);
    world.crash();
    world.boot();
    world.world.until("restart", () => world.containers("running").includes("uid-a/main/5"));
    assert.equal(Math.round((world.world.now - at) / 1000), 8);
  });

  it("after a restart it adopts what runs, removes nothing, and removes strangers only once a server has spoken", () => {
    const world = running(["a", "b"]);
    const before = world.containers("running");
    const starts = world.engine.history.filter((name) => name === "start").length;
    world.crash();
    // The disk of the agent is lost altogether: it knows none of its containers.
    for (const name of world.disk.names) world.disk.damage(name);
    world.boot();
    world.world.pass(600_000);
    assert.deepEqual(world.containers("running"), before);
    world.connect();
    world.world.pass(10_000);
    assert.deepEqual(world.containers("running"), before);
    assert.equal(world.engine.history.filter((name) => name === "start").length, starts);
    world.crash();
    world.unassign("uid-b");
    world.boot();
    world.world.pass(600_000);
    assert.deepEqual(world.containers("running"), before);
    world.connect();
    world.world.until("b is gone", () => !world.containers().some((key) => key.startsWith("uid-b")));
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
  });

  it("stays ready over a restart of the agent", () => {
    // The first answer comes after the first report.
    let status = 200;
    const image: FakeImage = { ...obligingImage, serve: () => ({ status, takesMs: 900 }) };
    const world = new AgentWorld({ "web:1": image });
    world.boot();
    world.connect();
    const readinessProbe = { httpGet: { port: 8080 }, periodSeconds: 10 };
    world.assign(podOf("w", { containers: [{ name: "main", image: "web:1", readinessProbe }] }));
    world.world.until("ready", () => world.ready("w"));
    const transition = world.status("w").conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
    world.world.pass(5_000);
    world.crash();
    // From now on it is not ready, which takes three failures to be believed.
    status = 500;
    world.statuses.clear();
    world.boot();
    world.connect();
    world.world.until("reported", () => world.statuses.has("uid-w"));
    assert.ok(world.ready("w"));
    const after = world.status("w").conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
    assert.equal(after, transition);
    world.world.until("unready", () => !world.ready("w"), 45_000);
  });
});

describe("agent: drift", () => {
  it("makes a container again that somebody removed", () => {
    const world = running();
    world.engine.remove(world.find("uid-a/main/0"));
    world.world.until("again", () => world.containers("running").includes("uid-a/main/1"));
    world.world.until("reported", () => world.status("a").containerStatuses?.[0]?.restartCount === 1);
    assert.equal(world.status("a").containerStatuses?.[0]?.lastState?.terminated?.reason, "ContainerStatusUnknown");
  });

  it("a lost sandbox takes its containers with it into a new one", () => {
    const world = running();
    const address = world.status("a").podIP;
    world.engine.signal(world.find("uid-a/sandbox/0"), "SIGKILL");
    world.world.until("new sandbox", () => world.containers("running").includes("uid-a/main/1"), 120_000);
    world.world.until("reported", () => world.ready("a") && world.status("a").podIP !== address);
    assert.deepEqual(world.containers("running"), ["uid-a/main/1", "uid-a/sandbox/1"]);
  });

  it("an engine that goes away is a condition; what happened meanwhile is seen when it is back", () => {
    const world = running();
    world.engine.setDown(true);
    world.world.pass(1_000);
    assert.deepEqual(world.engineErrors.at(-1), "fake engine: down");
    const main = world.engine.containers.get(world.find("uid-a/main/0"));
    assert.ok(main);
    world.engine.exit(main, 1, false);
    world.world.pass(30_000);
    assert.deepEqual(world.containers("running"), ["uid-a/sandbox/0"]);
    world.engine.setDown(false);
    world.world.until("again", () => world.containers("running").includes("uid-a/main/1"), 2_000);
    assert.equal(world.engineErrors.at(-1), undefined);
  });
});

describe("agent: reports", () => {
  it("folds changes of 100 ms into one batch and repeats what was not acknowledged", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    world.acknowledging = false;
    world.assign(podOf("a"), podOf("b"), podOf("c"));
    world.world.pass(2_000);
    const times = world.batches.length;
    assert.ok(times <= 6, `${times} batches for three Pods`);
    assert.ok(world.agent.statistics.unacknowledged === 3);
    world.acknowledging = true;
    world.world.until("repeated", () => world.ready("a") && world.ready("b") && world.ready("c"), 6_000);
    world.world.pass(10);
    assert.equal(world.agent.statistics.unacknowledged, 0);
    const quiet = world.batches.length;
    world.world.pass(600_000);
    assert.equal(world.batches.length, quiet, "nothing changes, nothing is sent");
  });

  it("says everything again in a new session", () => {
    const world = running(["a", "b"]);
    world.disconnect();
    world.statuses.clear();
    world.connect();
    world.world.until("said again", () => world.ready("a") && world.ready("b"), 1_000);
  });
});

describe("agent: images and probes", () => {
  it("shows ErrImagePull, then ImagePullBackOff, and pulls again after 10 s, 20 s", () => {
    let answer: FakeImage | string = "manifest unknown";
    const pulls: number[] = [];
    const world: AgentWorld = new AgentWorld({}, () => {
      pulls.push(world.world.now);
      return answer;
    });
    world.boot();
    world.connect();
    const reason = () => world.status("a").containerStatuses?.[0]?.state?.waiting?.reason;
    world.assign(podOf("a", { containers: [{ name: "main", image: "remote:1", imagePullPolicy: "IfNotPresent" }] }));
    world.world.until("failed", () => world.statuses.has("uid-a") && reason() === "ErrImagePull");
    world.world.until("backing off", () => reason() === "ImagePullBackOff");
    world.world.until("third try", () => pulls.length === 3);
    const pauses = pulls.slice(1).map((at, index) => Math.round((at - (pulls[index] ?? 0)) / 1000));
    // The pull itself takes 1.5 s.
    assert.deepEqual(pauses, [12, 22]);
    answer = obligingImage;
    world.world.until("runs", () => world.ready("a"), 60_000);
  });

  it("a liveness failure restarts the container after its threshold", () => {
    let healthy = true;
    const image: FakeImage = { ...shellImage, exec: () => ({ exitCode: healthy ? 0 : 1, output: "", takesMs: 1 }) };
    const world = new AgentWorld({ "live:1": image });
    world.boot();
    world.connect();
    const livenessProbe = { exec: { command: ["check"] }, periodSeconds: 1, failureThreshold: 3 };
    const container = {
      name: "main",
      image: "live:1",
      command: ["sh", "-c", "trap 'exit 0' TERM; sleep 99999 & wait"],
    };
    world.assign(podOf("a", { containers: [{ ...container, livenessProbe }] }));
    world.world.until("ready", () => world.ready("a"));
    world.world.pass(60_000);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
    healthy = false;
    const at = world.world.now;
    world.world.until("restart", () => world.containers("running").includes("uid-a/main/1"));
    assert.ok(world.world.now - at >= 2_000 && world.world.now - at < 4_000, `${world.world.now - at}`);
    healthy = true;
    world.world.pass(60_000);
    assert.equal(world.status("a").containerStatuses?.[0]?.restartCount, 1);
  });

  it("probes that the engine can't run say nothing of a container that runs on", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    const probe = { exec: { command: ["true"] }, periodSeconds: 1, failureThreshold: 2 };
    const main = { name: "main", image: testImage, command: ["sh", "-c", "sleep 99999 & wait"] };
    world.assign(podOf("a", { containers: [{ ...main, livenessProbe: probe, readinessProbe: probe }] }));
    world.world.until("ready", () => world.ready("a"));
    world.engine.setDown(true);
    world.world.pass(30_000);
    assert.equal(world.ready("a"), true);
    world.engine.setDown(false);
    world.world.pass(30_000);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
    assert.equal(world.ready("a"), true);
  });

  it("readiness follows the probe, quickly at first", () => {
    let status = 503;
    const image: FakeImage = { ...obligingImage, serve: () => ({ status, takesMs: 1 }) };
    const world = new AgentWorld({ "web:1": image });
    world.boot();
    world.connect();
    const readinessProbe = { httpGet: { port: "http" }, periodSeconds: 10, failureThreshold: 2 };
    const ports = [{ name: "http", containerPort: 80 }];
    world.assign(podOf("a", { containers: [{ name: "main", image: "web:1", readinessProbe, ports }] }));
    world.world.until("runs", () => world.containers("running").length === 2);
    world.world.pass(1_000);
    assert.equal(world.ready("a"), false);
    status = 200;
    world.world.until("ready", () => world.ready("a"), 2_000);
    status = 500;
    const at = world.world.now;
    world.world.until("unready", () => !world.ready("a"));
    assert.ok(world.world.now - at > 10_000, "two failures, ten seconds apart");
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
  });
});

describe("agent: environment and finished Pods", () => {
  it("waits for a ConfigMap and starts when it comes", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    const valueFrom = { configMapKeyRef: { name: "settings", key: "color" } };
    const pod = podOf("a", {
      containers: [
        {
          name: "main",
          image: testImage,
          command: ["sh", "-c", "env; sleep 9999"],
          env: [{ name: "COLOR", valueFrom }],
        },
      ],
    });
    world.assign(pod);
    world.world.pass(5_000);
    const waiting = world.status("a").containerStatuses?.[0]?.state?.waiting;
    assert.equal(waiting?.reason, "CreateContainerConfigError");
    assert.equal(waiting?.message, 'configmap "settings" not found');
    const settings = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings", namespace: "default" },
      data: { color: "red" },
    };
    world.assignWith(pod, [settings]);
    world.world.until("ready", () => world.ready("a"));
    const { lines } = world.engine.require(world.find("uid-a/main/0"));
    assert.deepEqual(
      lines.map(({ line }) => line),
      ["COLOR=red"],
    );
  });

  it("a finished Pod keeps its containers, gives its address back, and is not run again", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    const container = { name: "main", image: testImage, command: ["sh", "-c", "sleep 1; exit 3"] };
    world.assign(podOf("a", { restartPolicy: "Never", containers: [container] }));
    world.world.until("failed", () => world.statuses.get("uid-a")?.phase === "Failed");
    world.world.pass(1_000);
    assert.deepEqual(world.containers(), ["uid-a/main/0"]);
    world.crash();
    world.engine.remove(world.find("uid-a/main/0"));
    world.boot();
    world.connect();
    world.world.pass(60_000);
    assert.deepEqual(world.containers(), []);
    assert.equal(world.status("a").phase, "Failed");
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.terminated?.exitCode, 3);
  });

  it("a container that finished stays so while others of its Pod run", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    const short = { name: "short", image: testImage, command: ["sh", "-c", "exit 0"] };
    const long = { name: "long", image: testImage, command: ["sleep", "99999"] };
    world.assign(podOf("a", { restartPolicy: "OnFailure", containers: [short, long] }));
    world.world.pass(30_000);
    assert.deepEqual(world.containers(), ["uid-a/long/0", "uid-a/sandbox/0", "uid-a/short/0"]);
    assert.equal(world.status("a").phase, "Running");
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.terminated?.reason, "Completed");
  });

  it("init containers run one after the other, before the others", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    const init = (name: string) => ({ name, image: testImage, command: ["sh", "-c", "sleep 2"] });
    world.assign(podOf("a", { initContainers: [init("one"), init("two")] }));
    world.world.until("first", () => world.containers("running").includes("uid-a/one/0"));
    assert.ok(!world.containers().includes("uid-a/two/0"));
    world.world.until("second", () => world.containers("running").includes("uid-a/two/0"));
    assert.ok(!world.containers().includes("uid-a/main/0"));
    assert.equal(world.status("a").phase, "Pending");
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.waiting?.reason, "PodInitializing");
    world.world.until("ready", () => world.ready("a"));
  });

  it("a command that is not there is a StartError and backs off", () => {
    const world = new AgentWorld();
    world.boot();
    world.connect();
    world.assign(podOf("a", { containers: [{ name: "main", image: testImage, command: ["nope"] }] }));
    world.world.until("backs off", () => {
      const status = world.statuses.get("uid-a")?.containerStatuses?.[0];
      return status?.state?.waiting?.reason === "CrashLoopBackOff";
    });
    assert.equal(world.status("a").containerStatuses?.[0]?.lastState?.terminated?.reason, "StartError");
    world.world.pass(100_000);
    assert.ok((world.status("a").containerStatuses?.[0]?.restartCount ?? 0) < 10);
    assert.ok(world.containers().length <= 3);
  });
});

describe("agent: calls to the engine", () => {
  it("a Pod takes six, however many begin together", () => {
    const names = Array.from({ length: 20 }, (_, at) => `p${at}`);
    const { engine } = running(names);
    const made = engine.history.filter((name) => ["create", "start", "inspect"].includes(name));
    assert.equal(made.length, 6 * names.length);
    // The Pods' image once, and the sandboxes' once in each of the places of the engine's queue.
    assert.ok(engine.history.filter((name) => name === "image").length <= 5);
  });

  it("a sandbox image that somebody removed is made again", () => {
    const world = running(["a"]);
    const sandbox = [...world.engine.containers.values()].find(({ info }) => info.role === "sandbox");
    assert.equal(world.engine.images.delete(sandbox?.info.image ?? ""), true);
    world.assign(podOf("b"));
    world.world.until("b is ready", () => world.ready("b"));
  });

  it("an impostor that appears while a container is being made is seen when that is over", () => {
    const world = running(["a"]);
    const { owner, spec } = world.engine.require(world.find("uid-a/main/0"));
    world.assign(podOf("b"));
    const creates = (): number => world.engine.history.filter((name) => name === "create").length;
    const before = creates();
    world.world.until("a container is being made", () => creates() > before);
    const id = world.engine.create(owner, spec, true);
    world.world.until("it is removed", () => !world.engine.containers.has(id));
    world.world.until("b is ready", () => world.ready("b"));
    assert.ok(world.ready("a"));
  });
});
