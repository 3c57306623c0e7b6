import assert from "node:assert/strict";
import { Cluster } from "./cluster.js";
import { any, deployment } from "./objects.js";

/** Sizes of old and new set, recorded from Kubernetes' controller-manager 1.20 with Pods that start and stop at once. */
const vectors: readonly {
  readonly replicas: number;
  readonly maxSurge: number | string;
  readonly maxUnavailable: number | string;
  readonly sizes: string;
}[] = [
  { replicas: 3, maxSurge: "25%", maxUnavailable: "25%", sizes: "3/0 3/1 2/1 2/2 1/2 1/3 0/3" },
  { replicas: 10, maxSurge: "25%", maxUnavailable: "25%", sizes: "10/0 10/3 8/3 8/5 5/5 5/8 3/8 3/10 0/10" },
  { replicas: 1, maxSurge: "25%", maxUnavailable: "25%", sizes: "1/0 1/1 0/1" },
  { replicas: 4, maxSurge: 0, maxUnavailable: 1, sizes: "4/0 3/0 3/1 2/1 2/2 1/2 1/3 0/3 0/4" },
  { replicas: 2, maxSurge: "1%", maxUnavailable: "0%", sizes: "2/0 2/1 1/1 1/2 0/2" },
  { replicas: 5, maxSurge: "100%", maxUnavailable: 0, sizes: "5/0 5/5 0/5" },
];

describe("rolling update", () => {
  for (const { sizes, ...given } of vectors) {
    it(`${given.replicas} replicas, surge ${given.maxSurge}, unavailable ${given.maxUnavailable}: ${sizes}`, () => {
      const cluster = new Cluster();
      cluster.elect();
      cluster.create(any(deployment(given)));
      assert(cluster.time.pass(20_000, () => cluster.settled("web")));
      cluster.sizes.length = 0;
      cluster.checksAvailability = true;
      cluster.setImage("web", "web:2");
      cluster.time.pass(50);
      assert(
        cluster.time.pass(60_000, () => cluster.settled("web")),
        "the rollout ends",
      );
      // Before the new set is made there is one size; it stands for `n/0`.
      const seen = cluster.sizes.map((line) => (line.includes("/") ? line : `${line}/0`));
      const start = `${given.replicas}/0`;
      assert.deepEqual([start, ...seen.filter((line) => line !== start)].join(" "), sizes);
      assert.deepEqual(cluster.breaches, []);
    });
  }
});
