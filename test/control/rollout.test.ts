import assert from "node:assert/strict";
import { grownSize, proportionalSizes, resolveFences, shrunkSizes } from "../../src/controllers/rollout.js";

const counts = (
  size: number,
  available = size,
  existing = size,
): { size: number; available: number; existing: number; held: number } => ({
  size,
  available,
  existing,
  held: 0,
});

describe("rollout numbers", () => {
  it("round surge up and unavailability down", () => {
    assert.deepEqual(resolveFences({ maxSurge: "25%", maxUnavailable: "25%" }, 3), { surge: 1, unavailable: 0 });
    assert.deepEqual(resolveFences({ maxSurge: "25%", maxUnavailable: "25%" }, 10), { surge: 3, unavailable: 2 });
    assert.deepEqual(resolveFences({ maxSurge: "7%", maxUnavailable: "7%" }, 100), { surge: 7, unavailable: 7 });
    assert.deepEqual(resolveFences(undefined, 4), { surge: 1, unavailable: 1 });
  });

  it("never stand still, and never make more unavailable than there is", () => {
    assert.deepEqual(resolveFences({ maxSurge: 0, maxUnavailable: "1%" }, 3), { surge: 0, unavailable: 1 });
    assert.deepEqual(resolveFences({ maxSurge: 1, maxUnavailable: 9 }, 3), { surge: 1, unavailable: 3 });
    assert.deepEqual(resolveFences({ maxSurge: 0, maxUnavailable: 0 }, 0), { surge: 0, unavailable: 0 });
  });

  it("grow into the room that Pods leave, those that are still stopping too", () => {
    assert.equal(grownSize({ replicas: 3, surge: 1 }, counts(0), [counts(3)]), 1);
    assert.equal(grownSize({ replicas: 3, surge: 1 }, counts(1), [counts(2, 2, 3)]), 1, "one is stopping");
    assert.equal(grownSize({ replicas: 3, surge: 1 }, counts(1), [counts(2)]), 2);
    assert.equal(grownSize({ replicas: 3, surge: 9 }, counts(1), [counts(2)]), 3, "not above replicas");
    assert.equal(grownSize({ replicas: 3, surge: 0 }, counts(2), [counts(5)]), 2, "never smaller");
  });

  it("take what is not available first, from the oldest on, then what is spare", () => {
    assert.deepEqual(shrunkSizes({ replicas: 3, unavailable: 0 }, counts(1, 0), [counts(3)]), [3]);
    assert.deepEqual(shrunkSizes({ replicas: 3, unavailable: 0 }, counts(1), [counts(3)]), [2]);
    assert.deepEqual(shrunkSizes({ replicas: 4, unavailable: 1 }, counts(2, 0), [counts(2, 1), counts(2, 2)]), [1, 2]);
    assert.deepEqual(shrunkSizes({ replicas: 4, unavailable: 0 }, counts(2), [counts(1), counts(3)]), [0, 2]);
  });

  it("count Pods that are held above their set's size", () => {
    const held = { size: 0, available: 1, existing: 1, held: 1 };
    assert.deepEqual(shrunkSizes({ replicas: 1, unavailable: 0 }, counts(0), [held, counts(1, 0)]), [0, 0]);
  });

  it("share a resize in proportion, the rest to the largest", () => {
    const set = (
      size: number,
      createdAt: number,
      annotatedMax: number,
    ): { size: number; createdAt: number; annotatedMax: number } => ({
      size,
      createdAt,
      annotatedMax,
    });
    // kubernetes.io/docs: 10 replicas, surge 3: 8 old and 5 new; then 15 replicas.
    assert.deepEqual(proportionalSizes({ replicas: 15, surge: 3 }, [set(8, 1, 13), set(5, 2, 13)]), [11, 7]);
    assert.deepEqual(
      proportionalSizes({ replicas: 5, surge: 0 }, [set(5, 1, 10), set(5, 2, 10)]),
      [2, 3],
      "the older gives",
    );
    assert.deepEqual(proportionalSizes({ replicas: 0, surge: 0 }, [set(8, 1, 13), set(5, 2, 13)]), [0, 0]);
    assert.deepEqual(
      proportionalSizes({ replicas: 7, surge: 0 }, [set(3, 1, 6), set(3, 2, 6)]),
      [3, 4],
      "the newer gets",
    );
  });
});
