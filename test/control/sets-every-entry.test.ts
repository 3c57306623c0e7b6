import assert from "node:assert/strict";
import type { StatefulSet } from "../../src/api/kinds/apps.js";
import { Cluster } from "./cluster.js";
import { fingerprint } from "./fingerprint.js";
import { any, daemonSet, node, statefulSet } from "./objects.js";
import { daemonSettled, deletePod, edit, setImage, shown, statefulSettled } from "./sets.js";

/** A leader needs this long to be elected in this test. */
const electionMs = 30;

/** What a user does, and what is waited for before the next step. */
interface Step {
  readonly act: (cluster: Cluster) => void;
  readonly until?: (cluster: Cluster) => boolean;
}

interface Scenario {
  readonly title: string;
  readonly given: Parameters<Cluster["create"]>[0];
  readonly settled: (cluster: Cluster) => boolean;
  readonly steps: readonly Step[];
}

const runs = (name: string, image: string) => (cluster: Cluster) =>
  shown(cluster, name).some((line) => line.endsWith(image));
const bySurge = { type: "RollingUpdate", rollingUpdate: { maxSurge: 2, maxUnavailable: 0 } } as const;

const scenarios: readonly Scenario[] = [
  {
    title: "a StatefulSet is updated, a Pod of it is deleted, and it is made smaller",
    given: any(statefulSet()),
    settled: statefulSettled,
    steps: [
      { act: (cluster) => setImage(cluster, "StatefulSet", "db", "db:2") },
      { act: (cluster) => deletePod(cluster, "db-1") },
      { act: (cluster) => edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 1 })) },
    ],
  },
  {
    title: "a StatefulSet gets a template that never is ready, and the next one",
    given: any(statefulSet()),
    settled: statefulSettled,
    steps: [
      { act: (cluster) => setImage(cluster, "StatefulSet", "db", "db:broken"), until: runs("db", "db:broken") },
      { act: (cluster) => setImage(cluster, "StatefulSet", "db", "db:3") },
    ],
  },
  {
    title: "a StatefulSet in parallel grows and is updated",
    given: any(statefulSet({ podManagementPolicy: "Parallel" })),
    settled: statefulSettled,
    steps: [
      { act: (cluster) => edit<StatefulSet>(cluster, "StatefulSet", "db", () => ({ replicas: 5 })) },
      { act: (cluster) => setImage(cluster, "StatefulSet", "db", "db:2") },
    ],
  },
  {
    title: "a DaemonSet is updated by unavailability",
    given: any(daemonSet()),
    settled: daemonSettled,
    steps: [{ act: (cluster) => setImage(cluster, "DaemonSet", "log", "log:2") }],
  },
  {
    title: "a DaemonSet is updated by surge, and a node joins",
    given: any(daemonSet({ updateStrategy: bySurge })),
    settled: daemonSettled,
    steps: [
      { act: (cluster) => setImage(cluster, "DaemonSet", "log", "log:2") },
      { act: (cluster) => cluster.addNode(node("delta")) },
    ],
  },
];

describe("a leader killed after every single log entry of a set's life", () => {
  for (const scenario of scenarios) {
    it(`${scenario.title}: the same end, and never two Pods of one identity`, () => {
      const whole = play(scenario, undefined);
      assert(whole.entries > 20, `${whole.entries} entries are too few to tell anything`);
      for (let entry = 1; entry <= whole.entries; entry++) {
        const cut = play(scenario, entry);
        assert.deepEqual(cut.end, whole.end, `killed after entry ${entry} of ${whole.entries}`);
      }
    }).timeout(60_000);
  }
});

function play(scenario: Scenario, killAfter: number | undefined): { readonly entries: number; readonly end: unknown } {
  const cluster = new Cluster({
    nodes: [node("alpha"), node("beta"), node("gamma")],
    behaviour: {
      readyAfterMs: (pod) => (pod.spec.containers[0]?.image.includes("broken") === true ? undefined : 40),
      stopAfterMs: () => 70,
    },
  });
  cluster.onEntry = (entry) => {
    const running = [...cluster.agents.values()].flatMap((agent) => Array.from(agent.engine.values()));
    const names = running.map(({ name }) => name);
    assert.equal(new Set(names).size, names.length, `two of one identity among ${names.join()}`);
    if (entry !== killAfter) return;
    cluster.depose();
    cluster.time.after(electionMs, () => cluster.elect());
  };
  cluster.elect();
  cluster.create(scenario.given);
  assert(
    cluster.time.pass(20_000, () => scenario.settled(cluster)),
    `starts, killed after ${killAfter}`,
  );
  for (const [at, { act, until = scenario.settled }] of scenario.steps.entries()) {
    act(cluster);
    // Past the change itself, so that "settled" is about what comes of it.
    cluster.time.pass(50 + electionMs);
    assert(
      cluster.time.pass(20_000, () => until(cluster)),
      `step ${at + 1}, killed after ${killAfter}`,
    );
  }
  cluster.time.pass(500);
  assert(scenario.settled(cluster), `stays, killed after ${killAfter}`);
  return { entries: cluster.entries, end: fingerprint(cluster.snapshot()) };
}
