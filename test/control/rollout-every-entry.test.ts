import assert from "node:assert/strict";
import { Cluster } from "./cluster.js";
import { fingerprint } from "./fingerprint.js";
import { any, deployment, type DeploymentOptions } from "./objects.js";

/** A leader needs this long to be elected in this test. */
const electionMs = 30;

interface Scenario {
  readonly title: string;
  readonly given: DeploymentOptions;
  /** Old Pods take longer to stop than new ones to get ready, or the other way round. */
  readonly readyAfterMs: number;
  readonly stopAfterMs: number;
  readonly change: (cluster: Cluster) => void;
}

const scenarios: readonly Scenario[] = [
  {
    title: "a rolling update with slow stops",
    given: { replicas: 3 },
    readyAfterMs: 40,
    stopAfterMs: 150,
    change: (cluster) => cluster.setImage("web", "web:2"),
  },
  {
    title: "a rolling update by unavailability, and a resize in the middle",
    given: { replicas: 4, maxSurge: 0, maxUnavailable: 2 },
    readyAfterMs: 120,
    stopAfterMs: 50,
    change: (cluster) => {
      cluster.setImage("web", "web:2");
      cluster.time.after(100, () => cluster.edit("web", () => ({ replicas: 5 })));
    },
  },
  {
    title: "Recreate",
    given: { replicas: 2, strategy: { type: "Recreate" } },
    readyAfterMs: 40,
    stopAfterMs: 70,
    change: (cluster) => cluster.setImage("web", "web:2"),
  },
];

describe("a leader killed after every single log entry", () => {
  for (const scenario of scenarios) {
    it(`${scenario.title}: the same end, the bounds at every instant`, () => {
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
  const { readyAfterMs, stopAfterMs } = scenario;
  const cluster = new Cluster({ behaviour: { readyAfterMs: () => readyAfterMs, stopAfterMs: () => stopAfterMs } });
  cluster.onEntry = (entry) => {
    if (entry !== killAfter) return;
    cluster.depose();
    cluster.time.after(electionMs, () => cluster.elect());
  };
  cluster.elect();
  cluster.create(any(deployment(scenario.given)));
  assert(
    cluster.time.pass(10_000, () => cluster.settled("web")),
    `starts, killed after ${killAfter}`,
  );
  cluster.checksAvailability = scenario.given.strategy?.type !== "Recreate";
  scenario.change(cluster);
  // Past the change and what it sets off in the middle, so that "settled" is about the end.
  cluster.time.pass(150 + electionMs);
  assert(
    cluster.time.pass(20_000, () => cluster.settled("web")),
    `ends, killed after ${killAfter}`,
  );
  cluster.time.pass(500);
  assert(cluster.settled("web"), `stays, killed after ${killAfter}`);
  assert.deepEqual(cluster.breaches, [], `killed after ${killAfter}`);
  return { entries: cluster.entries, end: fingerprint(cluster.snapshot()) };
}
