import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type Docker from "dockerode";
import { ensureBusyboxImage } from "../../deploy/local/busybox-image.js";
import type { Node } from "../../src/api/kinds/core.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { Harness } from "../e2e/harness.js";
import { OwnEngine } from "../e2e/own-engine.js";
import { EngineJournal } from "./engine-journal.js";
import { Foreigners } from "./foreigners.js";

const image = "ikada-test/drills:1";
const namespace = "default";
const app = "drill";
/** A Pod that is made after each fault. */
const canary = "canary";
/** The only node. */
export const nodeName = "node-1";
const engineDiskMebibytes = 256;
const agentDiskMebibytes = 16;
/** Longer than what is under way takes to end or start another container. */
const calmMs = 1_500;
/** A bound for broken code: pauses between restarts are in it. */
const settleMsMax = 300_000;

export interface WorldOptions {
  readonly pods: number;
  readonly liveRestore: boolean;
}

/** By Pod: how often its container has ended, as far as its statuses tell. */
export type Restarts = ReadonlyMap<string, number>;

/** An engine, three servers, one agent, some Pods of one Deployment and containers of somebody else. */
export class World {
  readonly engine: OwnEngine;
  readonly cluster: Harness;
  readonly liveRestore: boolean;
  readonly #pods: number;
  readonly #foreigners: Foreigners;
  readonly #journal: EngineJournal;
  #uids: readonly string[] = [];

  private constructor(
    engine: OwnEngine,
    cluster: Harness,
    options: WorldOptions,
    foreigners: Foreigners,
    journal: EngineJournal,
  ) {
    this.engine = engine;
    this.cluster = cluster;
    this.liveRestore = options.liveRestore;
    this.#pods = options.pods;
    this.#foreigners = foreigners;
    this.#journal = journal;
  }

  static async start(options: WorldOptions): Promise<World> {
    const engine = await OwnEngine.start({ liveRestore: options.liveRestore, diskMebibytes: engineDiskMebibytes });
    let cluster: Harness | undefined;
    try {
      await ensureBusyboxImage(engine.docker, image);
      cluster = await Harness.start({
        servers: 3,
        agents: 1,
        runtime: "docker",
        dockerSocket: engine.socket,
        smallDisks: new Map([[nodeName, agentDiskMebibytes]]),
      });
      const journal = await EngineJournal.start(engine.docker, cluster.cluster.clusterId);
      const foreigners = await Foreigners.create(engine.docker, image);
      const world = new World(engine, cluster, options, foreigners, journal);
      await cluster.client.deployments.apply(deployment(options.pods));
      await world.#settle("all Pods ready", new Map());
      world.#uids = (await world.pods()).map(({ metadata }) => metadata.uid ?? "").sort();
      return world;
    } catch (caught) {
      if (cluster !== undefined) process.stderr.write(cluster.logs());
      process.stderr.write(engine.logs());
      await cluster?.close();
      await engine.close();
      throw caught;
    }
  }

  /** By name. */
  async pods(): Promise<readonly Pod[]> {
    const found = await this.cluster.list<Pod>("pods", { namespace, labelSelector: `app=${app}` });
    return found.sort((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1));
  }

  /** The running containers of one role, of all Pods or of one. */
  containers(role: "container" | "sandbox", pod?: Pod): Promise<Docker.ContainerInfo[]> {
    const label = [`ikada.cluster=${this.cluster.cluster.clusterId}`, `ikada.role=${role}`];
    if (pod !== undefined) label.push(`ikada.pod-uid=${pod.metadata.uid}`);
    return this.engine.docker.listContainers({ filters: { label } });
  }

  /** The one running container of a Pod, or its sandbox. */
  async containerOf(pod: Pod, role: "container" | "sandbox" = "container"): Promise<Docker.Container> {
    const [found] = await this.containers(role, pod);
    assert.ok(found !== undefined, `pod ${pod.metadata.name} has no running ${role}`);
    return this.engine.docker.getContainer(found.Id);
  }

  /** The node's condition Ready. */
  async nodeReady() {
    const [node] = await this.cluster.list<Node>("nodes");
    return node?.status?.conditions?.find(({ type }) => type === "Ready");
  }

  /** Before a fault, in a world that is whole: what the check afterwards compares with. */
  async begin(): Promise<Restarts> {
    await this.#foreigners.begin();
    this.#journal.ledger.mark();
    return this.#restarts();
  }

  async #restarts(): Promise<Restarts> {
    const pods = await this.pods();
    return new Map(pods.map((pod) => [pod.metadata.name, restartsOf(pod)]));
  }

  /**
   * After a fault: all comes whole by itself, and then nothing is lost, doubled or touched that is not ours. `died`: how
   * often a Pod's container really ended in it. @throws an Error that says what was wrong
   */
  async check(before: Restarts, died: Restarts, foreignEnded: boolean): Promise<void> {
    const expected = new Map([...before].map(([name, count]) => [name, count + (died.get(name) ?? 0)]));
    await this.#agentWorks();
    await this.#settle("all Pods ready, with the restarts of those that died", expected);
    await sleep(calmMs);
    const pods = await this.pods();
    const uids = pods.map(({ metadata }) => metadata.uid ?? "").sort();
    assert.deepEqual(uids, this.#uids, "the Pods are not the same ones: some were lost");
    assert.deepEqual(await this.#restarts(), expected, "restarts that no death explains");
    const running = (await this.containers("container")).map(({ Id }) => `docker://${Id}`).sort();
    const told = pods.map(({ status }) => status?.containerStatuses?.[0]?.containerID ?? "").sort();
    assert.deepEqual(running, told, "each Pod has exactly the container that its status names");
    const sandboxes = (await this.containers("sandbox")).map(({ Labels }) => Labels["ikada.pod-uid"] ?? "").sort();
    assert.deepEqual(sandboxes, this.#uids, "each Pod has exactly one sandbox");
    await this.#checkLeftovers();
    this.#checkJournal(died, foreignEnded);
    await this.#foreigners.check(foreignEnded);
  }

  /**
   * A Pod that is made now runs, and goes. Before that an agent that has just begun may not have looked at its containers yet, and what it
   * does wrong would come after the check.
   */
  async #agentWorks(): Promise<void> {
    const { client } = this.cluster;
    const container = { name: "main", image, command: ["/bin/sleep", "100000"] };
    const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
    await client.pods.create({ metadata: { name: canary, namespace }, spec });
    const find = async (): Promise<Pod | undefined> =>
      (await this.cluster.list<Pod>("pods", { namespace })).find(({ metadata }) => metadata.name === canary);
    const runs = async (): Promise<boolean> => (await find())?.status?.phase === "Running";
    await this.cluster.eventually("a Pod that was made after the fault", runs, settleMsMax);
    await client.pods.delete(canary, { namespace });
    const label = [`ikada.cluster=${this.cluster.cluster.clusterId}`, `ikada.pod-name=${canary}`];
    const isGone = async (): Promise<boolean> =>
      (await find()) === undefined &&
      (await this.engine.docker.listContainers({ all: true, filters: { label } })).length === 0;
    await this.cluster.eventually("the end of that Pod", isGone, settleMsMax);
  }

  /** Beside what runs there may be the container that ran before, for its logs. */
  async #checkLeftovers(): Promise<void> {
    const label = [`ikada.cluster=${this.cluster.cluster.clusterId}`];
    const all = await this.engine.docker.listContainers({ all: true, filters: { label } });
    const idle = all.filter(({ State }) => State !== "running");
    const kept = new Map<string, number>();
    for (const { Labels } of idle) {
      const whose = `${Labels["ikada.role"]} of ${Labels["ikada.pod-name"]}`;
      kept.set(whose, (kept.get(whose) ?? 0) + 1);
    }
    const tooMany = [...kept].filter(([whose, count]) => count > (whose.startsWith("sandbox") ? 0 : 1));
    assert.deepEqual(tooMany, [], "containers that nobody needs were left");
  }

  /** What was only for a moment. */
  #checkJournal(died: Restarts, foreignEnded: boolean): void {
    assert.ok(this.#journal.isOpen, "the engine's events are not followed, so that brief faults can't be seen");
    const { doubles, starts, foreign } = this.#journal.ledger;
    assert.deepEqual(doubles, [], "two containers of one Pod ran at once");
    assert.deepEqual(
      sorted(new Map([...starts].filter(([pod]) => pod !== canary))),
      sorted(died),
      "the engine started other containers than those of Pods whose had died",
    );
    const byEngine = /^(kill|stop|die) of /;
    const touched = foreign.filter((what) => !(foreignEnded && byEngine.test(what)));
    assert.deepEqual(touched, [], "somebody else's containers were touched");
  }

  async #settle(what: string, expected: Restarts): Promise<void> {
    const isWhole = async (): Promise<boolean> => {
      const pods = await this.pods();
      // That does not pass; what is wrong is said by who looks next.
      if (pods.some((pod) => restartsOf(pod) > (expected.get(pod.metadata.name) ?? 0))) return true;
      const node = await this.nodeReady();
      return node?.status === "True" && pods.length === this.#pods && pods.every((pod) => isAsExpected(pod, expected));
    };
    await this.cluster.eventually(what, isWhole, settleMsMax);
  }

  async close(): Promise<void> {
    await this.#journal.close();
    try {
      await this.cluster.close();
    } finally {
      await this.engine.close();
    }
  }
}

function restartsOf({ status }: Pod): number {
  return status?.containerStatuses?.[0]?.restartCount ?? 0;
}

function sorted(counts: Restarts): [string, number][] {
  return [...counts].sort(([left], [right]) => (left < right ? -1 : 1));
}

function isAsExpected({ metadata, status }: Pod, expected: Restarts): boolean {
  const ready = status?.conditions?.some((one) => one.type === "Ready" && one.status === "True") === true;
  const restarts = status?.containerStatuses?.[0]?.restartCount;
  return ready && metadata.deletionTimestamp === undefined && restarts === (expected.get(metadata.name) ?? 0);
}

function deployment(replicas: number) {
  const probe = { exec: { command: ["/bin/true"] }, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 2 };
  return {
    metadata: { name: app, namespace },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: "main",
              image,
              command: ["/bin/sh", "-c", 'trap "exit 0" TERM; while true; do sleep 0.5; done'],
              livenessProbe: probe,
            },
          ],
        },
      },
    },
  };
}
