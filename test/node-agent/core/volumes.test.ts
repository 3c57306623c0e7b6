import assert from "node:assert/strict";
import type { ConfigMap } from "../../../src/api/kinds/core.js";
import type { PodSpec } from "../../../src/api/kinds/pod.js";
import { AgentWorld, podOf, testImage } from "../agent-world.js";

function configMap(data: Readonly<Record<string, string>>): ConfigMap {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "default" }, data };
}

const spec: Partial<PodSpec> = {
  terminationGracePeriodSeconds: 1,
  volumes: [{ name: "config", configMap: { name: "c" } }],
  containers: [
    {
      name: "main",
      image: testImage,
      command: ["sleep", "9999999"],
      volumeMounts: [{ name: "config", mountPath: "/etc/config" }],
    },
  ],
};

describe("volumes of an agent's Pods", () => {
  let world: AgentWorld;
  const pod = podOf("p", spec);
  const file = (): string | undefined => world.engine.volumes.pods.get("uid-p")?.get("config")?.get("key");
  const waiting = () => world.statuses.get("uid-p")?.containerStatuses?.[0]?.state?.waiting;
  const until = (what: string, condition: () => boolean): void => world.world.until(what, condition);

  beforeEach(() => {
    world = new AgentWorld();
    world.boot();
    world.connect();
  });

  it("a Pod waits for its ConfigMap, says so, and starts with it", () => {
    world.assignWith(pod, []);
    until("waiting", () => waiting()?.message !== undefined);
    world.world.pass(60_000);
    assert.deepEqual(waiting(), {
      reason: "ContainerCreating",
      message: 'MountVolume.SetUp failed for volume "config" : configmap "c" not found',
    });
    assert.deepEqual(world.containers("running"), ["uid-p/sandbox/0"]);
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("ready", () => world.ready("p"));
    assert.equal(file(), "one");
    const { spec: made } = world.engine.require(world.find("uid-p/main/0"));
    assert.deepEqual(made.mounts, [
      {
        volume: "config",
        hostPath: undefined,
        named: undefined,
        target: "/etc/config",
        subPath: undefined,
        readOnly: true,
      },
    ]);
  });

  it("a change is brought to a running container, and restarts nothing", () => {
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("ready", () => world.ready("p"));
    const before = world.containers();
    world.assignWith(pod, [configMap({ key: "two" })]);
    until("changed", () => file() === "two");
    assert.deepEqual(world.containers(), before);
  });

  it("labels that change are brought to a running container", () => {
    const items = [{ path: "key", fieldRef: { fieldPath: "metadata.labels" } }];
    const volumes = [{ name: "config", downwardAPI: { items } }];
    world.assign(podOf("p", { ...spec, volumes }, { labels: { app: "one" } }));
    until("ready", () => world.ready("p"));
    assert.equal(file(), 'app="one"');
    world.assign(podOf("p", { ...spec, volumes }, { labels: { app: "two" } }));
    until("changed", () => file() === 'app="two"');
  });

  it("an agent that starts again brings what it missed, and keeps its containers", () => {
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("ready", () => world.ready("p"));
    const before = world.containers();
    world.crash();
    world.boot();
    world.connect();
    world.assignWith(pod, [configMap({ key: "two" })]);
    until("changed", () => file() === "two");
    assert.deepEqual(world.containers(), before);
  });

  it("a container starts again with what it had when its ConfigMap is gone", () => {
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("ready", () => world.ready("p"));
    const removedObjects = [{ kind: "ConfigMap", namespace: "default", name: "c" }];
    world.revision += 1;
    world.agent.receive({ ...world.message("increment", [], []), removedObjects });
    world.world.pass(1_000);
    world.engine.signal(world.find("uid-p/main/0"), "SIGKILL");
    until("started again", () => world.containers("running").includes("uid-p/main/1"));
    assert.equal(file(), "one");
  });

  it("volumes go with their Pod, after its containers, also when the agent slept meanwhile", () => {
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("ready", () => world.ready("p"));
    world.crash();
    for (const { id } of world.engine.containers.values()) world.engine.remove(id);
    world.unassign("uid-p");
    world.boot();
    world.connect();
    until("removed", () => !world.engine.volumes.pods.has("uid-p"));
  });

  it("a Pod is not gone before its volumes are; a removal that fails is tried again", () => {
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("ready", () => world.ready("p"));
    world.engine.volumes.failure = "device is busy";
    world.assign(podOf("p", spec, { deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 1 }));
    until("no containers", () => world.containers().length === 0);
    world.world.pass(30_000);
    assert.ok(!world.gone.has("uid-p"));
    world.engine.volumes.failure = undefined;
    until("gone", () => world.gone.has("uid-p"));
    assert.ok(!world.engine.volumes.pods.has("uid-p"));
  });

  it("a machine that can't make a volume is asked again, and the Pod says why it waits", () => {
    world.engine.volumes.failure = "no space left on device";
    world.assignWith(pod, [configMap({ key: "one" })]);
    until("waiting", () => /no space left on device/.test(waiting()?.message ?? ""));
    world.engine.volumes.failure = undefined;
    until("ready", () => world.ready("p"));
  });

  it("a part named by the environment, and one that leads out by it", () => {
    const container = (value: string, subPathExpr = "$(NAME)/logs") => ({
      name: "main",
      image: testImage,
      command: ["sleep", "9999999"],
      env: [{ name: "NAME", value }],
      volumeMounts: [{ name: "config", mountPath: "/v", subPathExpr }],
    });
    const volumes = [{ name: "config", emptyDir: {} }];
    world.assign(podOf("p", { volumes, containers: [container("one")] }));
    until("ready", () => world.ready("p"));
    assert.equal(world.engine.require(world.find("uid-p/main/0")).spec.mounts[0]?.subPath, "one/logs");
    for (const [name, value, expression, says] of [
      ["q", "../..", undefined, /must be a path below/],
      ["r", "/etc", undefined, /must be a path below/],
      ["s", "one", "$(NONE)/logs", /missing value for "NONE"/],
    ] as const) {
      world.assign(podOf(name, { volumes, containers: [container(value, expression)] }));
      const state = () => world.statuses.get(`uid-${name}`)?.containerStatuses?.[0]?.state?.waiting;
      until(name, () => state()?.reason === "CreateContainerConfigError");
      assert.match(state()?.message ?? "", says);
    }
  });
});
