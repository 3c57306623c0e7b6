import assert from "node:assert/strict";
import { finishedCondition, type CronJob, type Job } from "../../src/api/kinds/batch.js";
import type { Pod } from "../../src/api/kinds/pod.js";
import { deletion } from "../../src/controllers/deletion.js";
import { isTracked } from "../../src/controllers/job-view.js";
import { isActive } from "../../src/controllers/pod-state.js";
import { derivedUid } from "../../src/objects/derived-id.js";
import { updatedObject } from "../../src/objects/update-object.js";
import { Cluster } from "./cluster.js";
import type { AgentBehaviour } from "./fake-agent.js";
import { fingerprint } from "./fingerprint.js";
import { any, cronJob, job } from "./objects.js";

/** A leader needs this long to be elected in this test. */
const electionMs = 30;

interface Scenario {
  readonly title: string;
  readonly begin: (cluster: Cluster) => void;
  readonly behaviour: Partial<AgentBehaviour>;
  readonly passMs: number;
  readonly isOver: (cluster: Cluster) => boolean;
}

const ends = (ms: number, exitCode = 0) => ({ ms, exitCode });
const first = (pod: Pod): boolean => pod.metadata.uid === derivedUid("uid-work", "Pod", 0);
const work = (cluster: Cluster): Job | undefined => cluster.get<Job>("batch/Job", "work");
const hasEnded = (cluster: Cluster): boolean => {
  const found = work(cluster);
  return found !== undefined && finishedCondition(found) !== undefined;
};

function edit(cluster: Cluster, name: string, change: (spec: Job["spec"]) => Partial<Job["spec"]>): void {
  cluster.change("batch/Job", "default", name, (live) => {
    const one = live as unknown as Job;
    return updatedObject(live, any({ ...one, spec: { ...one.spec, ...change(one.spec) } } as Job));
  });
}

const scenarios: readonly Scenario[] = [
  {
    title: "completions, with one Pod that fails",
    begin: (cluster) => cluster.create(any(job("work", { completions: 4, parallelism: 2 }))),
    behaviour: { endsAfterMs: (pod) => ends(150, first(pod) ? 1 : 0) },
    passMs: 60_000,
    isOver: hasEnded,
  },
  {
    title: "indexes with a limit for each, of which one fails for good",
    begin: (cluster) =>
      cluster.create(
        any(job("work", { completionMode: "Indexed", completions: 3, parallelism: 3, backoffLimitPerIndex: 1 })),
      ),
    behaviour: { endsAfterMs: (pod) => ends(150, pod.spec.hostname === "work-1" ? 1 : 0) },
    passMs: 60_000,
    isOver: hasEnded,
  },
  {
    title: "the backoff limit, while other Pods run",
    begin: (cluster) => cluster.create(any(job("work", { completions: 3, parallelism: 2, backoffLimit: 1 }))),
    behaviour: { endsAfterMs: (pod) => (first(pod) ? undefined : ends(100, 1)), stopAfterMs: () => 80 },
    passMs: 60_000,
    isOver: hasEnded,
  },
  {
    title: "a Pod that is deleted, and replaced only when it has ended",
    begin: (cluster) => {
      cluster.create(any(job("work", { completions: 2, parallelism: 2, podReplacementPolicy: "Failed" })));
      cluster.time.after(600, () => {
        const victim = cluster.pods().find(isActive);
        if (victim === undefined) return;
        cluster.change(
          "/Pod",
          "default",
          victim.metadata.name,
          (live) => deletion(live, cluster.time.now()).updates[0],
        );
      });
    },
    behaviour: { endsAfterMs: () => ends(1500), stopAfterMs: () => 90 },
    passMs: 60_000,
    isOver: hasEnded,
  },
  {
    title: "suspended and resumed, and deleted when its time is over",
    begin: (cluster) => {
      cluster.create(any(job("work", { completions: 2, parallelism: 2, ttlSecondsAfterFinished: 5 })));
      cluster.time.after(500, () => edit(cluster, "work", () => ({ suspend: true })));
      cluster.time.after(1500, () => edit(cluster, "work", () => ({ suspend: false })));
    },
    behaviour: { endsAfterMs: () => ends(1200) },
    passMs: 60_000,
    isOver: (cluster) => cluster.time.monotonic() > 3000 && work(cluster) === undefined && cluster.pods().length === 0,
  },
  {
    title: "a deadline",
    begin: (cluster) => cluster.create(any(job("work", { activeDeadlineSeconds: 3, parallelism: 2 }))),
    behaviour: { endsAfterMs: () => undefined },
    passMs: 60_000,
    isOver: hasEnded,
  },
  {
    title: "a CronJob that replaces what is late, for three minutes",
    begin: (cluster) => {
      const created = { creationTimestamp: "2026-01-01T00:00:00Z" };
      cluster.create(any(cronJob("tick", { concurrencyPolicy: "Replace" }, created)));
    },
    behaviour: { endsAfterMs: (pod) => ends(pod.metadata.name.startsWith("tick-29453761") ? 300_000 : 500) },
    passMs: 200_000,
    isOver: (cluster) => cluster.time.monotonic() > 190_000,
  },
];

describe("Jobs under a leader that is killed after every single log entry", () => {
  for (const scenario of scenarios) {
    it(`${scenario.title}: the same end, each Pod counted once`, () => {
      const whole = play(scenario, undefined);
      assert(whole.entries > 8, `${whole.entries} entries are too few to tell anything`);
      for (let entry = 1; entry <= whole.entries; entry++) {
        const cut = play(scenario, entry);
        assert.deepEqual(cut.end, whole.end, `killed after entry ${entry} of ${whole.entries}`);
      }
    }).timeout(60_000);
  }
});

function play(scenario: Scenario, killAfter: number | undefined): { readonly entries: number; readonly end: unknown } {
  const cluster = new Cluster({ behaviour: { readyAfterMs: () => 40, stopAfterMs: () => 60, ...scenario.behaviour } });
  const ledger = new Ledger(cluster);
  cluster.onEntry = (entry) => {
    ledger.look();
    if (entry !== killAfter) return;
    cluster.depose();
    cluster.time.after(electionMs, () => cluster.elect());
  };
  cluster.elect();
  scenario.begin(cluster);
  assert(
    cluster.time.pass(scenario.passMs, () => scenario.isOver(cluster)),
    `ends, killed after ${killAfter}: ${JSON.stringify(cluster.snapshot().list<Job>("batch/Job")[0]?.status)}`,
  );
  const { entries } = cluster;
  cluster.time.pass(3000);
  ledger.settle();
  return { entries, end: endOf(cluster) };
}

/** What stays when a scenario is played again with other timing; Pods without what tells one from the other. */
function endOf(cluster: Cluster): unknown {
  const pods = cluster
    .pods()
    .map(({ metadata, status, spec }) => `${spec.hostname ?? ""} ${status?.phase} ${metadata.deletionTimestamp ?? ""}`);
  const others = fingerprint(cluster.snapshot()).filter(
    (object) => (object as { readonly kind: string }).kind !== "Pod",
  );
  return { others, pods: pods.sort() };
}

/** Watches that no Pod is lost to the count or counted twice: what ended of each Job, as the engines told it. */
class Ledger {
  readonly #cluster: Cluster;
  readonly #ended = new Map<string, Map<string, "Succeeded" | "Failed">>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  look(): void {
    for (const { metadata, status } of this.#cluster.pods()) {
      const owner = metadata.ownerReferences?.[0]?.uid;
      if (owner === undefined || (status?.phase !== "Succeeded" && status?.phase !== "Failed")) continue;
      const known = this.#ended.get(owner) ?? new Map<string, "Succeeded" | "Failed">();
      known.set(metadata.uid ?? "", status.phase);
      this.#ended.set(owner, known);
    }
    for (const one of this.#cluster.snapshot().list<Job>("batch/Job")) {
      const { completions = Number.POSITIVE_INFINITY } = one.spec;
      const told = this.#told(one, "Succeeded");
      const { succeeded = 0 } = one.status ?? {};
      assert(
        succeeded <= told && succeeded <= completions,
        `${succeeded} counted, ${told} succeeded, ${completions} wanted`,
      );
    }
  }

  /** Afterwards all is counted, and nothing waits for it. */
  settle(): void {
    assert.deepEqual(
      this.#cluster.pods().filter((pod) => isTracked(pod) && !isActive(pod)),
      [],
    );
    for (const one of this.#cluster.snapshot().list<Job>("batch/Job"))
      assert.equal(one.status?.succeeded ?? 0, this.#told(one, "Succeeded"), one.metadata.name);
    for (const { status } of this.#cluster.snapshot().list<CronJob>("batch/CronJob"))
      assert((status?.active ?? []).length <= 1, "Replace leaves one at most");
  }

  #told({ metadata }: Job, phase: "Succeeded" | "Failed"): number {
    return [...(this.#ended.get(metadata.uid ?? "")?.values() ?? [])].filter((one) => one === phase).length;
  }
}
