import assert from "node:assert/strict";
import { fencingLeaseAnnotation } from "../../../src/api/kinds/fencing-lease.js";
import type { Pod, PodSpec } from "../../../src/api/kinds/pod.js";
import { silentLog } from "../../../src/host/log.js";
import { leaseFileName, type LeaseRequest } from "../../../node-agent/core/fencing-leases.js";
import { FakeRuntime } from "../../../node-agent/core/fake-runtime.js";
import type { LeaseBook } from "../../../node-agent/core/lease-book.js";
import { LeaseGuard } from "../../../node-agent/core/lease-guard.js";
import { StateFile } from "../../../node-agent/core/state-file.js";
import { AgentWorld, podOf } from "../agent-world.js";

const leaseMs = 12_000;
const metadata = { annotations: { [fencingLeaseAnnotation]: "12" } };

function leased(name: string, spec: Partial<PodSpec> = {}): Pod {
  return podOf(name, { terminationGracePeriodSeconds: 1, ...spec }, metadata);
}

/** The test as servers that renew, after `delayMs`, whatever they are asked for. */
class Servers {
  readonly world: AgentWorld;
  answering = true;
  delayMs = 5;
  epoch = 7;
  first = true;
  readonly requests: LeaseRequest[] = [];
  /** Of the last request that was answered. */
  sentAt = 0;

  constructor(world: AgentWorld) {
    this.world = world;
    world.onRenew = (request) => {
      const { answering, world: agents, epoch, first } = this;
      this.requests.push(request);
      if (!answering) return;
      const sentAt = world.world.now;
      agents.world.timers.after(this.delayMs, () => {
        this.sentAt = sentAt;
        agents.agent.renewed({ ...request, epoch, first });
      });
    };
  }
}

function started(...pods: readonly Pod[]): { world: AgentWorld; servers: Servers } {
  const world = new AgentWorld();
  const servers = new Servers(world);
  world.boot();
  world.connect();
  world.assign(...pods);
  world.world.until("all ready", () => pods.every(({ metadata: { name } }) => world.ready(name)));
  return { world, servers };
}

const runs = (world: AgentWorld, name = "a"): boolean =>
  world.containers("running").some((key) => key.startsWith(`uid-${name}/main`));

describe("agent: fencing leases", () => {
  it("a Pod starts when its lease is granted, and not before", () => {
    const world = new AgentWorld();
    const servers = new Servers(world);
    servers.answering = false;
    world.boot();
    world.connect();
    world.assign(leased("a"), podOf("b"));
    world.world.until("b runs", () => world.ready("b"));
    world.world.pass(20_000);
    assert.deepEqual(world.containers(), ["uid-b/main/0", "uid-b/sandbox/0"]);
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.waiting?.reason, "FencingLeaseEnded");
    servers.answering = true;
    world.world.until("a runs", () => world.ready("a"), 5_000);
    assert.equal(world.status("a").containerStatuses?.[0]?.restartCount, 0);
  });

  it("is renewed by a third of its length, and the Pod runs on", () => {
    const { world, servers } = started(leased("a"));
    const before = servers.requests.length;
    world.world.pass(600_000);
    const renewals = servers.requests.length - before;
    assert.ok(renewals >= 120 && renewals <= 160, `${renewals} renewals in 600 s`);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
  });

  it("that no server renews ends with the containers dead, and only they", () => {
    const { world, servers } = started(leased("a"), podOf("b"));
    servers.answering = false;
    const { sentAt } = servers;
    world.world.until("stopped", () => !runs(world), leaseMs);
    const deadMs = world.world.now - sentAt;
    assert.ok(deadMs < leaseMs, `dead ${deadMs} ms after the last renewal was asked for`);
    assert.ok(deadMs > leaseMs / 2, "two questions were tried before");
    world.world.pass(600_000);
    assert.ok(runs(world, "b") && !runs(world));
    assert.equal(world.status("a").containerStatuses?.[0]?.state?.waiting?.reason, "FencingLeaseEnded");
    assert.notEqual(world.ready("a"), true);
  });

  it("that is renewed again lets the Pod start at once, and the restart is no crash", () => {
    const { world, servers } = started(leased("a"));
    for (const round of [1, 2, 3, 4]) {
      servers.answering = false;
      world.world.until("stopped", () => !runs(world), leaseMs);
      world.world.pass(1_000);
      servers.answering = true;
      world.world.until("runs again", () => world.ready("a"), 4_000);
      const [status] = world.status("a").containerStatuses ?? [];
      assert.equal(status?.restartCount, round);
      assert.equal(status?.lastState?.terminated?.exitCode, 137);
    }
  });

  it("that runs out does not finish a Pod that is never restarted", () => {
    const { world, servers } = started(leased("a", { restartPolicy: "Never" }));
    servers.answering = false;
    world.world.until("stopped", () => !runs(world), leaseMs);
    world.world.pass(5_000);
    assert.equal(world.status("a").phase, "Running");
    servers.answering = true;
    world.world.until("runs again", () => world.ready("a"), 4_000);
  });

  it("counts from when it was asked for: an answer that comes late only comes late", () => {
    const { world, servers } = started(leased("a"));
    servers.delayMs = 9_000;
    const asked = servers.requests.length;
    world.world.until("the next question", () => servers.requests.length > asked);
    servers.answering = false;
    const askedAt = world.world.now;
    world.world.pass(leaseMs * 3);
    assert.ok(!runs(world));
    const died = world.engine.containers.get(world.find("uid-a/main/0"))?.info.finishedAt ?? Infinity;
    assert.ok(died - world.world.wallOffset < askedAt + leaseMs);
  });

  it("an answer that comes after its end counts for nothing", () => {
    const { world, servers } = started(leased("a"));
    servers.delayMs = leaseMs + 1_000;
    world.world.until("stopped", () => !runs(world), leaseMs * 2);
    world.world.pass(60_000);
    assert.ok(!runs(world));
  });

  it("is not lengthened by a wall clock that jumps", () => {
    const { world, servers } = started(leased("a"));
    servers.answering = false;
    const { sentAt } = servers;
    world.world.wallOffset -= 3_600_000;
    world.world.until("stopped", () => !runs(world), leaseMs);
    assert.ok(world.world.now - sentAt < leaseMs);
  });

  it("kills in time what has a longer grace, ignores signals, or waits in a hook", () => {
    const preStop = { exec: { command: ["sleep", "600"] } };
    const container = {
      name: "main",
      image: "ikada-test/busybox:2",
      command: ["sleep", "9999999"],
      lifecycle: { preStop },
    };
    const { world, servers } = started(leased("a", { terminationGracePeriodSeconds: 600, containers: [container] }));
    servers.answering = false;
    const { sentAt } = servers;
    world.world.until("stopped", () => !runs(world), leaseMs);
    assert.ok(world.world.now - sentAt < leaseMs);
  });

  it("ends a Pod that is being deleted too, whatever grace it has left", () => {
    const { world, servers } = started(leased("a"));
    const ending = { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 600 };
    world.assign(podOf("a", { terminationGracePeriodSeconds: 600 }, ending));
    world.world.pass(100_000);
    assert.ok(runs(world), "the lease is renewed while it ends");
    servers.answering = false;
    const { sentAt } = servers;
    world.world.until("stopped", () => !runs(world), leaseMs);
    assert.ok(world.world.now - sentAt < leaseMs);
    world.world.until("reported gone", () => world.gone.has("uid-a"), 5_000);
  });

  it("counts only when it is on disk", () => {
    const world = new AgentWorld();
    const servers = new Servers(world);
    world.boot();
    world.connect();
    world.assign(leased("a"));
    world.world.until("asked", () => servers.requests.length > 0);
    world.disk.stalled = true;
    world.world.pass(20_000);
    assert.deepEqual(world.containers(), []);
    world.disk.resume();
    world.world.until("runs", () => world.ready("a"));
  });
});

describe("agent: fencing leases after a restart", () => {
  it("go on where they were: an agent that is back in time adopts what runs", () => {
    const { world, servers } = started(leased("a"));
    world.crash();
    world.world.pass(2_000);
    world.boot();
    world.world.pass(500);
    assert.ok(runs(world));
    world.connect();
    world.world.pass(60_000);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
    assert.equal(new Set(servers.requests.map(({ instance }) => instance)).size, 1);
  });

  it("end in time without any server", () => {
    const { world, servers } = started(leased("a"));
    const { sentAt } = servers;
    world.crash();
    world.world.pass(3_000);
    world.boot();
    world.world.until("stopped", () => !runs(world), leaseMs);
    assert.ok(world.world.now - sentAt < leaseMs);
  });

  it("that have run out meanwhile: what runs is killed at once, and starts again with the next", () => {
    const { world } = started(leased("a", { restartPolicy: "Never" }));
    world.crash();
    world.world.pass(60_000);
    assert.ok(runs(world), "nobody was there to stop it");
    world.boot();
    world.world.until("killed", () => !runs(world), 1_000);
    world.connect();
    world.world.until("runs again", () => world.containers("running").includes("uid-a/main/1"), 5_000);
  });

  it("that are not known any more have run out", () => {
    const { world, servers } = started(leased("a"));
    world.crash();
    world.disk.damage(leaseFileName);
    world.boot();
    world.world.until("killed", () => !runs(world), 1_000);
    assert.ok(world.disk.names.includes(`${leaseFileName}.damaged`));
    // Servers can't tell it from another machine, which might have been given the lease.
    servers.epoch += 1;
    servers.first = false;
    world.connect();
    world.world.pass(leaseMs);
    assert.ok(!runs(world));
    world.world.until("runs again", () => runs(world), 5_000);
    assert.equal(new Set(servers.requests.map(({ instance }) => instance)).size, 2);
  });

  it("of the machine begin anew, when those of a copy of it can't be alive", () => {
    const { world, servers } = started(leased("a"));
    const [before] = servers.requests;
    world.crash();
    for (const { id } of world.engine.containers.values()) world.engine.signal(id, "SIGKILL");
    world.bootId = "boot-2";
    servers.epoch += 1;
    servers.first = false;
    world.boot();
    world.connect();
    const connectedAt = world.world.now;
    world.world.until("runs again", () => runs(world));
    assert.ok(world.world.now - connectedAt > leaseMs * 1.01 + 1_000);
    assert.notEqual(servers.requests.at(-1)?.instance, before?.instance);
  });
});

describe("agent: fencing leases that another instance has taken over", () => {
  it("are kept while they were alive all along", () => {
    const { world, servers } = started(leased("a"));
    servers.epoch += 2;
    servers.first = false;
    world.world.pass(60_000);
    assert.deepEqual(world.containers("running"), ["uid-a/main/0", "uid-a/sandbox/0"]);
  });

  it("wait for its end when they were not, and nothing is said to be gone before", () => {
    const { world, servers } = started(leased("a"));
    servers.answering = false;
    world.world.until("stopped", () => !runs(world), leaseMs);
    world.world.pass(10_000);
    servers.epoch += 2;
    servers.first = false;
    servers.answering = true;
    const before = world.world.now;
    const ending = { ...metadata, deletionTimestamp: "2026-01-01T00:00:00Z", deletionGracePeriodSeconds: 1 };
    world.assign(podOf("a", {}, ending));
    const isGone = (epoch: number): boolean =>
      world.batches.some(({ reports }) => reports.some(({ gone, leaseEpoch }) => gone && leaseEpoch === epoch));
    world.world.until("reported gone", () => isGone(servers.epoch));
    assert.ok(world.world.now - before > leaseMs * 1.01 + 1_000);
  });
});

describe("the guard of fencing leases", () => {
  /** A process beside the agent, with the same disk and engine. */
  function guardOf(world: AgentWorld, isAlone: () => boolean): { ended: () => boolean } {
    const { timers } = world.world;
    const file = new StateFile<LeaseBook>(world.disk.open(timers), leaseFileName);
    let ended = false;
    new LeaseGuard({
      env: { timers, log: silentLog },
      runtime: new FakeRuntime(world.engine, { clusterId: "c1", node: "node-1" }),
      bootClock: { bootId: world.bootId, sinceBootMs: () => world.world.now },
      read: (done) => file.load(done),
      isAlone,
      onEnd: () => (ended = true),
    }).start();
    return { ended: () => ended };
  }

  it("lets an agent alone that does its work", () => {
    const { world, servers } = started(leased("a"), podOf("b"));
    const guard = guardOf(world, () => false);
    world.world.pass(120_000);
    assert.deepEqual(world.containers("running"), [
      "uid-a/main/0",
      "uid-a/sandbox/0",
      "uid-b/main/0",
      "uid-b/sandbox/0",
    ]);
    servers.answering = false;
    world.world.pass(120_000);
    assert.ok(!runs(world) && !guard.ended());
  });

  it("kills in the place of an agent that was killed, and ends when nothing is left to be done", () => {
    const { world, servers } = started(leased("a"), podOf("b"));
    let alone = false;
    const guard = guardOf(world, () => alone);
    const { sentAt } = servers;
    world.crash();
    alone = true;
    world.world.until("killed", () => !runs(world), leaseMs);
    assert.ok(world.world.now - sentAt < leaseMs);
    assert.ok(runs(world, "b"));
    world.world.until("ended", guard.ended, 60_000);
  });

  it("kills what an agent that stood still starts too late, and again", () => {
    const { world } = started(leased("a"));
    guardOf(world, () => false);
    world.crash();
    world.world.until("killed", () => !runs(world), leaseMs);
    const runtime = new FakeRuntime(world.engine, { clusterId: "c1", node: "node-1" });
    const id = world.find("uid-a/main/0");
    for (let round = 0; round < 3; round++) {
      runtime.start(id, () => undefined);
      world.world.until("started late", () => runs(world), 1_000);
      world.world.until("killed again", () => !runs(world), 2_000);
    }
  });

  it("has nothing to do with leases from before the machine was started", () => {
    const { world } = started(leased("a"));
    world.crash();
    world.bootId = "boot-2";
    const guard = guardOf(world, () => true);
    world.world.until("ended", guard.ended, 1_000);
  });
});
