import assert from "node:assert/strict";
import { LeaseClock } from "../../src/server/etcd/lease-clock.js";
import type { ReplicaControl } from "../../src/server/replica-status.js";

describe("the leader's clock of leases, asked from any replica", () => {
  const replica = { status: () => ({ id: 1, leader: 1 }) } as unknown as ReplicaControl;

  it("renews nothing before a quorum has confirmed that this replica leads", async () => {
    let confirm: (() => void) | undefined;
    const renewed: number[] = [];
    const barrier = (): Promise<void> => new Promise((resolve) => (confirm = resolve));
    const clock = new LeaseClock(replica, barrier, () => assert.fail("nobody else is asked"));
    const leading = clock.lead({
      renew: (lease) => renewed.push(lease) && 10,
      remainingSeconds: () => 5,
      close: () => undefined,
    });
    const answer = clock.ask(7, true);
    assert.deepEqual(renewed, []);
    confirm?.();
    assert.equal(await answer, 10);
    assert.deepEqual(renewed, [7]);
    // It hears that it is deposed while it asks.
    const late = clock.ask(8, true);
    leading.close();
    confirm?.();
    await assert.rejects(late, { reason: "NoLeader" });
    assert.deepEqual(renewed, [7]);
  });
});
